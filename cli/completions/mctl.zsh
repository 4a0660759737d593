#compdef mctl
# zsh completion for mctl: source <(mctl completion zsh), or save it as _mctl in a folder of $fpath
_mctl() {
    local line
    local -a values shown suffix
    for line in ${(f)"$(mctl __complete zsh "${(j: :)words[1,CURRENT]}" 2>/dev/null)"}; do
        values+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done
    if (( ! $#values )); then _files; return; fi
    if [[ $values[1] == *= ]]; then suffix=(-S ''); fi
    compadd "${suffix[@]}" -l -d shown -a values
}
if [ "$funcstack[1]" = _mctl ]; then _mctl "$@"; else compdef _mctl mctl; fi
