# Bring the nodes of the Swarm to what is declared. Standard input: lines `member NAME NODE ROLE`,
# `label NAME KEY=VALUE` and `unlock KEY`.
script_name="settling the Swarm's nodes"

members() { awk '$1 == "member" { print $3, $2, $4 }' "$folder/declared"; }

# The labels that were ours before are named in one of their own, so that what others have set stays.
label() {
  wanted=$(awk -v name="$2" '$1 == "label" && $2 == name { print substr($0, length($1 $2) + 3) }' "$folder/declared")
  keys=$(printf '%s\n' "$wanted" | cut -d = -f 1 | tr '\n' ' ')
  had=$(of_node "$1" '{{index .Spec.Labels "mctl.labels"}}')
  set -- "$1" --label-add "mctl.machine=$2" --label-add "mctl.labels=${keys% }"
  for key in $had; do
    case " $keys " in *" $key "*) ;; *) set -- "$@" --label-rm "$key" ;; esac
  done
  while IFS= read -r pair; do
    [ -z "$pair" ] || set -- "$@" --label-add "$pair"
  done <<END
$wanted
END
  update_node "$@"
}

# In this order there are never fewer managers than declared.
main() {
  open_swarm_log
  folder=$(mktemp -d)
  cleanup() { rm -rf "$folder"; }
  cat >"$folder/declared"
  key=$(awk '$1 == "unlock" { print $2 }' "$folder/declared")
  if [ "$(settled_state)" = locked ]; then open_lock; fi
  members >"$folder/members"
  while read -r node name role; do
    of_node "$node" '{{.ID}}' >/dev/null || die "machine \"$name\" is in another Swarm" "take it out of that: mctl ssh $name sudo docker swarm leave --force; then run mctl up $name"
    label "$node" "$name"
    if [ "$role" = manager ]; then promote "$node" "$name"; fi
  done <"$folder/members"
  for node in $(local_docker node ls --quiet --filter node.label=mctl.machine); do
    if ! grep -q "^$node " "$folder/members"; then retire "$node"; fi
  done
  while read -r node name role; do
    if [ "$role" = worker ] && is_manager "$node"; then
      step "making $name a worker"
      update_node "$node" --role worker
    fi
  done <"$folder/members"
}
