# See that there is a Swarm on the machine that leads it, and print what others join it with.
script_name="beginning a Swarm"

begin() {
  [ -n "$may_begin" ] || die "machine \"$machine\" leads the Swarm, but was made anew and is in none" \
    "let another manager lead: set lead under mctl:swarm in the stack's file, then run mctl up $machine"
  refuse_live_restore
  step "beginning a Swarm"
  if [ -n "$encrypted" ]; then : >"$begun"; else notice "the provider's firewall lets no IPsec in, so the network of published ports is not encrypted"; fi
  local_docker swarm init --advertise-addr "$advertise" >/dev/null || die "no Swarm can be begun: $(said_last)" "mend it on the host, then run mctl up $machine"
}

# Docker makes the network of published ports without encryption.
encrypt_ingress() {
  step "encrypting the network of published ports"
  echo y | timeout 60 docker -H "unix://$docker_socket" network rm ingress >>"$log" 2>&1 || :
  tries=0
  until local_docker network create --driver overlay --ingress --opt encrypted ingress >>"$log"; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || die "the network of published ports can't be encrypted: $(said_last)" "run mctl up $machine again"
    sleep 0.5
  done
  rm -f "$begun"
}

is_encrypted() { local_docker network inspect ingress --format '{{json .Options}}' | grep -q '"encrypted"'; }

main() {
  open_swarm_log
  read_settings
  case "$(settled_state)" in
    inactive) begin ;;
    locked) open_lock ;;
  esac
  [ "$(tells '{{.Swarm.ControlAvailable}}')" = true ] || die "machine \"$machine\" is no manager of a Swarm, and is to lead one" \
    "see how it is with: mctl ssh $machine sudo docker info; to take it out of a Swarm: docker swarm leave"
  if [ -e "$begun" ]; then if is_encrypted; then rm -f "$begun"; else encrypt_ingress; fi; fi
  local_docker swarm update --autolock="$autolock" >/dev/null || die "autolock can't be set: $(said_last)" "run mctl up $machine again"
  printf 'worker-token: %s\n' "$(local_docker swarm join-token -q worker)"
  printf 'manager-token: %s\n' "$(local_docker swarm join-token -q manager)"
  unlock_key=$(local_docker swarm unlock-key -q) || unlock_key=
  printf 'unlock-key: %s\n' "$unlock_key"
}
