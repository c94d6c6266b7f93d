# Turn a Varlink interface description into the C tables that
# common/wire/varlink_interface.h declares:
#	awk -f common/varlink.awk org.example.thing.varlink
# A description that is not sound is refused with its file and line, and so is
# what the tables cannot hold: floats, enums, maps, structs without a name,
# arrays of arrays or of optional elements, types used before they are declared,
# interface names with '-', and characters that are not printable ASCII.

/[^ -~]/ && !bad_line { bad_line = NR }

{
	text = $0
	gsub(/[\\"?]/, "\\\\&", text)	# "??" could begin a trigraph
	description = description "\t\"" text "\\n\"\n"

	sub(/#.*/, "")
	while (match($0, /[A-Za-z0-9_][A-Za-z0-9_.]*|->|\[\]|[^ ]/)) {
		token[++count] = substr($0, RSTART, RLENGTH)
		line[count] = NR
		$0 = substr($0, RSTART + RLENGTH)
	}
}

function fail(number, text) {
	printf "%s:%d: %s\n", ARGV[1], number, text > "/dev/stderr"
	exit 1
}

function fail_expected(what) {
	fail(line[at], "expected " what ", found " \
	    (at > count ? "the end" : "'" token[at] "'"))
}

function accept(word) {
	return at <= count && token[at] == word ? at++ : 0
}

function expect(word) {
	if (!accept(word))
		fail_expected("'" word "'")
}

function take(pattern, what) {
	if (at > count || token[at] !~ ("^(" pattern ")$"))
		fail_expected(what)
	return token[at++]
}

# A name that is not in the scope yet.
function take_new(scope, pattern, what,    name) {
	name = take(pattern, what)
	if ((scope, name) in known)
		fail(line[at - 1], "'" name "' is declared a second time")
	known[scope, name]
	return name
}

function take_field(table,    name, optional, array, type, kind, fields) {
	name = take_new(table, "[A-Za-z](_?[A-Za-z0-9])*", "a field's name")
	expect(":")
	optional = accept("?") ? "true" : "false"
	array = accept("[]") ? "true" : "false"
	type = take("bool|int|string|object|[A-Z][A-Za-z0-9]*", "a type")
	kind = toupper(type)
	fields = "NULL"
	if (type ~ /^[A-Z]/) {
		if (!(("type", type) in known))
			fail(line[at - 1], "no type '" type "' is declared above")
		kind = "STRUCT"
		fields = "type_" type
	}
	tables = tables sprintf("\t{\"%s\", \"%s%s\", VARLINK_%s, %s, %s, %s},\n",
	    name, array == "true" ? "[]" : "", type, kind, array, optional, fields)
}

function take_struct(table) {
	tables = tables "\nstatic const struct varlink_field " table "[] = {\n"
	expect("(")
	if (!accept(")")) {
		do
			take_field(table)
		while (accept(","))
		expect(")")
	}
	tables = tables "\t{.name = NULL},\n};\n"
}

function take_member(    keyword, name) {
	keyword = take("type|method|error", "'type', 'method' or 'error'")
	name = take_new("member", "[A-Z][A-Za-z0-9]*", "a name like 'Name'")
	take_struct(keyword "_" name)
	known[keyword, name]
	if (keyword == "method") {
		expect("->")
		take_struct("reply_" name)
		methods = methods sprintf("\t{\"%s\", method_%s, reply_%s},\n",
		    name, name, name)
	} else if (keyword == "error") {
		errors = errors sprintf("\t{\"%s\", error_%s},\n", name, name)
	}
}

END {
	at = 1
	line[count + 1] = NR
	if (bad_line)
		fail(bad_line, "a character that is not printable ASCII")
	expect("interface")
	interface = take("[A-Za-z][A-Za-z0-9]*([.][A-Za-z0-9]+)+",
	    "an interface's name like 'org.example.thing'")
	file = ARGV[1]
	sub(/.*\//, "", file)
	if (file != interface ".varlink")
		fail(line[at - 1], "the file of " interface " has another name")
	while (at <= count)
		take_member()
	symbol = "varlink_" interface
	gsub(/[.]/, "_", symbol)
	printf "#include <stddef.h>\n\n"
	printf "#include \"common/wire/varlink_interface.h\"\n"
	printf "%s\n", tables
	printf "static const struct varlink_method methods[] = {\n"
	printf "%s\t{.name = NULL},\n};\n\n", methods
	printf "static const struct varlink_error errors[] = {\n"
	printf "%s\t{.name = NULL},\n};\n\n", errors
	printf "static const char description[] =\n%s;\n\n", description
	printf "const struct varlink_interface %s = {\n", symbol
	printf "\t\"%s\", description, methods, errors};\n", interface
}
