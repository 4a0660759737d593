# Bring the engine to another version, and back to the one that was there where the new one does not come up.
script_name="upgrading Docker Engine"
before=/etc/docker/.mctl-upgrading # the packages to go back to; while it is there, an upgrade is not done

cleanup() { if grep -qs mctl "$policy"; then rm -f "$policy"; fi; }

# What is installed, written so that it can be asked for; only once it is here again can it be gone back to.
remember() {
  [ -s "$before" ] && return
  # shellcheck disable=SC2046,SC2086 # both are lists
  if old=$("${family}_installed" $package $companions) && "${family}_keep" $old; then
    printf '%s\n' "$old" >"$before.new"
    mv -f "$before.new" "$before"
  else
    notice "the packages of Docker $present can't be had any more, so there is no going back to them"
  fi
}

# In a subshell, because both end the script where they fail.
comes_up() {
  step "restarting Docker Engine"
  outcome=0
  said_by_it=$(trap - EXIT && start 2>&1 && await_daemon 2>&1) || outcome=1
  printf '%s\n' "$said_by_it" | grep '^mctl-notice: ' >&2 || :
  return "$outcome"
}

go_back() {
  [ -s "$before" ] || die "Docker $new $1" "see why with: mctl ssh $machine sudo journalctl -u docker"
  step "going back to Docker $present"
  hold_starts
  # shellcheck disable=SC2046 # it is a list
  "${family}_add" $(cat "$before") || {
    show_log
    die "Docker $new $1, and Docker $present can't be installed again: $(last_reason)" "mend the host's package sources, then run mctl upgrade $machine"
  }
  cleanup
  comes_up || die "Docker $new $1, and Docker $present does not start either" "see why with: mctl ssh $machine sudo journalctl -u docker"
  end_keeping
  rm -f "$before" "$unfinished" "$restart_due"
  die "Docker $new $1; Docker $present runs again" "see why with: mctl ssh $machine sudo journalctl -u docker"
}

# Told only where it is sure: the packages that would be installed are those that are here.
is_newest() {
  # shellcheck disable=SC2086 # companions is a list
  here=$("${family}_installed" "$package" $companions) || return 1
  for each in $package $companions; do
    "${family}_offers" "$each" || continue
    offered=$("${family}_versions" "$each")
    newest=$(printf '%s\n' "$offered" | grep -Fx "${chosen:-}" || printf '%s\n' "$offered" | sed -n 1p)
    printf '%s\n' "$here" | grep -qFx "$("${family}_exact" "$each" "$newest")" || return 1
  done
}

look() {
  if [ ! -e "$unfinished" ]; then
    choose_packages
    if is_newest; then
      printf 'newer: no\n'
      return
    fi
  fi
  printf 'newer: perhaps\n'
}

choose_packages() {
  choose_source
  "${family}_names" "$chosen_source"
  step "updating the package lists"
  "${family}_refresh" || :
  wanted_packages
}

main() {
  open_log
  present=$(dockerd_version)
  [ -n "$present" ] || die "there is no Docker Engine on the host" "mctl provision $machine"
  read_os
  if [ -n "$looking" ]; then
    look
    return
  fi
  # A run that was killed may have left packages half done: then apt does nothing else, and finds no package installed.
  if [ -e "$unfinished" ]; then
    step "finishing what a stopped run has left"
    hold_starts
    "${family}_mends"
  fi
  choose_packages
  remember
  mkdir -p /etc/docker
  : >"$restart_due"
  : >"$unfinished"
  hold_starts
  step "installing $wanted"
  new=$wanted
  # shellcheck disable=SC2086 # wanted is a list
  "${family}_add" $wanted || {
    show_log
    go_back "can't be installed: $(last_reason)"
  }
  cleanup
  new=$(dockerd_version)
  if [ "$new" != "$present" ] || [ "$(server_version)" != "$new" ] || ! listening; then
    comes_up || go_back "does not start: $(printf '%s\n' "$said_by_it" | sed -n 's/^mctl-error: Docker Engine does not start: //p')"
  fi
  end_keeping
  if [ -n "$version" ]; then "${family}_hold" "$package"; fi
  rm -f "$before" "$unfinished" "$restart_due"
  printf 'engine-version: %s\n' "$(server_version)"
}
