# Keep containers running while the daemon restarts. `live-restore` must be on when it ends and when it begins again, and
# can be switched without a restart: https://docs.docker.com/engine/daemon/live-restore/
# The settings as they are to be lie in $resting meanwhile; while that is there, a run is not done with it.
resting=/etc/docker/.mctl-resting-daemon.json
fresh=/etc/docker/.mctl-fresh-daemon.json

engine_tells() { timeout 30 docker -H "unix://$docker_socket" info --format "$1" </dev/null 2>>"$log"; }
reload_daemon() { if systemd; then logged systemctl reload docker.service; else logged rc-service docker reload; fi; }
says_live_restore() { tr -d ' \t\r\n' <"$1" 2>/dev/null | grep -q '"live-restore":'; }
flag_on() { grep -qsE -e "--live-restore(=true)?([\"' ]|\$)" "$drop_in" "$openrc_conf"; }
flag_off() { grep -qs -e '--live-restore=false' "$drop_in" "$openrc_conf"; }

# write_live_restore true|false: the resting settings with one more, which they don't have.
write_live_restore() {
  cp -p "$resting" "$fresh"
  awk -v value="$1" '{ text = text $0 "\n" } END {
    open = index(text, "{")
    rest = open ? substr(text, open + 1) : "}\n"
    printf "{\"live-restore\": %s%s%s", value, (rest ~ /^[ \t\r\n]*}/ ? "" : ","), rest }' "$resting" >"$fresh"
  mv -f "$fresh" /etc/docker/daemon.json
}

switch_live_restore() {
  write_live_restore "$1"
  take_live_restore "$1"
}

take_live_restore() {
  reload_daemon || return 1
  asked=0
  until [ "$(engine_tells '{{.LiveRestoreEnabled}}')" = "$1" ]; do
    asked=$((asked + 1))
    [ "$asked" -lt 8 ] || return 1
    sleep 0.5
  done
}

# A daemon that has settings by flags, as docker-machine gave them, reloads no file that says the same again.
switch_it_alone() {
  printf '{"live-restore": true}\n' >"$fresh"
  mv -f "$fresh" /etc/docker/daemon.json
  took=0
  take_live_restore true || took=1
  write_live_restore true
  return "$took"
}

# Put the settings back, unless someone has changed them since.
rest_settings() {
  says_live_restore /etc/docker/daemon.json || return 0
  if [ -s "$resting" ]; then
    cp -p "$resting" "$fresh"
    mv -f "$fresh" /etc/docker/daemon.json
  elif [ -e "$resting" ]; then
    rm -f /etc/docker/daemon.json
  fi
}

# Before a restart. What the user has set for live-restore is left as it is.
keep_containers() {
  now=
  if running; then now=$(engine_tells '{{.ContainersRunning}} {{.Swarm.LocalNodeState}}') || now=; fi
  case "$now" in
    '') [ -e "$resting" ] || return 0 ;; # it is down, but was to keep its containers
    '0 '*) return 0 ;;
    *" active" | *" locked" | *" pending" | *" error")
      notice "the engine is in Swarm mode, where containers don't outlive its restart"
      return 0
      ;;
  esac
  if flag_off || { [ ! -e "$resting" ] && says_live_restore /etc/docker/daemon.json; }; then return 0; fi
  if flag_on && [ "$(engine_tells '{{.LiveRestoreEnabled}}')" = true ]; then return 0; fi
  rest_settings
  if [ -e /etc/docker/daemon.json ]; then cp -p /etc/docker/daemon.json "$fresh"; else : >"$fresh"; fi
  mv -f "$fresh" "$resting"
  if [ -z "$now" ]; then
    write_live_restore true
  elif ! switch_live_restore true && ! switch_it_alone; then
    notice "containers can't be kept running while the engine restarts: it does not take live-restore over"
    rest_settings
    rm -f "$resting"
  fi
  # In both places dockerd would refuse it.
  if flag_on; then rest_settings; fi
}

# After a restart, and whenever a run before was stopped in one.
end_keeping() {
  [ -e "$resting" ] || return 0
  if ! flag_on; then switch_live_restore false || :; fi
  rest_settings
  rm -f "$resting"
}
