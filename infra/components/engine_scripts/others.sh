# Where docker.com has no packages: SUSE, Arch and Alpine.
zypper_names() { package=docker companions=""; }
zypper_docker_com() { return 1; }
zypper_refresh() { logged zypper --non-interactive --quiet refresh; }
zypper_offers() { zypper --non-interactive --quiet --no-refresh search --match-exact "$1" </dev/null >/dev/null 2>&1; }
zypper_exact() { printf '%s=%s\n' "$1" "$2"; }
zypper_installed() { rpm -q --qf '%{NAME}=%{VERSION}-%{RELEASE}\n' "$@" | grep -v ' '; }
zypper_keep() { :; }
zypper_hold() { :; }
zypper_mends() { :; }
zypper_add() { logged zypper --non-interactive --quiet install --no-recommends --oldpackage "$@" iptables ca-certificates; }
zypper_versions() {
  zypper --non-interactive --quiet search --details --match-exact "$1" </dev/null 2>/dev/null |
    awk -F'|' -v name="$1" '{ gsub(/ /, "") } $2 == name && $3 == "package" { print $4 }'
}

pacman_names() { package=docker companions=""; }
pacman_docker_com() { return 1; }
pacman_refresh() { logged pacman -Sy --noconfirm; }
pacman_offers() { pacman -Si "$1" </dev/null >/dev/null 2>&1; }
pacman_versions() { pacman -Si "$1" </dev/null 2>/dev/null | awk '$1 == "Version" { print $3 }'; }
pacman_exact() { printf '%s\n' "$1"; } # a repository of Arch holds one version of each package
pacman_installed() { return 1; } # nor any that was there before
pacman_hold() { :; }
pacman_mends() { :; }
pacman_add() { logged pacman -S --noconfirm --needed "$@" iptables; }

apk_names() { package=docker companions=""; }
apk_docker_com() { return 1; }
apk_refresh() { logged apk update; }
apk_offers() { [ -n "$(apk_versions "$1")" ]; }
apk_versions() { apk policy "$1" </dev/null 2>/dev/null | sed -n 's/^  \([^ ]*\):$/\1/p'; }
apk_exact() { printf '%s=%s\n' "$1" "$2"; }
apk_installed() { return 1; } # the repositories of Alpine hold one version of each package too
apk_hold() { :; }
apk_mends() { :; }
apk_add() { logged apk add --no-interactive "$@" iptables ca-certificates; }
