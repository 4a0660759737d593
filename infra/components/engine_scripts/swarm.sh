# What the scripts for Swarm mode share. Tokens and keys come by standard input and go by the daemon's socket: an argument
# list shows them to everyone on the host.
log=/var/log/mctl-swarm.log
begun=/etc/docker/.mctl-swarm-begun # while it is there, a Swarm of ours is not set up whole

open_swarm_log() {
  (umask 077 && : >>"$log") 2>/dev/null || die "can't write $log on the host: its disk is full or read-only" "make room: mctl ssh $machine df -h"
  have docker || die "there is no docker client on the host, which Swarm mode takes" "install it there, then run mctl up $machine"
  have curl || have perl || die "there is neither curl nor perl on the host, one of which Swarm mode takes" "install curl there, then run mctl up $machine"
}

local_docker() { timeout 120 docker -H "unix://$docker_socket" "$@" </dev/null 2>>"$log"; }
tells() { local_docker info --format "$1"; }
swarm_state() { tells '{{.Swarm.LocalNodeState}}'; }
said_last() { tail -n 1 "$log" | sed 's/SWM[A-Z]*-[A-Za-z0-9+/=-]*/***/g' | cut -c 1-300; }

# post PATH: send the JSON on standard input to the daemon, and log what it answers where that is no success.
post() {
  if have curl; then
    answer=$(curl -sS --max-time 120 --unix-socket "$docker_socket" -H 'Content-Type: application/json' \
      --data-binary @- -w '\n%{http_code}' "http://localhost$1" 2>>"$log") || return 1
  else
    answer=$(perl -MIO::Socket::UNIX -e 'local $/; my $body = <STDIN>;
      my $daemon = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\n"; print $daemon "POST $ARGV[1] HTTP/1.0\r\n",
        "Content-Type: application/json\r\nContent-Length: ", length $body, "\r\n\r\n$body";
      my ($head, $said) = split /\r\n\r\n/, <$daemon>, 2; $head =~ /^\S+ (\d+)/; chomp $said; print "$said\n$1";' \
      "$docker_socket" "$1" 2>>"$log") || return 1
  fi
  [ "${answer##*
}" = 200 ] && return
  printf '%s\n' "$answer" | head -n 1 | sed 's/^{"message":"\(.*\)"}$/\1/' >>"$log"
  return 1
}

# dockerd takes no name for its own address.
address_of() {
  case "$1" in
    *[!0-9a-fA-F:.]*) getent ahosts "$1" </dev/null | awk 'NR == 1 { print $1 }' ;;
    *) printf '%s' "$1" ;;
  esac
}

# Standard input: lines `KEY VALUE`, of which `manager` may come more than once.
read_settings() {
  role='' token='' key='' advertise='' managers=''
  while read -r word value; do
    case "$word" in
      role) role=$value ;;
      token) token=$value ;;
      unlock) key=$value ;;
      advertise) advertise=$value ;;
      manager) managers="$managers $(address_of "$value")" ;;
    esac
  done
  advertise=$(address_of "$advertise")
}

# A daemon that has just started is still looking for its managers.
settled_state() {
  tries=0
  until state=$(swarm_state) && [ -n "$state" ] && [ "$state" != pending ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || break
    sleep 1
  done
  printf '%s' "$state"
}

open_lock() {
  [ -n "$key" ] || die "its Swarm is locked" "mctl swarm unlock-key tells the key; then: mctl ssh $machine sudo docker swarm unlock"
  step "unlocking the Swarm"
  printf '{"UnlockKey":"%s"}' "$key" | post /swarm/unlock || die "its Swarm can't be unlocked: $(said_last)" "mctl ssh $machine sudo docker swarm unlock"
}

refuse_live_restore() {
  [ "$(tells '{{.LiveRestoreEnabled}}')" != true ] ||
    die "live-restore is on, which Swarm mode excludes" "take live-restore out of the host's /etc/docker/daemon.json, then: mctl ssh $machine sudo systemctl reload docker; mctl up $machine"
}
