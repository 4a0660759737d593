# bash completion for mctl: source <(mctl completion bash)
# shellcheck shell=bash
_mctl() {
    local IFS=$'\n' line
    COMPREPLY=()
    for line in $(mctl __complete bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null); do
        COMPREPLY+=("${line%%$'\t'*}")
    done
    if [[ ${COMPREPLY[0]-} == *= ]]; then compopt -o nospace; fi
}
complete -o default -F _mctl mctl
