#!/bin/sh
# Installs dialbridge from the folder this script lies in, or brings an installation up to date.
#
#   ./install.sh                 into this machine (as root)
#   ./install.sh --root DIR      into a folder that stands for a machine: no users are made, nothing is started
#
# Never touches a config, a token or a ledger that is there. Starts and restarts nothing: that is said at the end.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
root=

usage() {
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --root) [ $# -ge 2 ] || usage; root=${2%/}; shift 2 ;;
    *) usage ;;
    esac
done

fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

# Before anything is changed: does the program run here at all?
version=$("$here/dialbridge" --version 2>&1) ||
    fail "the program does not run on this machine ($version). If a version of GLIBC is missing, build it on a system as old as this one."
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "only root may install; try: sudo $0"

# put MODE SOURCE TARGET: by renaming, so that a running program is never half replaced.
put() {
    mkdir -p "$root$(dirname "$3")"
    install -m "$1" "$here/$2" "$root$3.new"
    mv -f "$root$3.new" "$root$3"
}

put 0755 dialbridge /usr/local/bin/dialbridge
put 0644 dialbridge.service /etc/systemd/system/dialbridge.service
put 0644 dialbridge.sysusers.conf /usr/local/lib/sysusers.d/dialbridge.conf
put 0644 dialbridge.tmpfiles.conf /usr/local/lib/tmpfiles.d/dialbridge.conf
for page in README.md CHANGELOG.md defaults.toml; do
    put 0644 "$page" "/usr/local/share/doc/dialbridge/$page"
done
for page in docs examples connectors; do
    for file in "$here/$page"/*; do
        put 0644 "$page/$(basename "$file")" "/usr/local/share/doc/dialbridge/$page/$(basename "$file")"
    done
done

if [ -z "$root" ]; then
    systemd-sysusers /usr/local/lib/sysusers.d/dialbridge.conf
    systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/dialbridge.conf
    systemctl daemon-reload
else
    # What systemd-tmpfiles would make, without the owners that only a machine has.
    mkdir -p "$root/etc/dialbridge/conf.d" "$root/etc/dialbridge/secrets" "$root/var/lib/dialbridge"
fi

config=/etc/dialbridge/dialbridge.toml
if [ -e "$root$config" ]; then
    kept="The config $config is as it was."
else
    install -m 0640 "$here/examples/dialbridge.toml" "$root$config"
    [ -n "$root" ] || chgrp dialbridge "$root$config"
    kept="The config $config is an example: write your own into it."
fi

cat <<TXT
$version is installed.
$kept
Next:
  write the two tokens into the files that the config names (0640, root:dialbridge)
  dialbridge check --offline           all mistakes in the config at once
  dialbridge check                     asks both sides, changes nothing
  systemctl enable --now dialbridge    every new route begins dry: it shows what it would do
After an update: systemctl restart dialbridge
TXT
