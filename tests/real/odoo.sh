#!/usr/bin/env bash
# A real Odoo 19 Community for the tests: install, start, reset, stop. README.md says how to use it.
#
# Everything lives in two folders: the installation (shared by all clones of the repository, made once) and the state
# of one run (its own PostgreSQL, its own ports), so that several clones, or several test runs, can work at once.
set -euo pipefail
# Keys and passwords are written below; nobody else on the machine needs to read any of this.
umask 077
# Odoo and psql take settings from the environment, and there they beat the configuration file: a PGHOST of the caller
# would send us to another server. Nothing below needs the caller's.
# shellcheck disable=SC2086
unset ${!PG@} ${!ODOO@}

# --- what is installed; a change to any of it makes a new installation -------------------------------------------------
# Raise it when the way of installing changes without any of the other values changing.
readonly RECIPE=1
readonly DEB_PACKAGE=odoo-19
readonly MODULES=contacts,crm,crm_phonecall,base_automation
readonly OCA_WHEEL=odoo-addon-crm-phonecall==19.0.1.0.1
# Small, pure Python, and in the requirements anyway: the download that tells whether the index answers.
readonly PROBE_WHEEL=idna

# --- exit statuses ------------------------------------------------------------------------------------------------------
readonly EX_TEMPFAIL=75

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
# Absolute: the servers change their folder, and the state folder is how they are recognised.
base=$(realpath -m "${DIALBRIDGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dialbridge}/odoo-19")
readonly base
# By default one state folder per clone, named after the clone's place.
state=$(realpath -m "${DIALBRIDGE_ODOO_STATE:-$base/run-$(printf %s "$here" | sha256sum | cut -c1-12)}")
readonly state
# Set by `prepare`.
python="" pgbin="" version="" home=""
# Folders to remove and PostgreSQL data folders to stop when an installation ends in the middle.
scratch="" building_pg=""
began=0

say() { printf 'odoo.sh: %s\n' "$*" >&2; }
# Progress, with the seconds since the installation began.
step() { say "$1 (at $((SECONDS - began)) s)"; }
die() { say "FAILED: $*"; exit 1; }

# Prints the last lines of the log of the step that failed.
logged() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null && return 0
    tail -n 15 "$log" | cut -c1-400 >&2
    return 1
}

# --- tools of the machine -----------------------------------------------------------------------------------------------

find_python() {
    # sys.executable, because `python3` may be a version manager's shim that answers differently elsewhere.
    python=$(python3 -c 'import sys; print(sys.executable)') || die "no python3 on this machine"
}

# Debian keeps the server's programs out of PATH, one folder per major version; the newest one wins.
find_postgres() {
    local found
    found=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [[ -n $found ]] || found=$(command -v initdb || true)
    [[ -n $found ]] || return 1
    pgbin=$(dirname "$(readlink -f "$found")")
}

# PostgreSQL refuses to run as root. As anyone else, it runs as that user.
as_pg() {
    if [[ $(id -u) -eq 0 ]]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

# A port nobody listens on. Somebody may take it before we do: callers try again.
free_port() {
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# What the installation is made of, as one line; its hash names the folder.
fingerprint() {
    printf '%s\n' "$RECIPE $DEB_PACKAGE $MODULES $OCA_WHEEL $("$python" -V) $python $("$pgbin/initdb" --version)"
    cat "$here/odoo-requirements.txt" "$here/odoo_template.py"
}

prepare() {
    find_python
    find_postgres || return 1
    version=$(fingerprint | sha256sum | cut -c1-12)
    home="$base/v-$version"
}

# --- PostgreSQL ---------------------------------------------------------------------------------------------------------

# Prints a new folder for a cluster. Inside $1 if the postgres user gets there; a home folder closed to others (root's
# usually is) keeps it out, and then the folder is one below TMPDIR.
pg_new_folder() {
    local parent=$1 dir
    if [[ $(id -u) -ne 0 ]]; then
        mktemp -d "$parent/pg.XXXXXX"
        return
    fi
    chmod 711 "$parent"
    if as_pg test -x "$parent" 2>/dev/null; then
        dir=$(mktemp -d "$parent/pg.XXXXXX")
    else
        dir=$(mktemp -d "${TMPDIR:-/tmp}/dialbridge-odoo-pg.XXXXXX")
    fi
    chown postgres: "$dir"
    realpath "$dir"
}

# Starts the cluster in $1 on a free port and prints the port.
pg_start() {
    local dir=$1 port
    for _ in 1 2 3; do
        port=$(free_port)
        # The redirections let go of the caller's pipes and locks: the server outlives this script.
        if as_pg "$pgbin/pg_ctl" -D "$dir/data" -w -t 30 -l "$dir/log" -o "-p $port" start \
            >/dev/null 2>&1 </dev/null 8>&- 9>&-; then
            printf '%s\n' "$port"
            return
        fi
    done
    [[ ! -r $dir/log ]] || tail -n 5 "$dir/log" >&2
    return 1
}

pg_stop() {
    local dir=$1 how=$2 pid
    pid=$(head -n 1 "$dir/data/postmaster.pid" 2>/dev/null) || return 0
    # After a crash or a reboot the file stays, and the number may be another process's: pg_ctl would signal that one.
    [[ $(readlink "/proc/$pid/cwd" 2>/dev/null) == "$dir/data" ]] || return 0
    # A test may have stopped it (SIGSTOP).
    kill -CONT "$pid" 2>/dev/null || true
    as_pg "$pgbin/pg_ctl" -D "$dir/data" -m "$how" -w -t 30 stop >/dev/null 2>&1
}

# psql PORT DATABASE SQL...
sql() {
    local port=$1 db=$2
    shift 2
    local args=() s
    for s in "$@"; do args+=(-c "$s"); done
    PGPASSWORD=$(<"$home/pg.password") PGOPTIONS='-c client_min_messages=warning' "$pgbin/psql" -X -q -A -t \
        -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U odoo -d "$db" "${args[@]}"
}

# --- Odoo ---------------------------------------------------------------------------------------------------------------

# odoo_conf FILE DATA_DIR DATABASE PG_PORT HTTP_PORT ROOT, where ROOT is the installation
odoo_conf() {
    local file=$1 data=$2 db=$3 pg_port=$4 http_port=$5 root=$6
    # max_cron_threads=0: no scheduled job, so nothing calls home and nothing changes records behind a test's back.
    # db_maxconn and workers stay as delivered: "The Connection Pool Is Full" under load is a trap worth having.
    cat >"$file" <<CONF
[options]
addons_path = $root/odoo/usr/lib/python3/dist-packages/odoo/addons,$root/oca/odoo/addons
data_dir = $data
db_host = 127.0.0.1
db_port = $pg_port
db_user = odoo
db_password = $(<"$root/pg.password")
dbfilter = ^$db\$
list_db = False
http_interface = 127.0.0.1
http_port = $http_port
max_cron_threads = 0
workers = 0
CONF
}

# shellcheck source=odoo_install.sh
source "$here/odoo_install.sh"

# --- run ----------------------------------------------------------------------------------------------------------------

server_pid() {
    local pid
    [[ -s $state/server.pid ]] || return 1
    pid=$(<"$state/server.pid")
    # The number may belong to somebody else by now: only a process with our own configuration file is ours.
    [[ -r /proc/$pid/cmdline ]] && tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "$state/odoo.conf" || return 1
    printf '%s\n' "$pid"
}

server_stop() {
    local pid
    if pid=$(server_pid); then
        # Its database is thrown away, so there is nothing to end in good order (which takes seconds).
        kill -KILL "$pid" 2>/dev/null || true
        while server_pid >/dev/null; do sleep 0.05; done
    fi
    rm -f "$state/server.pid"
}

server_ready() {
    "$python" "$here/odoo_ready.py" "$1" "$2" "$home/user.key"
}

server_start() {
    local pg_port=$1 port url
    for _ in 1 2 3; do
        port=$(free_port)
        url="http://127.0.0.1:$port"
        odoo_conf "$state/odoo.conf" "$state/data" crm "$pg_port" "$port" "$home"
        # It holds a shared lock on its installation as long as it lives (see remove_old), and nothing else of ours.
        (
            exec 8<"$home/in-use"
            flock -s 8
            PYTHONPATH="$home/odoo/usr/lib/python3/dist-packages:$home/site" exec setsid "$python" -s \
                "$home/odoo/usr/bin/odoo" server -c "$state/odoo.conf" -d crm
        ) >>"$state/odoo.log" 2>&1 </dev/null 9>&- &
        printf '%s\n' "$!" >"$state/server.pid"
        if server_ready "$url" "$!"; then
            write_env "$url" "$!" "$pg_port"
            return
        fi
        server_stop
    done
    tail -n 15 "$state/odoo.log" >&2
    return 1
}

write_env() {
    {
        printf 'ODOO_URL=%q\n' "$1"
        printf 'ODOO_DB=crm\n'
        printf 'ODOO_KEY_FILE=%q\n' "$state/user.key"
        printf 'ODOO_ADMIN_KEY_FILE=%q\n' "$state/admin.key"
        printf 'ODOO_PYTHON=%q\n' "$python"
        printf 'ODOO_PID=%q\n' "$2"
        printf 'ODOO_PG_PORT=%q\n' "$3"
        printf 'ODOO_LOG=%q\n' "$state/odoo.log"
    } >"$state/env.new"
    mv "$state/env.new" "$state/env"
}

# A fresh database `crm` from the template, with its files.
fresh_database() {
    local pg_port=$1
    # FORCE: a server that was killed may have left connections that PostgreSQL still holds.
    sql "$pg_port" postgres 'DROP DATABASE IF EXISTS crm WITH (FORCE)' 'CREATE DATABASE crm TEMPLATE crm_template'
    rm -rf "$state/data"
    mkdir -p "$state/data/filestore"
    [[ ! -d $home/data/filestore/crm_template ]] ||
        cp -a "$home/data/filestore/crm_template" "$state/data/filestore/crm"
}

# One verb at a time per state folder.
lock_state() {
    mkdir -p "$state"
    exec 7>"$state/lock"
    flock 7
}

start() {
    install
    lock_state
    stop_all
    local began=$SECONDS dir port
    : >"$state/odoo.log"
    cp "$home/user.key" "$home/admin.key" "$state/"
    dir=$(pg_new_folder "$state")
    printf '%s\n' "$dir" >"$state/pg"
    printf '%s\n' "$home" >"$state/home"
    # A copy of the finished cluster: whatever a test does to its PostgreSQL, nobody else sees it.
    cp -a "$home/pgdata" "$dir/data"
    # Whatever fails from here on, nothing is left running.
    trap stop_all EXIT
    port=$(pg_start "$dir" 7>&-) || die "starting PostgreSQL"
    printf '%s\n' "$port" >"$state/pg.port"
    fresh_database "$port"
    server_start "$port" 7>&- || die "starting the server"
    trap - EXIT
    watch_owner
    say "serving in $((SECONDS - began)) s"
}

# A test program may end without stopping us (Rust does not drop statics). With DIALBRIDGE_ODOO_OWNER=PID the run stops
# within seconds after that process has ended.
watch_owner() {
    local owner=${DIALBRIDGE_ODOO_OWNER:-} run
    run="$(<"$state/pg")"
    [[ -n $owner ]] || return 0
    (
        tail --pid="$owner" -f /dev/null
        # Another run may have begun in this folder; it is not ours to stop.
        [[ "$(cat "$state/pg" 2>/dev/null)" != "$run" ]] || DIALBRIDGE_ODOO_STATE="$state" exec "$here/odoo.sh" stop
    ) >/dev/null 2>&1 </dev/null 7>&- 8>&- 9>&- &
}

stop_all() {
    local dir
    server_stop
    if [[ -s $state/pg ]]; then
        dir=$(<"$state/pg")
        if [[ -d $dir/data ]]; then
            pg_stop "$dir" immediate || die "stopping PostgreSQL"
        fi
        rm -rf "$dir"
    fi
    rm -rf "${state:?}"/{pg,pg.port,home,env,data}
}

stop() {
    [[ -d $state ]] || return 0
    find_python
    find_postgres || return 0
    lock_state
    stop_all
}

running() {
    server_pid >/dev/null && [[ -s $state/env ]]
}

reset() {
    lock_state
    running || die "not running"
    prepare || die "PostgreSQL is gone"
    # The one it was started with: the script may have changed since.
    home=$(<"$state/home")
    local port
    port=$(<"$state/pg.port")
    # The server keeps caches of the database it knew, so it is started anew, too.
    server_stop
    fresh_database "$port"
    server_start "$port" 7>&- || die "starting the server"
}

status() {
    if prepare && [[ -f $home/complete ]]; then
        printf 'installed %s\n' "$(<"$home/odoo.version")"
    else
        printf 'not installed\n'
    fi
    if running; then
        printf 'running, pid %s\n' "$(server_pid)"
    else
        printf 'not running\n'
        return 3
    fi
}

usage() {
    say "usage: odoo.sh install | start | stop | reset | env | status | seed N"
    exit 2
}

case ${1:-} in
install) install ;;
start) start ;;
stop) stop ;;
reset) reset ;;
env)
    running || die "not running"
    cat "$state/env"
    ;;
status) status ;;
seed)
    [[ $# -eq 2 ]] || usage
    exec python3 "$here/odoo_do.py" seed "$2"
    ;;
*) usage ;;
esac
