#!/usr/bin/env bash
# Builds the program and packs it for a server without a toolchain: one tarball of binary, units, defaults, documents
# and an install script. Prints where it lies.
#
#   systemd/package.sh [FOLDER]     FOLDER: where it is put (default: target/package)
#
# The binary needs a C library at least as new as this machine's: build on the server's release of the system or an older
# one. SQLite and TLS are inside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-target/package}

cargo build --release --locked
target=$(cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
version=$("$target/release/dialbridge" --version | cut -d' ' -f2)
name="dialbridge-$version-$(uname -m)"

mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -rf "${out:?}/$name"
mkdir -p "$out/$name"/{docs,examples,connectors}
install -m 0755 "$target/release/dialbridge" systemd/install.sh "$out/$name/"
install -m 0644 systemd/dialbridge.* README.md CHANGELOG.md config/defaults.toml "$out/$name/"
install -m 0644 docs/*.md "$out/$name/docs/"
install -m 0644 config/examples/*.toml "$out/$name/examples/"
install -m 0644 config/connectors/odoo.toml "$out/$name/connectors/"

# The same sources give the same tarball: no names, no order and no times of this machine.
when=$(git log -1 --format=%ct 2>/dev/null || echo 0)
tar --create --gzip --file "$out/$name.tar.gz" --directory "$out" \
    --sort=name --mtime="@$when" --owner=0 --group=0 --numeric-owner "$name"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
printf '%s\n' "$out/$name.tar.gz"
