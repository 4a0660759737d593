# Give the daemon its certificates and settings, start it once with them, and see that it answers.
script_name="configuring Docker Engine"
folder=/etc/docker
written=$folder/.mctl-daemon.json
staged=$folder/.mctl-new
drop_in=/etc/systemd/system/docker.service.d/10-mctl.conf
openrc_conf=/etc/conf.d/docker

cleanup() { rm -rf "$staged"; }

# put FILE MODE: take what is staged under the file's name into its place, if it says something new.
put() {
  if cmp -s "$staged/${1##*/}" "$1"; then
    chmod "$2" "$1"
    return
  fi
  : >"$restart_due" # before the change, so that a run that is stopped here is made good by the next
  chmod "$2" "$staged/${1##*/}"
  mkdir -p "${1%/*}"
  mv -f "$staged/${1##*/}" "$1"
}

# Standard input: for each file a line `mctl-file NAME`, then its text.
take_certificates() {
  awk -v folder="$staged" '$1 == "mctl-file" { file = folder "/" $2; next } file && NF { print >file }'
  for file in ca.pem server.pem server-key.pem; do
    grep -qs -e '^-----END' "$staged/$file" || die "the host did not get all of $file" "run mctl up again"
  done
  put "$folder/ca.pem" 0644
  put "$folder/server.pem" 0644
  put "$folder/server-key.pem" 0600
}

# Ours to write: no daemon.json, or one as we left it. Anyone else's stays as it is and our settings become flags of the
# daemon instead, for dockerd refuses to start when one is set in both.
settle_settings() {
  settings_as_flags=
  daemon_json >"$staged/daemon.json"
  if [ ! -e "$folder/daemon.json" ] || cmp -s "$folder/daemon.json" "$written" ||
    cmp -s "$folder/daemon.json" "$staged/daemon.json"; then
    put "$folder/daemon.json" 0644
    daemon_json >"$written"
  elif [ ! -e "$written" ]; then
    settings_as_flags=yes
    notice "the host's own /etc/docker/daemon.json is kept; mctl's settings are flags of the daemon"
  elif daemon_json | cmp -s - "$written"; then
    notice "changes that were made to /etc/docker/daemon.json on the host are kept"
  else
    die "/etc/docker/daemon.json was changed on the host, so new engine settings can't be written to it" \
      "take them over by hand, or drop the host's with: mctl ssh $machine sudo rm /etc/docker/daemon.json; then run mctl up"
  fi
}

# The flags for what daemon.json would have said. A host's own labels win over the provider's.
settings() {
  [ -n "$settings_as_flags" ] || return 0
  if [ -n "$only_provider_label" ] && tr -d ' \t\r\n' <"$folder/daemon.json" | grep -q '"labels":\['; then
    "$1" without_labels
  else
    "$1"
  fi
}

# The unit's own command, with its containerd and socket flags, and ours after them.
unit_command() {
  unit=$(systemctl show -p FragmentPath --value docker.service)
  [ -r "$unit" ] || die "there is no docker.service on the host" "install Docker Engine with its service there, or use --engine-install auto"
  awk '{ while (sub(/\\$/, "")) { if ((getline more) <= 0) break; $0 = $0 more } }
    /^ExecStart=/ { sub(/^ExecStart=/, ""); command = $0 } END { print command }' "$unit"
}

write_drop_in() {
  command=$(unit_command)
  case "$command" in
    *fd://*) socket= ;;
    *) socket=" -H unix://$docker_socket" ;;
  esac
  {
    echo '# Written by mctl, and again by every mctl up that changes it.'
    echo '[Service]'
    echo 'ExecStart='
    printf 'ExecStart=%s%s' "$command" "$socket"
    daemon_flags
    settings setting_flags
    echo
    if [ -e "$staged/unit-environment" ]; then cat "$staged/unit-environment"; fi
  } >"$staged/10-mctl.conf"
  put "$drop_in" 0644
}

write_openrc_conf() {
  {
    if [ -e "$openrc_conf" ]; then sed '/^# mctl begin/,/^# mctl end/d' "$openrc_conf"; fi
    echo '# mctl begin'
    printf "DOCKER_OPTS=\"\${DOCKER_OPTS:-} \"'-H unix://%s" "$docker_socket"
    openrc_flags
    settings openrc_setting_flags
    printf "'\n"
    if [ -e "$staged/openrc-environment" ]; then cat "$staged/openrc-environment"; fi
    echo '# mctl end'
  } >"$staged/docker"
  put "$openrc_conf" 0644
}

running() { if systemd; then systemctl --quiet is-active docker.service; else rc-service --quiet docker status >/dev/null 2>&1; fi; }

# The daemon's port in the kernel's table of sockets, in state LISTEN.
listening() { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ":$port_hex [0-9A-F]*:0000 0A "; }

# What the daemon itself says, not what is installed.
server_version() {
  if have docker; then
    timeout 30 docker -H "unix://$docker_socket" version --format '{{.Server.Version}}' </dev/null 2>>"$log"
  elif have curl; then
    curl -fsS --max-time 30 --unix-socket "$docker_socket" http://localhost/version 2>>"$log" |
      tr ',' '\n' | sed -n 's/^{*"Version":"\([^"]*\)".*/\1/p' | tail -n 1
  else
    dockerd_version
  fi
}

show_daemon_log() {
  if systemd; then
    journalctl -u docker.service -n 20 --no-pager -o cat 2>/dev/null | cut -c 1-400 >&2
  else
    tail -n 20 /var/log/docker.log 2>/dev/null | cut -c 1-400 >&2
  fi
}

not_started() {
  show_daemon_log
  if systemd; then
    reason=$(journalctl -u docker.service -n 20 --no-pager -o cat 2>/dev/null |
      grep -E '^(failed to|unable to|unknown |invalid |Status: |Error)' | tail -n 1 | cut -c 1-300)
    die "Docker Engine does not start: ${reason:-$1}" "see why with: mctl ssh $machine sudo journalctl -u docker; mend the engine's settings and run mctl up"
  fi
  die "Docker Engine does not start: $1" "see why with: mctl ssh $machine sudo tail /var/log/docker.log; mend the engine's settings and run mctl up"
}

start_systemd() {
  logged systemctl daemon-reload
  logged systemctl reset-failed docker.service docker.socket || :
  logged timeout 180 systemctl restart docker.service || not_started "it did not come up in 180 seconds"
  renew_socket
}

# A daemon that made its own socket took the name in the file system from the one that systemd keeps for fd://, and took
# it away when it ended.
renew_socket() {
  if [ -S "$docker_socket" ] || ! systemctl --quiet is-active docker.socket; then return; fi
  logged systemctl stop docker.service
  logged systemctl restart docker.socket
  logged timeout 180 systemctl start docker.service || not_started "it did not come up in 180 seconds"
}

start_openrc() { logged timeout 180 rc-service docker restart || not_started "it did not come up in 180 seconds"; }

start() {
  if running; then step "restarting Docker Engine"; else step "starting Docker Engine"; fi
  keep_containers
  if systemd; then start_systemd; else start_openrc; fi
}

await_daemon() {
  tries=0
  until listening && version=$(server_version) && [ -n "$version" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 120 ] && { running || [ "$tries" -lt 10 ]; } || not_started "it runs, but does not listen on port $port"
    sleep 0.5
  done
}

enable_at_boot() {
  if systemd; then
    systemctl --quiet is-enabled docker.service 2>/dev/null || logged systemctl enable docker.service
  else
    rc-update show default | grep -q ' docker ' || logged rc-update add docker default
  fi
}

# `mctl ssh NAME docker ps` works without sudo.
admit_user() {
  user=${SUDO_USER:-root}
  if [ "$user" = root ] || ! grep -q '^docker:' /etc/group || id -nG "$user" | grep -qw docker; then return; fi
  if have usermod; then logged usermod -aG docker "$user"; else logged addgroup "$user" docker; fi
}

main() {
  [ -n "$(dockerd_version)" ] || die "there is no Docker Engine on the host" "let it be installed: leave --engine-install off"
  rm -rf "$staged"
  (umask 077 && mkdir -p "$staged") 2>/dev/null || die "can't write to $folder on the host: its disk is full or read-only" "make room: mctl ssh $machine df -h"
  chmod 0755 "$folder"
  open_log
  umask 077
  step "writing the engine's settings and certificates"
  take_certificates
  umask 022
  rest_settings
  settle_settings
  if systemd; then write_drop_in; else write_openrc_conf; fi
  if [ -e "$restart_due" ] || ! running || ! listening; then start; fi
  await_daemon
  end_keeping
  rm -f "$restart_due"
  enable_at_boot
  admit_user
  printf 'engine-version: %s\n' "$version"
}
