# Look at what the configure script has made, with its own functions, and change nothing. Standard output: for each check
# a line `mctl-check NAME ok|bad WHAT`.
script_name="checking the host"

# $? after a test tells which of the two texts is printed.
tell() {
  if [ "$?" -eq 0 ]; then printf 'mctl-check %s ok %s\n' "$1" "$2"; else printf 'mctl-check %s bad %s\n' "$1" "$3"; fi
}

without_environment() { grep -v '^Environment=' "$1"; }

# In place of the one that takes files into their places. What the daemon's environment holds may be secret.
put() {
  without_environment "$staged/${1##*/}" >"$staged/expected"
  [ -r "$1" ] && without_environment "$1" | cmp -s - "$staged/expected"
  tell unit "$1" "$1 is not as mctl wrote it"
}

check_settings() {
  settings_as_flags=
  if [ -e "$folder/daemon.json" ] && [ ! -e "$written" ]; then
    settings_as_flags=yes
    printf 'mctl-check daemon.json ok %s\n' "the host's own is kept"
    return
  fi
  cmp -s "$written" "$folder/daemon.json"
  tell daemon.json "as mctl wrote it" "it was changed on the host"
}

check_files() {
  amiss=
  for file in ca.pem server.pem server-key.pem; do
    grep -qs -e '^-----END' "$folder/$file" || amiss="$amiss $file is missing or damaged;"
  done
  case "$(ls -ln "$folder/server-key.pem" 2>/dev/null)" in
    -rw-------*) ;;
    '') ;;
    *) amiss="$amiss others may read server-key.pem;" ;;
  esac
  [ -z "$amiss" ]
  tell tls "three files in $folder" "${amiss# }"
}

check_disk() {
  place=/var/lib/docker
  [ -d "$place" ] || place=/
  used=$(df -P "$place" | awk 'NR == 2 { sub(/%/, "", $5); print $5 }')
  [ "$used" -lt 90 ]
  tell disk "$used % of $place is used" "$used % of $place is used"
}

check_boot() {
  if systemd; then systemctl --quiet is-enabled docker.service 2>/dev/null; else rc-update show default | grep -q ' docker '; fi
  tell boot "Docker starts with the host" "Docker does not start with the host"
}

main() {
  staged=$(mktemp -d)
  cleanup() { rm -rf "$staged"; }
  log=/dev/null
  set +e
  printf 'mctl-check clock ok %s\n' "$(date +%s)"
  printf 'mctl-check version ok %s\n' "$(server_version || :)"
  check_settings
  check_files
  if systemd; then write_drop_in; fi
  check_boot
  check_disk
}
