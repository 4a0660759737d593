# Take the nodes of one machine out of the Swarm.
script_name="taking a node out of the Swarm"

main() {
  open_swarm_log
  for node in $(nodes_of "$of"); do
    step "moving what runs on $of to the other nodes"
    retire "$node"
  done
}
