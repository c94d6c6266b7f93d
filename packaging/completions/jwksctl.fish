# fish completion for jwksctl(1): it knows its words itself.

function __jwksctl_complete
    set -l words (commandline -opc) (commandline -ct)
    jwksctl __complete $words[2..-1] 2>/dev/null
end

complete -c jwksctl -f -a '(__jwksctl_complete)'
