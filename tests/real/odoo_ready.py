# odoo_ready.py URL PID KEY_FILE: waits until the server PID answers a real question; ends with 1 if it ended before.
import sys
import time
import urllib.request

url, pid, key_file = sys.argv[1:]
with open(key_file, encoding="ascii") as f:
    key = f.read()
count = urllib.request.Request(url + "/json/2/res.partner/search_count", data=b'{"domain":[]}', headers={
    "Authorization": "bearer " + key, "Content-Type": "application/json"})
# The server is on this machine: a proxy of the environment must not come between.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
until = time.monotonic() + 90
while time.monotonic() < until:
    try:
        with open(f"/proc/{pid}/stat") as f:
            # Ended, but its parent (the script) has not asked for its status yet.
            if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                sys.exit(1)
        direct.open(url + "/web/health", timeout=10).read()
        # Health says yes before the database is loaded; the first question waits for it, so that no test has to.
        direct.open(count, timeout=60).read()
        sys.exit(0)
    except FileNotFoundError:
        sys.exit(1)
    except OSError:
        time.sleep(0.1)
sys.exit(1)
