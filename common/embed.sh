#!/bin/sh
# Turn text files into one C table on standard output.
#   embed.sh sql FILE...      const struct store_sql_text sql_texts[], by number
#   embed.sh help FILE        const char *const ctl_help_text
# Each octet becomes '\ooo', so no character of a file needs escaping, and
# none is out of range whether char is signed or not.
set -eu

octets() {
	od -An -v -to1 "$1" | sed "s/ *\([0-7][0-7]*\)/'\\\\\1',/g"
}

kind=$1
shift
i=0
for f in "$@"; do
	printf 'static const char text_%d[] = {\n' "$i"
	octets "$f"
	printf '0};\n'
	i=$((i + 1))
done

case $kind in
sql)
	printf '#include "daemon/store/sql_text.h"\n'
	printf 'const struct store_sql_text sql_texts[] = {\n'
	i=0
	for f in "$@"; do
		n=$(basename "$f" .sql)
		number=$(printf '%s' "$n" | sed 's/-.*//; s/^0*//')
		printf '{%s, "%s", text_%d},\n' "$number" "$n" "$i"
		i=$((i + 1))
	done
	printf '{0, 0, 0}};\n'
	;;
help)
	printf '#include "ctl/help.h"\n'
	printf 'const char *const ctl_help_text = text_0;\n'
	;;
*)
	echo "embed.sh: unknown kind $kind" >&2
	exit 64
	;;
esac
