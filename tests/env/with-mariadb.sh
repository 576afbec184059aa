#!/usr/bin/env bash
# Runs a command beside a private MariaDB and stops the server when the command ends, however it ends.
#
#   with-mariadb.sh PURPOSE VARIABLE COMMAND...
#
# VARIABLE receives mysql://user:password@127.0.0.1:port/ . If it is set already, that server is used and none is
# started: TRADESYNC_TEST_SERVER=mysql://... make test. Exit code: the command's.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
purpose=$1 variable=$2
shift 2

if [[ -n ${!variable:-} ]]; then
    echo "using the server of $variable" >&2
    exec "$@"
fi

# Users of one server hold a shared lock; only the last to leave stops it. The kernel drops a killed user's lock.
users=$here/../../var/users-$purpose
mkdir -p "${users%/*}"
exec 8>"$users"
flock -s 8

finish() {
    if flock -n -x 8; then
        "$here/mariadb.sh" stop "$purpose" 8>&-
    else
        echo "mariadb ($purpose): left up, somebody else uses it" >&2
    fi
}
trap finish EXIT
# A terminal's Ctrl-C reaches the command by itself; here it must only not end us before the command ends.
trap 'interrupted=yes' INT QUIT

"$here/mariadb.sh" start "$purpose" 8>&-
export "$variable=$("$here/mariadb.sh" url "$purpose")"

# A process and all it started.
end_tree() {
    local child children
    children=$(cat /proc/"$1"/task/*/children 2>/dev/null || true)
    kill -TERM "$1" 2>/dev/null || true
    for child in $children; do
        end_tree "$child"
    done
}

# In the background, since bash answers TERM at once only in `wait`; with Ctrl-C switched on again, which bash
# switches off for background commands.
(
    trap - INT QUIT TERM HUP EXIT
    exec "$@" 8>&-
) <&0 &
child=$!
trap 'interrupted=yes; end_tree "$child"' TERM HUP

# `wait` returns early at each trapped signal: wait until the command itself has ended.
while
    interrupted=
    code=0
    wait "$child" || code=$?
    [[ -n $interrupted ]]
do :; done
exit "$code"
