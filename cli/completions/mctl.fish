# fish completion for mctl: mctl completion fish | source
function __mctl_complete
    set -l lines (mctl __complete fish (commandline -cp | string collect) 2>/dev/null)
    if test (count $lines) -eq 0
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $lines
    end
end
complete -c mctl -f -a '(__mctl_complete)'
