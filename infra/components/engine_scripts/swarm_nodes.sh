# What a manager does with nodes. Those of ours bear the label mctl.machine; no other one is touched.
of_node() { local_docker node inspect --format "$2" "$1"; }
is_manager() { [ "$(of_node "$1" '{{.Spec.Role}}')" = manager ]; }
runs_nothing() { [ -z "$(local_docker node ps --filter desired-state=running --quiet "$1")" ]; }

update_node() {
  node=$1
  shift
  local_docker node update "$@" "$node" >/dev/null || die "node $node of the Swarm can't be changed: $(said_last)" "run mctl up $machine again"
}

drain() {
  update_node "$1" --availability drain
  tries=0
  until runs_nothing "$1" || [ "$tries" -ge 60 ]; do
    tries=$((tries + 1))
    sleep 0.5
  done
}

# Take a node out of the Swarm: what runs on it moves first, and a manager is none any more before it goes. One that was
# lost when another went on alone counts among the managers no more, and can't be made a worker.
retire() {
  drain "$1"
  if is_manager "$1" && [ -n "$(reachability "$1")" ]; then update_node "$1" --role worker; fi
  tries=0
  until local_docker node rm --force "$1" >/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 40 ] || die "node $1 can't be removed from the Swarm: $(said_last)" "run the same command again"
    sleep 0.5
  done
}

nodes_of() { local_docker node ls --quiet --filter "node.label=mctl.machine=$1"; }

reachability() { of_node "$1" '{{with .ManagerStatus}}{{.Reachability}}{{end}}'; }
reachable() { [ "$(reachability "$1")" = reachable ]; }

promote() {
  if is_manager "$1"; then return; fi
  step "making $2 a manager"
  update_node "$1" --role manager
  tries=0
  until reachable "$1"; do
    tries=$((tries + 1))
    [ "$tries" -lt 120 ] || die "$2 does not become a manager of the Swarm" "mctl ssh $2 sudo systemctl restart docker, then run mctl up $machine"
    sleep 0.5
  done
}
