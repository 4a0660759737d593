# Drain the node of one machine, or let it take tasks again.
script_name="changing a node's availability"

main() {
  open_swarm_log
  for node in $(nodes_of "$of"); do
    if [ "$availability" = drain ]; then
      step "moving what runs on $of to the other nodes"
      drain "$node"
    else
      tries=0
      until [ "$(of_node "$node" '{{.Status.State}}')" = ready ] || [ "$tries" -ge 60 ]; do
        tries=$((tries + 1))
        sleep 0.5
      done
      update_node "$node" --availability "$availability"
    fi
  done
}
