# Run by `odoo shell` on the template database, once per installation; `env` is given.
# It prepares what every fresh database shall hold: two API users and a German company.
import os

# National numbers ("030 ...") are brought to E.164 by the partner's country, else by the company's.
env.company.country_id = env.ref("base.de")


def api_user(login, groups):
    """Make a user with these groups and return its API key (40 hex digits, no expiry)."""
    # no_reset_password: otherwise Odoo prepares an invitation mail to an address that does not exist.
    user = env["res.users"].with_context(no_reset_password=True).create({
        "name": login,
        "login": login,
        # Not UTC on purpose: the API must answer in UTC whatever the user's zone is.
        "tz": "Europe/Berlin",
        "group_ids": [(6, 0, [env.ref(g).id for g in groups])],
    })
    return env["res.users.apikeys"].with_user(user).sudo()._generate("rpc", "dialbridge tests", None)


ORDINARY = ["base.group_user", "base.group_partner_manager", "sales_team.group_sale_manager"]
keys = {
    # What an administrator gives a dialler: sells, edits partners, but no settings.
    "user.key": api_user("dialbridge", ORDINARY),
    # phone.blacklist may be read and written by group_system only.
    "admin.key": api_user("dialbridge-admin", ORDINARY + ["base.group_system"]),
}
# Commit first: a key file must never name a key that the database does not know.
env.cr.commit()
for name, key in keys.items():
    with open(os.path.join(os.environ["DIALBRIDGE_KEY_DIR"], name), "w", encoding="ascii") as out:
        out.write(key)
