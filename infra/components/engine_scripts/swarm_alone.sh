# Let one manager go on alone, with all services and workers, where the other managers are lost.
script_name="recovering the Swarm"

main() {
  open_swarm_log
  step "going on with $machine as the Swarm's one manager"
  local_docker swarm init --force-new-cluster --advertise-addr "$(tells '{{.Swarm.NodeAddr}}')" >/dev/null ||
    die "the Swarm can't go on: $(said_last)" "mctl ssh $machine sudo journalctl -u docker"
}
