# Debian, Ubuntu and their kin.
APT_OPTIONS="-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Dpkg::Use-Pty=0"
APT_OPTIONS="$APT_OPTIONS -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
apparmor=/sys/module/apparmor/parameters/enabled
repository=https://download.docker.com/linux

apt_names() {
  case "$1" in
    docker) package=docker-ce companions="docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin" ;;
    *) package=docker.io companions="docker-cli" ;;
  esac
}

# Lists have a lock of their own, for which apt-get has no timeout.
apt_get() {
  tries=0
  # shellcheck disable=SC2086 # APT_OPTIONS is a list
  until logged env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -qq $APT_OPTIONS "$@"; do
    tries=$((tries + 1))
    tail -n 5 "$log" | grep -qE 'Could not get lock|is another process using it|Unable to lock' || return 1
    [ "$tries" -lt 60 ] || return 1
    sleep 5
  done
}

apt_refresh() { apt_get update; }
apt_offers() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'; }
apt_has() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
apt_versions() { apt-cache madison "$1" 2>/dev/null | awk -F'|' '{ gsub(/ /, "", $2); print $2 }'; }
apt_exact() { printf '%s=%s\n' "$1" "$2"; }
apt_installed() {
  dpkg-query -W -f '${db:Status-Status} ${Package}=${Version}\n' "$@" 2>/dev/null | sed -n 's/^installed //p'
}
apt_keep() { apt_add --download-only --reinstall "$@"; }
apt_hold() { logged apt-mark hold "$@"; }

# What a run that was killed left behind.
apt_mends() {
  apt_fix_broken || : # waits for the lock, which that run's own apt may still hold; dpkg never does
  logged env DEBIAN_FRONTEND=noninteractive dpkg --configure -a || :
  apt_fix_broken || :
}
apt_fix_broken() { apt_get install -y --fix-broken --no-remove --no-install-recommends; }

# Where the kernel has AppArmor, Docker starts no container without its parser, and docker.io only recommends it.
apt_add() {
  set -- "$@" iptables ca-certificates
  if grep -qs Y "$apparmor"; then set -- "$@" apparmor; fi
  apt_get install -y --no-install-recommends --allow-downgrades --allow-change-held-packages "$@"
}

apt_release() {
  distribution=debian codename=${DEBIAN_CODENAME:-${VERSION_CODENAME:-}}
  if [ "$ID" = ubuntu ] || [ -n "${UBUNTU_CODENAME:-}" ]; then
    distribution=ubuntu codename=${UBUNTU_CODENAME:-$codename}
  fi
}
apt_docker_com() { apt_release && printf '%s/%s/dists/%s/Release\n' "$repository" "$distribution" "$codename"; }

# A host that has docker.com's repository already keeps its own entry: two with different keys make apt refuse both.
apt_repository() {
  grep -rqs "^[^#]*download\.docker\.com" /etc/apt/sources.list /etc/apt/sources.list.d && return
  apt_release
  mkdir -p /etc/apt/keyrings /etc/apt/sources.list.d
  fetch "$repository/$distribution/gpg" /etc/apt/keyrings/docker.asc ||
    die "can't fetch docker.com's signing key: $(last_reason)" "open the way to download.docker.com, or use --engine-install distro"
  chmod 0644 /etc/apt/keyrings/docker.asc
  printf 'deb [arch=%s signed-by=/etc/apt/keyrings/docker.asc] %s/%s %s stable\n' \
    "$(dpkg --print-architecture)" "$repository" "$distribution" "$codename" >/etc/apt/sources.list.d/docker.list
}
