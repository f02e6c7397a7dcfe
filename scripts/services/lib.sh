# shellcheck shell=bash
# Sourced by the scripts of this folder: the tool cache, installing, waiting, stopping.

cache="${XDG_CACHE_HOME:-$HOME/.cache}/botloom/tools"
mkdir -p "$cache"

say() { echo "$*" >&2; }

usage() { # prints the comment at the top of the script
    sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}

locked() { # NAME COMMAND…: one at a time on this machine, so that a second run waits instead of installing twice
    local name=$1
    shift
    (
        flock 9
        "$@"
    ) 9>"$cache/$name.lock"
}

debian() { # PACKAGE COMMAND…: installs a Debian package when the command fails without it; a server in it is not started
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || locked apt debian_install "$package" "$@"
}

debian_install() {
    local package=$1
    shift
    if "$@" >/dev/null 2>&1; then return; fi
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "the Debian package $package (or its like) is missing: install it, or run this as root on Debian"
        return 1
    fi
    say "installing $package"
    # Debian starts a server as soon as it is installed, on its standard port. 101 is "not allowed" to invoke-rc.d.
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        # `locked` runs this in a process of its own: the file goes with it, also when that is interrupted.
        # shellcheck disable=SC2064 # the name is known now
        trap "rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    local status=0
    {
        apt-get -qq update &&
            DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
                install --no-install-recommends "$package"
    } </dev/null >"$cache/apt.log" 2>&1 || status=$?
    [ "$status" = 0 ] || tail -n 20 "$cache/apt.log" >&2
    # The next boot must not start it either.
    if command -v systemctl >/dev/null; then systemctl --quiet disable "${package%-15}" 2>/dev/null || true; fi
    return "$status"
}

until_true() { # SECONDS COMMAND…: polls until the command succeeds, or fails after that time
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

running() { # PIDFILE: is the process named there alive (a zombie is not)
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$pid/status"
}

stopped() { ! running "$1"; }

stop() { # PIDFILE: SIGTERM, and SIGKILL to what is still there after 20 s
    if running "$1"; then
        kill -TERM "$(cat "$1")" 2>/dev/null || true
        until_true 20 stopped "$1" || kill -KILL "$(cat "$1")" 2>/dev/null || true
    fi
    rm -f "$1"
}

password() { # FILE: prints the random password kept there, made at the first call
    if [ ! -s "$1" ]; then
        (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$1")
    fi
    cat "$1"
}
