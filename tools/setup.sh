#!/bin/sh
# Install what is missing. `venv`: uv and the Python packages. `all`: also system packages and the Pulumi engine.
# System packages come by apt where root or sudo allows; else one message names them. Run again, it takes a second.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/sbin"
cache=${MCTL_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/mctl}

fail() { printf '\nsetup: %s\n' "$*" >&2; exit 1; }

# The programs that tests and demo call, each with the Debian package that brings it.
packages_missing() {
    case $(uname -m) in aarch64 | arm64) qemu="qemu-system-aarch64:qemu-system-arm" ;; *) qemu="qemu-system-x86_64:qemu-system-x86" ;; esac
    for pair in "$qemu" qemu-img:qemu-utils mmdebstrap:mmdebstrap mke2fs:e2fsprogs dockerd:docker.io docker:docker-cli \
        iptables:iptables ssh:openssh-client sshd:openssh-server curl:curl pgrep:procps openssl:openssl; do
        command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
    done
}

# What single tests are skipped without: the shells that read what `mctl env` prints, a check of the host scripts,
# what copies and mounts, and the server of a shared backend.
extras_missing() {
    for program in zsh fish tcsh busybox shellcheck rsync sshfs; do
        command -v "$program" >/dev/null || echo "$program"
    done
    for program in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$program" ] || echo postgresql
    done
}

# Debian's package would make a cluster of its own and start it: https://manpages.debian.org/pg_createcluster
without_cluster() {
    conf=/etc/postgresql-common/createcluster.conf
    if [ ! -e "$conf" ]; then
        $as_root mkdir -p "${conf%/*}"
        echo "create_main_cluster = false" | $as_root tee "$conf" >/dev/null
    fi
}

can_install() {
    as_root=""
    if [ "$(id -u)" != 0 ]; then as_root="sudo -n"; fi
    command -v apt-get >/dev/null && $as_root true 2>/dev/null
}

install_packages() {
    if ! can_install; then
        fail "these are missing; install them (Debian's names) and try again: $*"
    fi
    echo "setup: installing $*" >&2
    log=$(mktemp)
    case " $* " in *" postgresql "*) without_cluster ;; esac
    if ! apt_install "$@" >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        fail "apt could not install $*: mend what it says above (all of it: $log) and try again"
    fi
    rm -f "$log"
}

apt_install() {
    $as_root apt-get update -q || return
    # Before Debian 13 the client was in docker.io itself.
    if [ -z "$(apt-cache madison docker-cli)" ]; then
        # shellcheck disable=SC2046 # a list of words
        set -- $(echo "$*" | sed 's/docker-cli/docker.io/')
    fi
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

system() {
    missing=$(packages_missing)
    if can_install; then missing="$missing $(extras_missing)"; fi
    # shellcheck disable=SC2086 # a list of words
    if [ -n "${missing# }" ]; then install_packages $missing; fi
}

find_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then return; fi
    done
    fail "Python 3.11 or newer is missing; install it and try again"
}

# Take the uv that is there, else keep one of our own outside the checkout.
find_uv() {
    uv=uv
    if uv --version >/dev/null 2>&1; then return; fi
    uv=$cache/uv/bin/uv
    if "$uv" --version >/dev/null 2>&1; then return; fi
    echo "setup: installing uv" >&2
    mkdir -p "$cache"
    if ! "$python" -m venv --clear "$cache/uv" >/dev/null 2>&1; then  # Debian has ensurepip apart
        install_packages python3-venv
        "$python" -m venv --clear "$cache/uv"
    fi
    "$cache/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv
}

packages() {
    find_python
    find_uv
    export UV_PYTHON_DOWNLOADS=never
    if [ ! -x .venv/bin/python ]; then "$uv" venv --quiet --clear --python "$python" .venv; fi
    # As pip does: without it each start of mctl would compile what it imports where Python may not write bytecode.
    "$uv" sync --quiet --frozen --all-extras --compile-bytecode
    .venv/bin/python -m compileall -q infra cli
}

case ${1:-all} in
    venv) packages ;;
    all)
        system
        packages
        engine=$(.venv/bin/python tools/engine.py)
        echo "setup: the Pulumi engine is $engine"
        ;;
    *) fail "usage: tools/setup.sh [all|venv]" ;;
esac
