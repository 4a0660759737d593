# Get Docker Engine onto the host, without starting it: it starts once, when it is configured.
script_name="installing Docker Engine"
policy=/usr/sbin/policy-rc.d
unfinished=/etc/docker/.mctl-installing

read_os() {
  [ -r /etc/os-release ] || die "the host has no /etc/os-release, so its system is not known" "install Docker there yourself and use --engine-install none"
  # shellcheck disable=SC1091 # it is the host's
  . /etc/os-release
  ID=${ID:-} PRETTY_NAME=${PRETTY_NAME:-${ID:-an unnamed system}}
  for known in "$ID" ${ID_LIKE:-}; do
    case "$known" in
      debian | ubuntu) family=apt ;;
      fedora | rhel | centos | rocky | almalinux | ol | amzn) family=dnf ;;
      suse | opensuse* | sles) family=zypper ;;
      arch) family=pacman ;;
      alpine) family=apk ;;
      *) continue ;;
    esac
    return 0
  done
  die "$PRETTY_NAME is not a system that Docker can be installed on from here: Debian, Ubuntu, Fedora, the RHEL family, SUSE, Arch and Alpine are" \
    "install Docker there yourself and use --engine-install none"
}

# fetch URL FILE [SECONDS]: with whatever the host has for it.
fetch() {
  limit=${3:-120}
  if have curl; then
    logged curl -fsSL --proto '=https,http' --connect-timeout 5 --max-time "$limit" -o "$2" "$1"
  elif have wget; then
    logged timeout "$limit" wget -q -T 5 -O "$2" "$1"
  elif [ -x /usr/lib/apt/apt-helper ]; then
    logged timeout "$limit" /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::https::Timeout=5 download-file "$1" "$2"
  else
    echo "error: the host has neither curl nor wget" >>"$log"
    return 1
  fi
}

await_cloud_init() {
  [ -e /run/cloud-init/enabled ] && [ ! -e /run/cloud-init/result.json ] || return 0
  step "waiting for cloud-init"
  waited=0
  while [ ! -e /run/cloud-init/result.json ] && [ "$waited" -lt 300 ]; do
    sleep 1
    waited=$((waited + 1))
  done
}

# Debian starts what it installs unless a policy forbids it (invoke-rc.d(8)). A policy of the host's own stays.
hold_starts() {
  if [ "$family" = apt ] && { [ ! -e "$policy" ] || grep -q mctl "$policy"; }; then
    printf '#!/bin/sh\n# mctl: Docker starts when it is configured\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
  fi
}
cleanup() {
  [ -z "${fetched:-}" ] || rm -f "$fetched"
  if grep -qs mctl "$policy"; then rm -f "$policy"; fi
}

matching() {
  awk -v want="$1" '{
    plain = $0
    if (want !~ /:/) sub(/^[0-9]+:/, "", plain)
    if (index(plain, want) == 1 && substr(plain, length(want) + 1, 1) !~ /[0-9A-Za-z]/) { print; exit }
  }'
}

# The newest version with the wanted prefix; the lists are brought up to date before it is said to be missing.
choose_version() {
  chosen=$("${family}_versions" "$package" | matching "$version")
  if [ -z "$chosen" ]; then
    step "updating the package lists"
    "${family}_refresh" || :
    chosen=$("${family}_versions" "$package" | matching "$version")
  fi
  [ -n "$chosen" ] && return
  there=$("${family}_versions" "$package" | awk '{ sub(/^[0-9]+:/, "") } !seen[$0]++ && n++ < 10 { printf "%s%s", (n > 1 ? ", " : ""), $0 }')
  die "there is no version $version of $package for $PRETTY_NAME; there is: ${there:-none}" \
    "choose one of these with --engine-version, or leave it off for the newest"
}

wanted_packages() {
  wanted=$package
  if [ -n "$version" ]; then
    choose_version
    wanted=$("${family}_exact" "$package" "$chosen")
  fi
  for companion in $companions; do
    "${family}_offers" "$companion" || continue
    if [ -n "$version" ] && "${family}_versions" "$companion" | grep -qFx "$chosen"; then
      companion=$("${family}_exact" "$companion" "$chosen")
    fi
    wanted="$wanted $companion"
  done
}

# install_packages docker|distro
install_packages() {
  "${family}_names" "$1"
  hold_starts
  if [ "$1" = docker ]; then
    step "adding docker.com's package repository"
    "${family}_repository"
  fi
  if ! "${family}_offers" "$package"; then
    step "updating the package lists"
    "${family}_refresh" || :
  fi
  wanted_packages
  step "installing $wanted"
  # shellcheck disable=SC2086 # wanted is a list
  if ! "${family}_add" $wanted; then
    step "installing again, after updating the package lists"
    "${family}_mends"
    "${family}_refresh" || :
    "${family}_add" $wanted || {
      show_log
      die "$package can't be installed on $PRETTY_NAME: $(last_reason)" \
        "mend the host's package sources (mctl ssh $machine sudo cat $log), then run mctl up"
    }
  fi
  if [ -n "$version" ]; then "${family}_hold" "$package"; fi
}

run_script() {
  fetched=$(mktemp)
  step "fetching $install"
  fetch "$install" "$fetched" || {
    show_log
    die "can't fetch the install script $install: $(last_reason)" "check the address, and that the host can reach it"
  }
  hold_starts
  step "running $install"
  if [ -n "$version" ]; then export VERSION="$version"; fi
  logged sh "$fetched" || {
    show_log
    die "the install script $install failed" "read what it said: mctl ssh $machine sudo cat $log"
  }
  have dockerd || die "the install script $install ended well, but there is no dockerd on the host" "use a script that installs Docker Engine"
}

docker_com_answers() {
  url=$("${family}_docker_com") || return 1
  probe=$(mktemp)
  fetch "$url" "$probe" 8 && answered=0 || answered=1
  rm -f "$probe"
  return "$answered"
}

# Which packages: an engine that is there stays of its kind under `auto`, and where docker.com has none for the family
# they are the distribution's.
choose_source() {
  chosen_source=$install
  "${family}_names" distro
  if ! "${family}_docker_com" >/dev/null; then
    [ "$install" = distro ] || notice "docker.com has no packages for $PRETTY_NAME: using the distribution's"
    chosen_source=distro
  elif [ "$install" = auto ]; then
    chosen_source=docker
    if [ -n "$present" ] && "${family}_has" "$package"; then
      chosen_source=distro
    elif ! docker_com_answers; then
      notice "the host can't reach download.docker.com: using the distribution's Docker packages"
      chosen_source=distro
    fi
  fi
}

# What is there stays, unless another version is asked for.
keep_present() {
  present=$(dockerd_version)
  [ -n "$present" ] && { [ ! -e "$unfinished" ] || [ "$install" = none ]; } || return 1
  [ -n "$version" ] && [ -z "$(echo "$present" | matching "$version")" ] && return 1
  step "Docker Engine $present is there already"
}

main() {
  eval "$(cat)" # the proxies
  open_log
  systemd || have rc-service || die "the host runs neither systemd nor OpenRC, so Docker can't be run as a service" "use a host with one of them"
  keep_present && return
  if [ "$install" = none ]; then
    [ -z "$present" ] || die "the host has Docker Engine $present, not $version" "leave --engine-version off, or let it be installed with --engine-install auto"
    die "there is no Docker Engine on the host, and --engine-install none forbids to install it" "install it there, or leave --engine-install off"
  fi
  read_os
  await_cloud_init
  [ -e "$unfinished" ] || [ -z "$present" ] || step "the host has Docker Engine $present, and $version is asked for"
  mkdir -p /etc/docker
  : >"$unfinished" # an engine that a stopped run left half installed is not one that is there
  case "$install" in
    http://* | https://*) run_script ;;
    *) choose_source && install_packages "$chosen_source" ;;
  esac
  : >"$restart_due"
  rm -f "$unfinished"
}
