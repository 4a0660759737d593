# Print each node of the Swarm as the daemon tells it, one JSON a line.
script_name="listing the Swarm's nodes"

main() {
  open_swarm_log
  nodes=$(local_docker node ls --quiet) || die "it tells no nodes of the Swarm: $(said_last)" "start the managers that are down; where they are lost: mctl rm -f those"
  # shellcheck disable=SC2086 # it is a list
  local_docker node inspect --format '{{json .}}' $nodes
}
