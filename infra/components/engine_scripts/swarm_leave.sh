# Leave the Swarm that has no node of this machine any more.
script_name="leaving the Swarm"

main() {
  open_swarm_log
  [ "$(swarm_state)" = inactive ] || local_docker swarm leave --force >/dev/null || die "it can't leave the Swarm: $(said_last)" "mctl ssh $machine sudo docker swarm leave --force"
}
