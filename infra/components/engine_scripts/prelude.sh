# What every script of ours begins with. The lines that the client shows are marked: step, notice, error and mend.
set -eu
export LC_ALL=C PATH="$PATH:/usr/local/bin:/usr/sbin:/sbin"
umask 022
log=/var/log/mctl-engine.log
docker_socket=/var/run/docker.sock
restart_due=/etc/docker/.mctl-restart-due

step() { printf 'mctl-step: %s\n' "$*" >&2; }
notice() { printf 'mctl-notice: %s\n' "$*" >&2; }

# die WHAT MEND: the one way to fail.
die() {
  said=yes
  printf 'mctl-error: %s\nmctl-mend: %s\n' "$1" "$2" >&2
  exit 1
}

# A command that failed where none was expected to still gives the user a line to go by.
said=
cleanup() { :; }
finish() {
  code=$?
  trap - EXIT
  cleanup
  if [ "$code" -ne 0 ] && [ -z "$said" ]; then
    printf 'mctl-error: %s on the host stopped with exit code %s\n' "$script_name" "$code" >&2
    printf 'mctl-mend: see %s on the host, then run mctl up\n' "$log" >&2
  fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM

have() { command -v "$1" >/dev/null 2>&1; }
systemd() { [ -d /run/systemd/system ]; }

# Package managers talk too much for the client's log and the stack state: only the end of a failure is shown.
logged() { "$@" >>"$log" 2>&1 </dev/null; }
show_log() { tail -n 15 "$log" | without_passwords | cut -c 1-300 >&2; }
last_reason() { grep -E '^(E:|Error|error|ERROR|curl:|wget:)' "$log" | tail -n 1 | without_passwords | cut -c 1-200; }
without_passwords() { sed 's#://[^/@ ]*@#://***@#g'; }

open_log() {
  (umask 077 && : >"$log" && echo "$script_name" >>"$log") 2>/dev/null ||
    die "can't write $log on the host: its disk is full or read-only" "make room: mctl ssh $machine df -h"
}

# Prints nothing where there is no daemon to be found.
dockerd_version() {
  if have dockerd; then dockerd --version </dev/null 2>/dev/null | sed -n 's/.*ersion \([^, ]*\).*/\1/p'; fi
}
