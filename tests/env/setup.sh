#!/usr/bin/env bash
# Installs what a fresh machine lacks; silent and quick when all is there.
#
#   setup.sh demo    what building and the demo need
#   setup.sh bridge  that, and what the OpenCart bridge's package and tests need: PHP, PHPUnit, PHP_CodeSniffer, Chromium
#   setup.sh test    that, and what `make test` needs: rustfmt, clippy
#
# System packages come by apt-get, as root or through sudo. A Rust toolchain is never installed: it is named.
set -euo pipefail
# Debian keeps mariadbd in /usr/sbin, which is not in an ordinary user's PATH; rustup installs into ~/.cargo/bin.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
what=${1:-demo}
case $what in
demo | bridge | test) ;;
*) echo "usage: setup.sh [demo|bridge|test]" >&2; exit 2 ;;
esac

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
have_php() { have php && php -r "exit(extension_loaded('$1') ? 0 : 1);" 2>/dev/null; }
have_parser() { have php && php -r 'exit((int)!@include "PhpParser/autoload.php");'; }
have_library() { have pkg-config && { pkg-config --exists libmariadb || pkg-config --exists mysqlclient; } 2>/dev/null; }

# Package and what it is for; the names of older releases are tried where the first does not exist.
missing=()
why=()
need() { missing+=("$1"); why+=("$2"); }

have mariadbd && have mariadb-install-db || need mariadb-server-core "the private database server"
have mariadb || need mariadb-client-core "its command line client"
have cc || need gcc "linking"
[[ -e /usr/include/stdlib.h ]] || need libc6-dev "linking"
have pkg-config || need pkg-config "finding libraries"
have_library || need libmariadb-dev "the database driver"
if [[ $what != demo ]]; then
    have php || need php-cli "the OpenCart bridge"
    for extension in curl:curl mbstring:mbstring xml:xml zip:zip mysqli:mysql gd:gd; do
        have_php "${extension%%:*}" || need "php-${extension##*:}" "the OpenCart bridge"
    done
    have phpunit || need phpunit "the bridge's tests"
    have_parser || need php-parser "reading the bridge as PHP 7.2 would"
    have phpcs || need php-codesniffer "the bridge's style check"
    have chromium || have chromium-browser || have google-chrome || need chromium "the browser test of the API page"
    have chromedriver || need chromium-driver "driving the browser"
fi

# Whether this release can install a package. No pipe: who reads one only until it has found something makes apt-cache fail.
installable() { [[ $(LC_ALL=C apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

# The first name that this release can install: Debian 11 and Ubuntu 22.04 put a version behind the core packages.
candidate() {
    local name found
    installable "$1" && { echo "$1"; return; }
    case $1 in
    mariadb-*-core) found=$(apt-cache search --names-only "^$1-[0-9.]+\$" | cut -d' ' -f1 | sort -V | tail -n 1) ;;
    chromium) found=chromium-browser ;;
    chromium-driver) found=chromium-chromedriver ;;
    *) found= ;;
    esac
    for name in $found; do
        installable "$name" && { echo "$name"; return; }
    done
    return 1
}

# Runs apt-get as root; $1 = what is asked for if nobody here may.
become_root() {
    have apt-get || fail "no apt-get here, install the counterparts of these Debian packages yourself: $1"
    if [[ $(id -u) == 0 ]]; then
        as_root=(env DEBIAN_FRONTEND=noninteractive)
    elif have sudo; then
        as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
    else
        fail "neither root nor sudo, ask an administrator for: apt-get install --no-install-recommends $1"
    fi
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    say "apt-get update"
    "${as_root[@]}" apt-get -q update >"$log" 2>&1 </dev/null || say "apt-get update had errors, trying on: $(grep -m 1 -E '^(E|W|Err)' "$log" || true)"
}
install() { "${as_root[@]}" apt-get -q -y --no-install-recommends install "$@" >"$log" 2>&1 </dev/null; }

if ((${#missing[@]})); then
    become_root "${missing[*]}"
    for i in "${!missing[@]}"; do
        package=$(candidate "${missing[i]}") || fail "apt knows no package ${missing[i]} (${why[i]}): install it by other means"
        say "installing $package (${why[i]})"
        if ! install "$package"; then
            tail -n 15 "$log" >&2
            fail "apt-get could not install $package"
        fi
    done
fi

# Releases that lose texts (src/db/client.rs). Where no better one is to be had, the service itself says so and does nothing.
library=$(pkg-config --modversion libmariadb 2>/dev/null) || library=
if [[ $library == 3.3.19 || $library == 3.4.9 ]]; then
    become_root libmariadb-dev
    say "upgrading libmariadb $library, which loses texts"
    install --only-upgrade libmariadb3 libmariadb-dev || tail -n 15 "$log" >&2
fi

# The toolchain last: whoever must install it by hand finds the rest done.
have cargo || { [[ -x ${CARGO_HOME:-$HOME/.cargo}/bin/cargo ]] &&
    fail "cargo is installed but not in PATH: run . \"${CARGO_HOME:-$HOME/.cargo}/env\" and try again"; } ||
    fail "no Rust toolchain: install one from https://rustup.rs (curl --proto '=https' -sSf https://sh.rustup.rs | sh) and try again"
wanted=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$root/Cargo.toml")
found=$(cd "$root" && rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p') || found=
[[ -n $found ]] || fail "rustc does not run: repair the toolchain, see https://rustup.rs"
if [[ $(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1) != "$wanted" ]]; then
    fail "rustc $found is too old, $wanted or newer is needed: rustup update stable"
fi
if [[ $what == test ]]; then
    for part in fmt:rustfmt clippy:clippy; do
        (cd "$root" && cargo "${part%%:*}" --version) >/dev/null 2>&1 && continue
        have rustup || fail "cargo ${part%%:*} is missing: install the toolchain's ${part##*:}"
        say "installing ${part##*:} (rustup component)"
        (cd "$root" && rustup -q component add "${part##*:}") </dev/null || fail "rustup could not add ${part##*:}"
    done
fi
