# Run a script of the user's, which comes by standard input, and pass on what it says as progress.
script_name="running $name"
said_by_script=/var/log/mctl-provision.log

folder=$(mktemp -d) || die "can't write to the host's temporary folder: its disk is full or read-only" "make room: mctl ssh $machine df -h"
cleanup() { rm -rf "$folder"; }

# By its interpreter and not by itself: temporary folders may forbid to run what is in them.
run() {
  interpreter=$(sed -n '1s/^#! *//p' "$folder/script")
  # shellcheck disable=SC2086 # it may have an argument
  ${interpreter:-sh} "$folder/script" </dev/null 2>&1 && echo 0 >"$folder/code" || echo $? >"$folder/code"
}

pass_on() {
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\n' "$line" >>"$said_by_script"
    if [ -n "$line" ]; then step "$name: $line"; fi
  done
}

cat >"$folder/script"
(umask 077 && : >"$said_by_script") 2>/dev/null || die "can't write $said_by_script on the host: its disk is full or read-only" "make room: mctl ssh $machine df -h"
step "running $name"
run | pass_on
code=$(cat "$folder/code")
[ "$code" -eq 0 ] || {
  last=$(grep . "$said_by_script" | tail -n 3 | cut -c 1-300 | awk '{ printf "%s%s", (NR > 1 ? " | " : ""), $0 }')
  die "$name failed on the host with exit code $code: ${last:-it said nothing}" \
    "mend $name and run the same command again; all it said: mctl ssh $machine sudo cat $said_by_script"
}
