/*
 * Varlink interface descriptions: a recursive descent over the text, which is
 * one of ours.  The parts of a description are kept in its chunks, and are
 * freed with them.
 */
#include "common/wire/varlink_idl.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_interface.h"

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LETTERS UPPER "abcdefghijklmnopqrstuvwxyz"
#define ALNUM LETTERS "0123456789"

struct parser {
	const char *at;
	struct varlink_interface *interface;
	struct varlink_method **last_method;
	struct varlink_definition **last_error;
	enum jw_err err; /* the first error, at which parsing stops */
	struct jw_why *why;
};

/* ---- memory and errors ---- */

static void *
parser_take(struct parser *p, size_t size)
{
	struct varlink_chunk *chunk = jw_zalloc(sizeof(*chunk) + size);

	chunk->next = p->interface->chunks;
	p->interface->chunks = chunk;
	return chunk->data;
}

static size_t
line_of(const struct parser *p, const char *at)
{
	size_t line = 1;

	for (const char *s = p->interface->text; s < at; s++)
		line += *s == '\n';
	return line;
}

__attribute__((format(printf, 3, 4))) static void
fail(struct parser *p, const char *at, const char *fmt, ...)
{
	char text[256];
	va_list args;

	if (p->err != JW_OK)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	p->err = JW_INVALID_PARAMETER;
	jw_why_set(p->why, "line %zu: %s", line_of(p, at), text);
}

static void
fail_expected(struct parser *p, const char *what)
{
	size_t len = strspn(p->at, ALNUM "_");

	if (*p->at == '\0')
		fail(p, p->at, "expected %s, found the end", what);
	else if (len > 0)
		fail(p, p->at, "expected %s, found '%.*s'", what,
		    len < 40 ? (int)len : 40, p->at);
	else if (*p->at > ' ' && *p->at < 0x7f)
		fail(p, p->at, "expected %s, found '%c'", what, *p->at);
	else
		fail(p, p->at, "expected %s, found byte 0x%02x", what,
		    (unsigned char)*p->at);
}

/* ---- words ---- */

static void
varlink_skip_blanks(struct parser *p)
{
	for (;;) {
		p->at += strspn(p->at, " \t\r\n");
		if (*p->at != '#')
			return;
		p->at += strcspn(p->at, "\n");
	}
}

static bool
accept(struct parser *p, const char *token)
{
	size_t len = strlen(token);

	varlink_skip_blanks(p);
	if (strncmp(p->at, token, len) != 0)
		return false;
	p->at += len;
	return true;
}

static bool
expect(struct parser *p, const char *token)
{
	char what[8];

	if (accept(p, token))
		return true;
	snprintf(what, sizeof(what), "'%s'", token);
	fail_expected(p, what);
	return false;
}

static bool
accept_word(struct parser *p, const char *word)
{
	varlink_skip_blanks(p);
	if (strspn(p->at, ALNUM "_") != strlen(word))
		return false;
	return accept(p, word);
}

/* A word made of `set` that begins with one of `first`. */
static const char *
varlink_take_word(
    struct parser *p, const char *first, const char *set, const char *what)
{
	size_t len;
	char *word;

	varlink_skip_blanks(p);
	len = strspn(p->at, set);
	if (len == 0 || strchr(first, *p->at) == NULL) {
		fail_expected(p, what);
		return NULL;
	}
	word = parser_take(p, len + 1);
	memcpy(word, p->at, len);
	p->at += len;
	return word;
}

static const char *
take_field_name(struct parser *p)
{
	const char *name =
	    varlink_take_word(p, LETTERS, ALNUM "_", "a field's name");

	if (name == NULL)
		return NULL;
	if (strstr(name, "__") != NULL || name[strlen(name) - 1] == '_') {
		fail(p, p->at, "'%s' has an underscore too many", name);
		return NULL;
	}
	return name;
}

/* Labels with dots between them, each label without '-' at its ends. */
static bool
is_interface_name(const char *name)
{
	size_t labels = 0, len;

	for (;; name += len + 1) {
		len = strcspn(name, ".");
		if (len == 0 || name[0] == '-' || name[len - 1] == '-')
			return false;
		labels++;
		if (name[len] == '\0')
			return labels > 1;
	}
}

/* ---- types ---- */

static struct varlink_type *parse_type(struct parser *p);

static struct varlink_type *
new_type(struct parser *p, enum varlink_kind kind)
{
	struct varlink_type *type = parser_take(p, sizeof(*type));

	type->kind = kind;
	return type;
}

static struct varlink_type *
parse_name(struct parser *p)
{
	static const char *const plain[] = {
	    [TYPE_BOOL] = "bool",
	    [TYPE_INT] = "int",
	    [TYPE_FLOAT] = "float",
	    [TYPE_STRING] = "string",
	    [TYPE_OBJECT] = "object",
	};
	const char *at;
	struct varlink_type *type;

	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (accept_word(p, plain[i]))
			return new_type(p, (enum varlink_kind)i);
	at = p->at;
	type = new_type(p, TYPE_NAMED);
	type->name = varlink_take_word(p, UPPER, ALNUM, "a type");
	if (type->name == NULL)
		return NULL;
	type->at = at;
	type->next_named = p->interface->named;
	p->interface->named = type;
	return type;
}

static struct varlink_type *
parse_wrapped(struct parser *p, enum varlink_kind kind)
{
	struct varlink_type *type = new_type(p, kind);
	const char *at = p->at;

	type->element = parse_type(p);
	if (type->element == NULL)
		return NULL;
	if (kind == TYPE_OPTIONAL && type->element->kind == kind) {
		fail(p, at, "'?' twice; once is right");
		return NULL;
	}
	return type;
}

static struct varlink_field *
varlink_parse_field(struct parser *p, struct varlink_type *group)
{
	struct varlink_field *field = parser_take(p, sizeof(*field));

	field->name = take_field_name(p);
	if (field->name == NULL)
		return NULL;
	if (varlink_type_field(group, field->name) != NULL) {
		fail(p, p->at, "'%s' a second time", field->name);
		return NULL;
	}
	if (!expect(p, ":"))
		return NULL;
	field->type = parse_type(p);
	return field->type != NULL ? field : NULL;
}

/* A struct, whose '(' has been read. */
static struct varlink_type *
varlink_parse_group(struct parser *p)
{
	struct varlink_type *group = new_type(p, TYPE_STRUCT);
	struct varlink_field **last;

	if (accept(p, ")"))
		return group;
	last = &group->fields;
	do {
		*last = varlink_parse_field(p, group);
		if (*last == NULL)
			return NULL;
		last = &(*last)->next;
	} while (accept(p, ","));
	return expect(p, ")") ? group : NULL;
}

static struct varlink_type *
parse_type(struct parser *p)
{
	if (accept(p, "?"))
		return parse_wrapped(p, TYPE_OPTIONAL);
	if (accept(p, "[]"))
		return parse_wrapped(p, TYPE_ARRAY);
	if (accept(p, "("))
		return varlink_parse_group(p);
	return parse_name(p);
}

static struct varlink_type *
parse_struct(struct parser *p)
{
	return expect(p, "(") ? varlink_parse_group(p) : NULL;
}

/* ---- members ---- */

/* Types, methods and errors share one space of names. */
static const char *
take_new_name(struct parser *p)
{
	const struct varlink_interface *interface = p->interface;
	const char *name =
	    varlink_take_word(p, UPPER, ALNUM, "a name like 'Name'");

	if (name == NULL)
		return NULL;
	if (varlink_definition_find(interface->types, name) != NULL ||
	    varlink_definition_find(interface->errors, name) != NULL ||
	    varlink_interface_method(interface, name) != NULL) {
		fail(p, p->at, "'%s' is declared a second time", name);
		return NULL;
	}
	return name;
}

static void
parse_typedef(struct parser *p)
{
	struct varlink_definition *definition =
	    parser_take(p, sizeof(*definition));

	definition->name = take_new_name(p);
	if (definition->name == NULL || !expect(p, "("))
		return;
	definition->type = varlink_parse_group(p);
	definition->next = p->interface->types;
	p->interface->types = definition;
}

static void
parse_error(struct parser *p)
{
	struct varlink_definition *definition =
	    parser_take(p, sizeof(*definition));

	definition->name = take_new_name(p);
	if (definition->name == NULL)
		return;
	definition->type = parse_struct(p);
	*p->last_error = definition;
	p->last_error = &definition->next;
}

static void
parse_method(struct parser *p)
{
	struct varlink_method *method = parser_take(p, sizeof(*method));

	method->name = take_new_name(p);
	if (method->name == NULL)
		return;
	method->input = parse_struct(p);
	if (method->input == NULL || !expect(p, "->"))
		return;
	method->output = parse_struct(p);
	*p->last_method = method;
	p->last_method = &method->next;
}

static void
parse_member(struct parser *p)
{
	static const struct {
		const char *keyword;
		void (*parse)(struct parser *);
	} members[] = {
	    {"type", parse_typedef},
	    {"method", parse_method},
	    {"error", parse_error},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (accept_word(p, members[i].keyword)) {
			members[i].parse(p);
			return;
		}
	}
	fail_expected(p, "'type', 'method' or 'error'");
}

static void
parse_head(struct parser *p)
{
	const char *name;

	if (!accept_word(p, "interface")) {
		fail_expected(p, "'interface'");
		return;
	}
	name =
	    varlink_take_word(p, LETTERS, ALNUM ".-", "the interface's name");
	if (name != NULL && !is_interface_name(name))
		fail(p, p->at,
		    "'%s' is no interface name; one like "
		    "'org.example.thing' is",
		    name);
	p->interface->name = name;
}

static void
resolve_names(struct parser *p)
{
	const struct varlink_definition *definition;

	for (struct varlink_type *t = p->interface->named; t != NULL;
	     t = t->next_named) {
		definition =
		    varlink_definition_find(p->interface->types, t->name);
		if (definition == NULL) {
			fail(p, t->at, "there is no type '%s'", t->name);
			return;
		}
		t->element = definition->type;
	}
}

enum jw_err
varlink_interface_parse(const char *text,
    struct varlink_interface **ret_interface, struct jw_why *why)
{
	struct varlink_interface *interface = jw_zalloc(sizeof(*interface));
	struct parser p = {.at = text, .interface = interface, .why = why};

	interface->text = text;
	p.last_method = &interface->methods;
	p.last_error = &interface->errors;
	parse_head(&p);
	varlink_skip_blanks(&p);
	while (p.err == JW_OK && *p.at != '\0') {
		parse_member(&p);
		varlink_skip_blanks(&p);
	}
	if (p.err == JW_OK)
		resolve_names(&p);
	if (p.err != JW_OK) {
		varlink_interface_free(interface);
		return p.err;
	}
	*ret_interface = interface;
	return JW_OK;
}
