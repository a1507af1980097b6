#!/usr/bin/env python3
"""Does to a real Odoo 19 what its users do, for the tests: one verb a call, one JSON value on standard output.

    seed N                 N partners with German numbers, tracking off
    create JSON            one partner (an object) or several in one call (an array)
    write ID JSON          change a partner, as the ordinary user
    read ID                one partner, archived or not; null if it is gone
    archive ID             active = false
    unarchive ID
    unlink ID              delete: leaves no trace
    merge ID INTO          what "Merge contacts" does: the first is gone without a trace
    blacklist NUMBER       put a number on phone.blacklist, as the administrator
    unblacklist NUMBER
    blacklisted            ids of the partners whose number is on it, as the ordinary user sees them
    burst N                N partners in one call: all get one and the same write_date
    same-second            two partners changed within one second, the one with the higher id first
    slow-create N SECONDS  N partners dated now that appear SECONDS later (write_date is the start of the transaction)
    slow-write ID JSON SECONDS
    new-user reads         the key of a further user, who may read partners and write nothing
    new-user blacklist     ... of one like the ordinary one, who may besides write phone.blacklist
    call [--admin] MODEL METHOD JSON     anything else

Reads ODOO_URL, ODOO_KEY_FILE and ODOO_ADMIN_KEY_FILE; without them it asks `odoo.sh env`.
Ends with 0; 1 if Odoo refused or does not run (as JSON on standard error, without the traceback); 2 for wrong arguments.
"""
import datetime
import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request

FIELDS = ["id", "name", "phone", "phone_sanitized", "phone_sanitized_blacklisted", "email", "ref", "active",
          "write_date", "create_date", "country_id", "parent_id", "is_company", "comment"]
# What an import does; without it each partner costs a message and a follower, and seeding takes twenty times as long.
QUIET = {"tracking_disable": True, "mail_create_nosubscribe": True, "mail_create_nolog": True}
BATCH = 1000
SEED_REF = "SEED-"
# Beginnings of numbers that the German regulator keeps free for films and books; five more digits make them many.
# Written as people write them, so that bringing them to E.164 has something to do.
PHONES = ["030 23125-{:05d}", "+49 69 90009{:05d}", "(040) 66969 {:05d}", "0049 221 4710{:05d}", "089/99998-{:05d}"]


class Refused(Exception):
    """Odoo answered with an error, or is not there. The text is JSON."""


def environment():
    """The variables that `odoo.sh env` prints, unless they are set already."""
    names = ("ODOO_URL", "ODOO_KEY_FILE", "ODOO_ADMIN_KEY_FILE")
    if all(n in os.environ for n in names):
        return {n: os.environ[n] for n in names}
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "odoo.sh")
    answer = subprocess.run([script, "env"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        raise Refused(json.dumps({"message": answer.stderr.strip()}))
    return dict(shlex.split(line)[0].split("=", 1) for line in answer.stdout.splitlines())


class Odoo:
    def __init__(self):
        env = environment()
        self.url = env["ODOO_URL"]
        self.keys = {}
        for who, name in (("user", "ODOO_KEY_FILE"), ("admin", "ODOO_ADMIN_KEY_FILE")):
            with open(env[name], encoding="ascii") as f:
                self.keys[who] = f.read().strip()
        # The server is on this machine: a proxy of the environment must not come between.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, model, method, who="user", **args):
        request = urllib.request.Request(f"{self.url}/json/2/{model}/{method}", data=json.dumps(args).encode(), headers={
            "Authorization": "bearer " + self.keys[who], "Content-Type": "application/json"})
        try:
            with self.opener.open(request, timeout=600) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            body = e.read().decode(errors="replace")
            try:
                body = {k: v for k, v in json.loads(body).items() if k in ("name", "message")}
            except (ValueError, AttributeError):
                body = {"message": body[:300]}
            raise Refused(json.dumps({"call": f"{model}/{method}", "status": e.code, **body}, ensure_ascii=False)) from e
        except OSError as e:
            raise Refused(json.dumps({"call": f"{model}/{method}", "message": str(e)})) from e

    def create(self, rows, context=None):
        return self.call("res.partner", "create", vals_list=rows, context=context or {})

    def read(self, ids):
        # search_read and not read: `read` with the field "id" alone invents an answer for a partner that is gone.
        return self.call("res.partner", "search_read", domain=[["id", "in", ids]], fields=FIELDS, order="id",
                         context={"active_test": False})

    def dates(self, ids):
        return {r["id"]: r["write_date"] for r in self.read(ids)}

    def germany(self):
        return self.call("res.country", "search", domain=[["code", "=", "DE"]])[0]


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")


def row(n, country):
    """The n-th partner; the same for the same n, so that two runs can be compared."""
    phone = PHONES[n % len(PHONES)].format(n // len(PHONES) % 100_000)
    # Umlauts on purpose: a client that gets the encoding wrong shall be found out.
    return {"name": f"Prüfkontakt {n:06d} Größe", "phone": phone, "email": f"kontakt{n:06d}@example.org",
            "ref": f"{SEED_REF}{n:06d}", "country_id": country}


def seed(odoo, count):
    began = time.monotonic()
    country = odoo.germany()
    # A second call goes on where the last one ended.
    first = odoo.call("res.partner", "search_count", domain=[["ref", "=like", SEED_REF + "%"]],
                      context={"active_test": False})
    ids = []
    for start in range(first, first + count, BATCH):
        ids += odoo.create([row(n, country) for n in range(start, min(start + BATCH, first + count))], QUIET)
    return {"count": len(ids), "first_ref": f"{SEED_REF}{first:06d}", "seconds": round(time.monotonic() - began, 2),
            "ids": ids}


def create(odoo, text):
    rows = json.loads(text)
    ids = odoo.create(rows if isinstance(rows, list) else [rows])
    return odoo.read(ids) if isinstance(rows, list) else odoo.read(ids)[0]


def read(odoo, ident):
    return next(iter(odoo.read([ident])), None)


def write(odoo, ident, vals):
    odoo.call("res.partner", "write", ids=[ident], vals=vals)
    return read(odoo, ident)


def merge(odoo, gone, into):
    wizard = "base.partner.merge.automatic.wizard"
    ids = odoo.call(wizard, "create", who="admin", vals_list=[
        {"state": "selection", "dst_partner_id": into, "partner_ids": [[6, 0, [gone, into]]]}])
    odoo.call(wizard, "action_merge", who="admin", ids=ids)
    return read(odoo, into)


def blacklist(odoo, number, method):
    # `add` and `remove` bring the number to E.164 by the user's country. The list keeps removed numbers, archived.
    odoo.call("phone.blacklist", method, who="admin", number=number)
    entry = odoo.call("phone.blacklist", "search_read", who="admin", domain=[["number", "=", number]],
                      fields=["id", "number", "active", "write_date"], context={"active_test": False})
    return {"entries": entry, "partners": blacklisted(odoo)}


def blacklisted(odoo):
    return odoo.call("res.partner", "search", domain=[["phone_sanitized_blacklisted", "=", True]], order="id",
                     context={"active_test": False})


def burst(odoo, count):
    country = odoo.germany()
    ids = odoo.create([{"name": f"Prüfkontakt Schwall {n:06d}", "phone": PHONES[0].format(90_000 + n % 10_000),
                        "country_id": country} for n in range(count)], QUIET)
    return {"ids": ids, "write_dates": sorted(set(odoo.dates(ids).values()))}


def same_second(odoo):
    country = odoo.germany()
    low, high = odoo.create([{"name": f"Prüfkontakt Sekunde {c}", "country_id": country} for c in "AB"], QUIET)
    for _ in range(10):
        # Shortly after a second has begun, there is time for both writes in it.
        time.sleep(1.05 - time.time() % 1)
        odoo.call("res.partner", "write", ids=[high], vals={"comment": now()}, context=QUIET)
        odoo.call("res.partner", "write", ids=[low], vals={"comment": now()}, context=QUIET)
        dates = odoo.dates([low, high])
        if dates[low] == dates[high]:
            break
    else:
        raise Refused(json.dumps({"message": "two writes did not fit into one second in ten tries"}))
    # The paging that many clients use, one row a page: (write_date, id) above the last row seen.
    mine, seen, after = [["id", "in", [low, high]]], [], []
    while True:
        page = odoo.call("res.partner", "search_read", domain=mine + after, fields=["id", "write_date"],
                         order="write_date, id", limit=1)
        if not page:
            break
        last, when = page[0]["id"], page[0]["write_date"]
        seen.append(last)
        after = ["|", ["write_date", ">", when], "&", ["write_date", "=", when], ["id", ">", last]]
    return {"ids": [low, high], "written_first": high, "write_date": dates[low], "keyset_sees": seen,
            "keyset_loses": sorted({low, high} - set(seen))}


def inside(odoo, code):
    """Runs Python code inside Odoo, in one transaction; answers with what it calls `action`."""
    model = odoo.call("ir.model", "search", who="admin", domain=[["model", "=", "res.partner"]])[0]
    [action] = odoo.call("ir.actions.server", "create", who="admin", vals_list=[
        {"name": "dialbridge tests", "model_id": model, "state": "code", "code": code}])
    try:
        return odoo.call("ir.actions.server", "run", who="admin", ids=[action])
    finally:
        odoo.call("ir.actions.server", "unlink", who="admin", ids=[action])


def slowly(odoo, code, seconds):
    """Runs Python code inside Odoo, in one transaction that commits `seconds` later. It leaves `ids`."""
    # After the code: its rows exist, dated, and nobody else sees them yet.
    code += f"\nenv.cr.execute('SELECT pg_sleep(%s)', [{float(seconds)}])\naction = {{'ids': ids}}\n"
    began = now()
    ids = inside(odoo, code)["ids"]
    ended = now()
    return {"ids": ids, "began": began, "committed": ended, "write_dates": sorted(set(odoo.dates(ids).values()))}


def slow_create(odoo, count, seconds):
    rows = [{"name": f"Prüfkontakt Langsam {n:06d}", "phone": PHONES[0].format(80_000 + n % 10_000),
             "country_id": odoo.germany()} for n in range(count)]
    return slowly(odoo, f"ids = env['res.partner'].with_context({QUIET!r}).create({rows!r}).ids\nenv.flush_all()", seconds)


def slow_write(odoo, ident, vals, seconds):
    return slowly(odoo, f"ids = [{ident}]\nenv['res.partner'].browse(ids).write({vals!r})\nenv.flush_all()", seconds)


def new_user(odoo, may):
    """As an administrator makes one; only code inside Odoo gets at a key of somebody else's."""
    groups = {"reads": ["base.group_user"],
              "blacklist": ["base.group_user", "base.group_partner_manager", "sales_team.group_sale_manager"]}[may]
    code = f"""
groups = [env.ref(name).id for name in {groups!r}]
if {may == "blacklist"}:
    group = env['res.groups'].create({{'name': 'dialbridge: phone blacklist'}})
    env['ir.model.access'].create({{
        'name': 'dialbridge: phone blacklist', 'group_id': group.id,
        'model_id': env['ir.model']._get('phone.blacklist').id,
        'perm_read': True, 'perm_write': True, 'perm_create': True, 'perm_unlink': False,
    }})
    groups.append(group.id)
user = env['res.users'].with_context(no_reset_password=True).create({{
    'name': 'dialbridge {may}', 'login': 'dialbridge-{may}-' + str(time.time()), 'tz': 'Europe/Berlin',
    'group_ids': [(6, 0, groups)],
}})
key = env['res.users.apikeys'].with_user(user).sudo()._generate('rpc', 'dialbridge tests', None)
"""
    return inside(odoo, code + "action = {'key': key}\n")["key"]


def call(odoo, args):
    who = "user"
    if args and args[0] == "--admin":
        who, args = "admin", args[1:]
    model, method, text = args
    if not re.fullmatch(r"[\w.]+", model) or not re.fullmatch(r"\w+", method):
        raise ValueError("not a model and a method")
    return odoo.call(model, method, who=who, **json.loads(text))


VERBS = {
    "seed": lambda o, n: seed(o, int(n)),
    "create": create,
    "write": lambda o, i, v: write(o, int(i), json.loads(v)),
    "read": lambda o, i: read(o, int(i)),
    "archive": lambda o, i: write(o, int(i), {"active": False}),
    "unarchive": lambda o, i: write(o, int(i), {"active": True}),
    "unlink": lambda o, i: o.call("res.partner", "unlink", ids=[int(i)]),
    "merge": lambda o, i, j: merge(o, int(i), int(j)),
    "blacklist": lambda o, n: blacklist(o, n, "add"),
    "unblacklist": lambda o, n: blacklist(o, n, "remove"),
    "blacklisted": blacklisted,
    "burst": lambda o, n: burst(o, int(n)),
    "same-second": same_second,
    "slow-create": lambda o, n, s: slow_create(o, int(n), float(s)),
    "slow-write": lambda o, i, v, s: slow_write(o, int(i), json.loads(v), float(s)),
    "new-user": new_user,
    "call": lambda o, *a: call(o, list(a)),
}


def main(args):
    verb = VERBS.get(args[0]) if args else None
    if verb is None:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        result = verb(Odoo(), *args[1:])
    except Refused as e:
        print(e, file=sys.stderr)
        return 1
    except (TypeError, ValueError) as e:
        print(f"odoo_do.py {args[0]}: wrong arguments ({e})", file=sys.stderr)
        return 2
    print(json.dumps(result, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
