# Take the nodes of machines out of the Swarm. of: their names.
script_name="taking nodes out of the Swarm"

# None of them takes what leaves another. Managers that are down go before those that their quorum counts on.
main() {
  open_swarm_log
  first='' last=''
  for name in $of; do
    for node in $(nodes_of "$name"); do
      step "moving what runs on $name to the other nodes"
      update_node "$node" --availability drain
      if reachable "$node"; then last="$last $node"; else first="$first $node"; fi
    done
  done
  for node in $first $last; do retire "$node"; done
}
