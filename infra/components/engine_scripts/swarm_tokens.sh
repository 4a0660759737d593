# Print the tokens that further nodes join with; made anew where that is asked for, and the unlock key too.
script_name="reading the Swarm's tokens"

main() {
  open_swarm_log
  rotating() { printf '%s: ' "$1-token"; local_docker swarm join-token --quiet ${rotate:+--rotate} "$1" || die "the Swarm gives no token: $(said_last)" "mctl swarm status"; }
  rotating worker
  rotating manager
  if [ -n "$rotate" ]; then local_docker swarm unlock-key --quiet --rotate >/dev/null || :; fi
}
