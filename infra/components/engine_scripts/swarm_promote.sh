# Make the node of one machine a manager.
script_name="making a node a manager"

main() {
  open_swarm_log
  for node in $(nodes_of "$of"); do promote "$node" "$of"; done
}
