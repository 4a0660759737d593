# Let a machine join the Swarm, unless it is in one, and print the id of its node.
script_name="joining the Swarm"

remotes() {
  comma=
  for each in $managers; do
    case "$each" in *:*) each="[$each]" ;; esac
    printf '%s"%s:2377"' "$comma" "$each"
    comma=,
  done
}

# What is left of another Swarm goes; but a manager stays: it may be the last that has what this one knows.
join() {
  refuse_live_restore
  case "$(settled_state)" in
    active) return ;;
    inactive) ;;
    *) local_docker swarm leave >>"$log" || return 1 ;;
  esac
  printf '{"ListenAddr":"0.0.0.0:2377","AdvertiseAddr":"%s","RemoteAddrs":[%s],"JoinToken":"%s"}' \
    "$advertise" "$(remotes)" "$token" | post /swarm/join
}

# A manager is admitted only while the others agree, which takes a moment after each change.
join_patiently() {
  step "joining the Swarm as a $role"
  tries=0
  until join; do
    tries=$((tries + 1))
    [ "$tries" -lt 5 ] || die "it can't join the Swarm: $(said_last)" \
      "open 2377/tcp, 7946/tcp+udp, 4789/udp and protocol 50 between the machines, then run mctl up $machine"
    sleep 2
  done
}

# A worker that is made a manager while it still knows one that is gone may ask that one, and stops for good where it does.
knows_gone_manager() {
  for each in $(tells '{{range .Swarm.RemoteManagers}}{{.Addr}} {{end}}'); do
    each=${each%:2377}
    each=${each#[}
    case " $managers " in *" ${each%]} "*) ;; *) return 0 ;; esac
  done
  return 1
}

await_news() {
  tries=0
  while knows_gone_manager && [ "$tries" -lt 60 ]; do
    tries=$((tries + 1))
    sleep 1
  done
}

main() {
  open_swarm_log
  read_settings
  [ "$(settled_state)" != locked ] || open_lock
  [ "$(settled_state)" = active ] || join_patiently
  [ "$(settled_state)" = active ] || die "it joined the Swarm, but is not active in it: $(tells '{{.Swarm.Error}}')" "mctl ssh $machine sudo journalctl -u docker"
  if [ "$role" = manager ] && [ "$(tells '{{.Swarm.ControlAvailable}}')" != true ]; then await_news; fi
  printf 'node: %s\n' "$(tells '{{.Swarm.NodeID}}')"
}
