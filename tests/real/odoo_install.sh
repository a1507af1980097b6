# shellcheck shell=bash disable=SC2154,SC2034
# The part of odoo.sh that makes an installation; read by it, not run. Uses its variables and functions.

# --- asking the package index -------------------------------------------------------------------------------------------

# No cache: the installation is one. PIP_USER: a user's setting of it does not go together with --target.
pip() {
    PIP_USER=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 "$python" -m pip --no-cache-dir "$@"
}

sid_sources() {
    local list parts
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    "$python" "$here/odoo_sources.py" "$1" "${list:-}" "${parts:-}"
}

# answering_archive sid|own: prints the source file of the first of this machine's Debian archives that hands out the
# index of sid, or of the suite the machine itself uses.
answering_archive() {
    local dir file uri suite
    dir=$(mktemp -d "$scratch/probe.XXXXXX")
    sid_sources "$dir" >"$dir/list" || die "reading this machine's package sources"
    [[ -s $dir/list ]] || die "this machine has no Debian package source to take $DEB_PACKAGE from"
    while read -r file uri suite; do
        [[ $1 == own ]] || suite=$1
        # Other vendors' archives also use Debian's release names; only Debian's own has sid.
        if /usr/lib/apt/apt-helper -qq -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o APT::Sandbox::User=root \
            download-file "${uri%/}/dists/$suite/InRelease" "$dir/InRelease" >/dev/null 2>"$dir/err" &&
            grep -qx 'Origin: Debian' "$dir/InRelease"; then
            printf '%s\n' "$file"
            return 0
        fi
        rm -f "$dir/InRelease"
    done <"$dir/list"
    return 1
}

# Does the index itself answer? One plain download from each of the two. The machine's own suite and not sid: an
# archive that answers, but has no sid, is not a missing network.
index_answers() {
    local dir
    answering_archive own >/dev/null || { say "no Debian archive of this machine hands out its index"; return 1; }
    dir=$(mktemp -d "$scratch/probe.XXXXXX")
    pip download -q --no-deps -d "$dir" "$PROBE_WHEEL" >/dev/null 2>&1 ||
        { say "the Python package index does not hand out $PROBE_WHEEL"; return 1; }
}

# A step that downloads failed. Skipping is allowed only if the index is not there; everything else is our failure.
download_failed() {
    say "$1 failed; asking the package index for a plain download"
    if index_answers; then
        die "$1 (the package index answers, so this is not the network)"
    fi
    printf 'SKIPPED: the package index cannot be reached, so no Odoo was installed and nothing was tested against it\n' >&2
    exit "$EX_TEMPFAIL"
}

# --- the steps ------------------------------------------------------------------------------------------------------------

apt_install_postgres() {
    [[ $(id -u) -eq 0 ]] || die "PostgreSQL is missing and only root can install it (Debian: postgresql)"
    say "installing PostgreSQL from this machine's own package sources"
    local conf=/etc/postgresql-common/createcluster.conf
    export DEBIAN_FRONTEND=noninteractive
    # What is installed is the machine's: the mask above is for our own files.
    umask 022
    logged "$scratch/apt-pg.log" apt-get -q update || download_failed "apt-get update"
    logged "$scratch/apt-pg.log" apt-get -q -y --no-install-recommends install postgresql-common ||
        download_failed "apt-get install postgresql-common"
    # The package would make and start a cluster of its own. We bring ours; the setting is put back afterwards.
    local saved=""
    if [[ -f $conf ]]; then
        saved=$(mktemp "$scratch/createcluster.XXXXXX")
        cp -p "$conf" "$saved"
        sed -i 's/^#\? *create_main_cluster *=.*/create_main_cluster = false/' "$conf"
    fi
    local ok=yes
    logged "$scratch/apt-pg.log" apt-get -q -y --no-install-recommends install postgresql || ok=no
    [[ -z $saved ]] || cp -p "$saved" "$conf"
    umask 077
    [[ $ok == yes ]] || download_failed "apt-get install postgresql"
    find_postgres || die "postgresql is installed, but there is no initdb"
}

cleanup() {
    [[ -z $building_pg ]] || { pg_stop "$building_pg" immediate || true; rm -rf "$building_pg"; }
    [[ -z $scratch ]] || rm -rf "$scratch"
}

fetch_odoo() {
    local root=$1 archive
    step "fetching $DEB_PACKAGE"
    archive=$(answering_archive sid) || download_failed "reading the index of Debian sid"
    # Own lists and own cache: the machine's package state stays as it was, and sid never becomes a source of it.
    mkdir -p "$scratch/lists/partial" "$scratch/apt-cache/archives/partial" "$scratch/deb"
    local apt=(-q -o "Dir::Etc::sourcelist=$archive" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$scratch/lists"
        -o "Dir::Cache=$scratch/apt-cache" -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Retries=2)
    logged "$scratch/apt.log" apt-get "${apt[@]}" update || download_failed "apt-get update (sid)"
    (cd "$scratch/deb" && logged "$scratch/apt.log" apt-get "${apt[@]}" download "$DEB_PACKAGE") ||
        download_failed "apt-get download $DEB_PACKAGE"
    step "unpacking"
    # Unpacked, not installed: its dependencies are sid's. Without translations, which are most of the files.
    mkdir "$root/odoo"
    dpkg-deb --fsys-tarfile "$scratch"/deb/*.deb | tar -x -C "$root/odoo" --no-same-owner --exclude='*/i18n/*' ||
        die "unpacking $DEB_PACKAGE"
    dpkg-deb -f "$scratch"/deb/*.deb Version >"$root/odoo.version"
    rm -rf "$scratch/deb" "$scratch/lists" "$scratch/apt-cache"
}

fetch_python() {
    local root=$1
    step "fetching the Python libraries"
    # --target instead of a virtual environment: works the same where `venv` or `ensurepip` are split off (Debian) and
    # where the interpreter is marked as externally managed.
    logged "$scratch/pip.log" pip install -q --no-warn-script-location --target "$root/site" \
        -r "$here/odoo-requirements.txt" || download_failed "pip install"
    logged "$scratch/pip.log" pip install -q --no-deps --no-warn-script-location --target "$root/oca" "$OCA_WHEEL" ||
        download_failed "pip install $OCA_WHEEL"
}

pg_init() {
    local dir=$1 password=$2
    printf '%s' "$password" >"$dir/pw"
    [[ $(id -u) -ne 0 ]] || chown postgres: "$dir/pw"
    logged "$scratch/initdb.log" as_pg "$pgbin/initdb" -D "$dir/data" -U odoo --pwfile="$dir/pw" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C --no-sync || die "initdb"
    rm "$dir/pw"
    # The data are thrown away after each run, so nothing waits for the disk. No socket file: its default folder is
    # shared with the machine's own clusters. No parallel workers: containers often give /dev/shm 64 MB only.
    cat >>"$dir/data/postgresql.conf" <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
min_wal_size = 32MB
max_parallel_workers_per_gather = 0
CONF
}

# odoo ROOT ARGUMENTS...
odoo() {
    local root=$1
    shift
    # -s and PYTHONPATH: our libraries come before the machine's, and the user's own folder stays out.
    PYTHONPATH="$root/odoo/usr/lib/python3/dist-packages:$root/site" \
        "$python" -s "$root/odoo/usr/bin/odoo" "$@"
}

make_template() {
    local root=$1 port
    step "making the template database ($MODULES)"
    "$python" -c 'import secrets; print(secrets.token_hex(16))' >"$root/pg.password"
    building_pg=$(pg_new_folder "$scratch")
    pg_init "$building_pg" "$(<"$root/pg.password")"
    port=$(pg_start "$building_pg") || die "starting PostgreSQL"
    odoo_conf "$scratch/odoo.conf" "$root/data" crm_template "$port" 0 "$root"
    # --skip-auto-install keeps out the modules that would call the vendor (iap, partner_autocomplete, sms).
    logged "$scratch/init.log" odoo "$root" server -c "$scratch/odoo.conf" -d crm_template -i "$MODULES" \
        --skip-auto-install --no-http --stop-after-init || die "making the database"
    DIALBRIDGE_KEY_DIR=$root odoo "$root" shell -c "$scratch/odoo.conf" -d crm_template --no-http \
        <"$here/odoo_template.py" >"$scratch/shell.log" 2>&1 || true
    # `odoo shell` ends with 0 whatever the script did; the key files are what tells.
    if [[ ! -s $root/user.key || ! -s $root/admin.key ]]; then
        tail -n 15 "$scratch/shell.log" >&2
        die "making the API users"
    fi
    pg_stop "$building_pg" fast || die "stopping PostgreSQL"
    mv "$building_pg/data" "$root/pgdata"
    rm -rf "$building_pg"
    building_pg=""
}

# Installations of other versions of this script, unless a running server uses them (it holds a lock on `in-use`).
remove_old() {
    local old
    for old in "$base"/v-*; do
        [[ -d $old && $old != "$home" ]] || continue
        if flock -n -x "$old/in-use" true 2>/dev/null; then rm -rf "$old"; fi
    done
}

install() {
    mkdir -p "$base"
    find_python
    # One installation at a time: several clones may begin together.
    exec 9>"$base/lock"
    flock 9
    # We hold the lock, so whatever an earlier installation left there was killed.
    rm -rf "$base"/install.*
    scratch=$(mktemp -d "$base/install.XXXXXX")
    trap cleanup EXIT
    if ! prepare; then
        apt_install_postgres
        prepare || die "PostgreSQL is still missing"
    fi
    if [[ -f $home/complete ]]; then
        say "installed ($(<"$home/odoo.version"))"
    else
        local root="$scratch/root"
        began=$SECONDS
        "$python" -m pip --version >/dev/null 2>&1 || die "python3 has no pip (Debian: python3-pip)"
        mkdir "$root"
        fetch_odoo "$root"
        fetch_python "$root"
        make_template "$root"
        : >"$root/in-use"
        : >"$root/complete"
        rm -rf "$home"
        # The last step, and it is atomic: an installation is there whole or not at all.
        mv "$root" "$home"
        remove_old
        step "installed $(<"$home/odoo.version")"
    fi
    rm -rf "$scratch"
    scratch=""
    exec 9>&-
}
