# bash completion for jwksctl(1): it knows its words itself.

_jwksctl() {
	local line
	COMPREPLY=()
	while IFS= read -r line; do
		COMPREPLY+=("${line%%$'\t'*}")
	done < <(jwksctl __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	# "name=" waits for a value.
	if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
		compopt -o nospace
	fi
} &&
	complete -F _jwksctl -o default jwksctl
