# Fedora, RHEL and their kin.
dnf_names() {
  case "$1:$ID" in
    docker:*) package=docker-ce companions="docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin" ;;
    *:fedora) package=moby-engine companions="docker-cli" ;;
    *) package=docker companions="" ;;
  esac
}

dnf_program() { if have dnf; then echo dnf; else echo yum; fi; }
dnf_refresh() { logged "$(dnf_program)" -q -y makecache; }
dnf_offers() { "$(dnf_program)" -q list "$1" </dev/null >/dev/null 2>&1; }
dnf_has() { rpm -q "$1" >/dev/null 2>&1; }
dnf_exact() { printf '%s-%s\n' "$1" "$2"; }
dnf_installed() { rpm -q --qf '%{NAME}-%{VERSION}-%{RELEASE}\n' "$@" | grep -v ' '; }
dnf_keep() { :; }
dnf_hold() { :; }
dnf_mends() { :; }
dnf_add() { logged "$(dnf_program)" -q -y install "$@" iptables; }

# Oldest first is how dnf lists them.
dnf_versions() {
  "$(dnf_program)" -q list --showduplicates "$1" </dev/null 2>/dev/null |
    awk -v name="$1" 'index($1, name ".") == 1 { line[++n] = $2 } END { for (; n > 0; n--) print line[n] }'
}

dnf_docker_com() {
  case "$ID" in
    amzn) return 1 ;; # docker.com has no packages for Amazon Linux
    fedora | rhel) distribution=$ID ;;
    *) distribution=centos ;;
  esac
  printf 'https://download.docker.com/linux/%s/docker-ce.repo\n' "$distribution"
}

dnf_repository() {
  grep -qs "download\.docker\.com" /etc/yum.repos.d/*.repo && return
  mkdir -p /etc/yum.repos.d
  fetch "$(dnf_docker_com)" /etc/yum.repos.d/docker-ce.repo ||
    die "can't fetch docker.com's repository file: $(last_reason)" "open the way to download.docker.com, or use --engine-install distro"
  grep -q '^gpgcheck=1' /etc/yum.repos.d/docker-ce.repo || {
    rm -f /etc/yum.repos.d/docker-ce.repo
    die "docker.com's repository file does not ask for signed packages" "use --engine-install distro"
  }
}
