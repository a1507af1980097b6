# odoo_sources.py OUT LIST PARTS: from this machine's own apt sources, one source file for sid per entry that offers its
# release's `main`; prints "FILE URI SUITE" for each, SUITE being the one that stood there. A mirror, a proxy or a signing
# key of this machine holds for us too, and no host name stands here. Both of apt's notations: Debian 12 has either.
import glob
import os
import re
import sys

out, main_list, parts = sys.argv[1:]
release = dict(line.rstrip("\n").split("=", 1) for line in open("/etc/os-release") if "=" in line)
suites = {release.get("VERSION_CODENAME", "").strip('"'), "stable", "oldstable", "testing", "unstable", "sid"} - {""}
found = []
for path in [main_list] + sorted(glob.glob(os.path.join(parts, "*.list"))):
    for line in open(path) if os.path.isfile(path) else ():
        m = re.match(r"deb\s+(\[.*?\]\s+)?(\S+)\s+(\S+)\s+(.*)", line.strip())
        if m and m[3] in suites and "main" in m[4].split():
            found.append(("list", m[2], m[3], f"deb {m[1] or ''}{m[2]} sid main\n"))
for path in sorted(glob.glob(os.path.join(parts, "*.sources"))):
    text = "".join(line for line in open(path) if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        fields = {k.lower(): v for k, v in re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.M)}
        if fields.get("enabled", "yes").strip().lower() in ("no", "false", "0"):
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        own = [s for s in fields.get("suites", "").split() if s in suites]
        if not own or "main" not in fields.get("components", "").split():
            continue
        fields.update(types="deb", suites="sid", components="main")
        for uri in fields.get("uris", "").split():
            one = dict(fields, uris=uri)
            found.append(("sources", uri, own[0], "".join(f"{k.title()}: {v}\n" for k, v in one.items())))
for n, (kind, uri, suite, text) in enumerate(found):
    name = os.path.join(out, f"sid{n}.{kind}")
    with open(name, "w") as f:
        f.write(text)
    print(name, uri, suite)
