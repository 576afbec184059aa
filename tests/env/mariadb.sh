#!/usr/bin/env bash
# A private MariaDB server inside the checkout, for tests and demo.
#
#   mariadb.sh start [PURPOSE]    start it, or do nothing if it runs; returns when it answers
#   mariadb.sh stop [PURPOSE]     stop it; fine if it does not run
#   mariadb.sh status [PURPOSE]   say whether it runs; exit 3 if not
#   mariadb.sh url [PURPOSE]      print mysql://user:password@127.0.0.1:port/
#
# Its folder is var/mariadb-PURPOSE, var/mariadb without a purpose, or $TRADESYNC_VAR. All it knows is in there:
#   data/ log password port pid socket (the path of the socket) lock
# No system service, no configuration file and no default port is used or touched. Works as root and as an ordinary
# user. The server listens on 127.0.0.1 only and outlives the terminal's Ctrl-C; who starts it stops it.
set -euo pipefail
# Debian keeps mariadbd in /usr/sbin, which is not in an ordinary user's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
command=${1:-}
purpose=${2:-}
case $purpose in
*[!A-Za-z0-9_-]*) echo "mariadb.sh: a purpose is made of letters, digits, - and _" >&2; exit 2 ;;
esac
dir=${TRADESYNC_VAR:-$root/var/mariadb${purpose:+-$purpose}}
# One spelling of the folder: it is compared with the command line of the running server.
dir=$(realpath -m -- "$dir")
user=tradesync

say() { echo "mariadb${purpose:+ ($purpose)}: $*" >&2; }
fail() { say "$*"; exit 1; }

# The process id of our server, if it lives. A pid file alone proves nothing: after a crash or a reboot the
# number may belong to anybody, so the process must be a MariaDB on our data folder.
running_pid() {
    local pid
    pid=$(cat "$dir/pid" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] && kill -0 "$pid" 2>/dev/null || return 1
    if [[ -r /proc/$pid/cmdline ]]; then
        tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF -- "--datadir=$dir/data" || return 1
    else
        ps -o args= -p "$pid" | grep -qF -- "--datadir=$dir/data" || return 1
    fi
    echo "$pid"
}

# Whether a process runs. One that is dead but not yet reaped (no init in a container) has no command line.
alive() {
    kill -0 "$1" 2>/dev/null || return 1
    [[ ! -r /proc/$1/cmdline ]] || [[ -n $(tr -d '\0' <"/proc/$1/cmdline") ]]
}

answers() {
    MYSQL_PWD=$(cat "$dir/password") mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --port="$(cat "$dir/port")" \
        --user=$user --connect-timeout=5 --execute='DO 1' >/dev/null 2>&1
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The port of last time if it is free, else a free one below the range that the kernel hands to clients.
choose_port() {
    local port
    if port=$(cat "$dir/port" 2>/dev/null) && [[ $port =~ ^[0-9]+$ ]] && port_is_free "$port"; then
        return
    fi
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        if port_is_free $port; then
            echo $port >"$dir/port"
            return
        fi
    done
    fail "no free port found"
}

# A socket path holds 107 bytes at most; a deep checkout gets a short folder under /tmp.
choose_socket() {
    local path
    forget_socket
    path=$dir/sock
    if (($(printf %s "$path" | wc -c) > 100)); then
        path=$(mktemp -d /tmp/tradesync.XXXXXXXX)/sock
    fi
    echo "$path" >"$dir/socket"
}

forget_socket() {
    local path
    path=$(cat "$dir/socket" 2>/dev/null) || return 0
    rm -f "$path" "$path.lock"
    case $path in /tmp/tradesync.*/sock) rmdir "${path%/sock}" 2>/dev/null || true ;; esac
    rm -f "$dir/socket"
}

# One start or stop at a time for this folder; released by the kernel whatever happens.
lock() {
    mkdir -p "$dir"
    chmod 700 "$dir"
    exec 9>"$dir/lock"
    flock -w 120 9 || fail "another start or stop has been at work for two minutes"
}

install_data() {
    local as=()
    [[ $(id -u) != 0 ]] || as=(--user=root)
    rm -rf "$dir/data.new"
    say "making $dir/data"
    # By force: also where the machine cannot look up its own name.
    if ! mariadb-install-db --no-defaults "${as[@]}" --datadir="$dir/data.new" --skip-test-db --force \
        --auth-root-authentication-method=socket >"$dir/install.log" 2>&1 9>&-; then
        cat "$dir/install.log" >&2
        fail "mariadb-install-db failed"
    fi
    mv "$dir/data.new" "$dir/data"
}

start() {
    local pid password as=()
    if ! command -v mariadbd >/dev/null || ! command -v mariadb-install-db >/dev/null || ! command -v mariadb >/dev/null; then
        fail "MariaDB is not installed: run tests/env/setup.sh"
    fi
    lock
    if pid=$(running_pid) && answers; then
        say "already up on port $(cat "$dir/port"), pid $pid"
        return
    fi
    if pid=$(running_pid); then
        say "pid $pid is up but does not answer: stopping it"
        end_process "$pid"
    fi
    [[ -d $dir/data ]] || install_data
    if [[ ! -s $dir/password ]]; then
        (umask 077; od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$dir/password")
    fi
    password=$(cat "$dir/password")
    # Read at every start, so the account and its password are right whatever happened before.
    (
        umask 077
        for host in 127.0.0.1 localhost; do
            echo "CREATE OR REPLACE USER '$user'@'$host' IDENTIFIED BY '$password';"
            echo "GRANT ALL PRIVILEGES ON *.* TO '$user'@'$host' WITH GRANT OPTION;"
        done >"$dir/init.sql"
    )
    [[ $(id -u) != 0 ]] || as=(--user=root)
    local commits=1
    [[ $purpose != test ]] || commits=2
    for _ in {1..5}; do
        choose_port
        choose_socket
        # The settings weigh speed against honesty: memory is spent, a commit still reaches the disk (for tests: the
        # system, which is all that a kill can tell apart), and sql_mode stays the server's own strict default. 4,000 table definitions = some 30 OpenCart databases.
        setsid mariadbd --no-defaults "${as[@]}" --datadir="$dir/data" --pid-file="$dir/pid" --socket="$(cat "$dir/socket")" \
            --init-file="$dir/init.sql" --bind-address=127.0.0.1 --port="$(cat "$dir/port")" --skip-name-resolve --skip-log-bin \
            --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci \
            --innodb-flush-log-at-trx-commit="$commits" --innodb-buffer-pool-size=512M --key-buffer-size=64M \
            --max-connections=500 --max-allowed-packet=64M --performance-schema=OFF \
            --table-definition-cache=4000 --table-open-cache=4000 \
            </dev/null >"$dir/log" 2>&1 9>&- &
        pid=$!
        # Two minutes: recovery after a kill is seconds, a busy machine may be slow.
        for _ in {1..1200}; do
            alive "$pid" || break
            if [[ $(cat "$dir/pid" 2>/dev/null) == "$pid" ]] && answers; then
                say "up on port $(cat "$dir/port"), pid $pid"
                return
            fi
            sleep 0.1
        done
        if alive "$pid"; then
            end_process "$pid"
            break
        fi
        # Somebody took the port between our look and the bind: another one. Anything else is final.
        grep -q "Can't start server: Bind on TCP/IP port" "$dir/log" || break
        rm -f "$dir/port"
    done
    forget_socket
    tail -n 20 "$dir/log" >&2
    fail "the server did not come up, see $dir/log"
}

# By the process id that we know to be ours: politely, then for good.
end_process() {
    kill -TERM "$1" 2>/dev/null || true
    for _ in {1..300}; do
        alive "$1" || return 0
        sleep 0.1
    done
    say "pid $1 did not stop in 30 s: killing it"
    kill -KILL "$1" 2>/dev/null || true
    for _ in {1..50}; do
        alive "$1" || return 0
        sleep 0.1
    done
    fail "pid $1 does not die"
}

stop() {
    local pid
    [[ -d $dir ]] || return 0
    lock
    if pid=$(running_pid); then
        end_process "$pid"
        say "stopped"
    fi
    rm -f "$dir/pid"
    forget_socket
}

case $command in
start) start ;;
stop) stop ;;
status)
    if pid=$(running_pid) && answers; then
        echo "running, pid $pid, port $(cat "$dir/port")"
    else
        echo "stopped"
        exit 3
    fi
    ;;
url)
    running_pid >/dev/null || fail "not running"
    echo "mysql://$user:$(cat "$dir/password")@127.0.0.1:$(cat "$dir/port")/"
    ;;
*)
    echo "usage: mariadb.sh start|stop|status|url [PURPOSE]" >&2
    exit 2
    ;;
esac
