# Open a manager that was locked by its restart.
script_name="unlocking the Swarm"

main() {
  open_swarm_log
  if [ "$(settled_state)" = locked ]; then open_lock; fi
}
