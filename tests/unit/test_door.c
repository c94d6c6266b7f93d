/*
 * The tables of verbs against the interface descriptions: a verb for each
 * method, and in its layouts the fields of the method, each with its type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/wire/varlink.h"
#include "common/wire/varlink_interface.h"
#include "common/wire/varlink_service.h"
#include "common/wire/varlink_struct.h"
#include "daemon/publish/publish.h"
#include "daemon/verbs/sign.h"
#include "daemon/verbs/verbs.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what differs ---- */

static bool
is_fitting(const struct varlink_field *field,
    const struct varlink_member *member, bool is_input)
{
	const struct varlink_codec *codec = member->codec;

	if (strcmp(field->type, codec->type) != 0 ||
	    member->size != codec->size)
		return false;
	if (!is_input)
		return codec->encode != NULL;
	return codec->decode != NULL &&
	       (codec->may_be_absent || !field->is_optional);
}

static const struct varlink_member *
find_member(const struct varlink_layout *layout, const char *name)
{
	for (size_t i = 0; i < layout->count; i++)
		if (strcmp(layout->members[i].name, name) == 0)
			return &layout->members[i];
	return NULL;
}

static bool
has_field(const struct varlink_field *fields, const char *name)
{
	while (fields->name != NULL && strcmp(fields->name, name) != 0)
		fields++;
	return fields->name != NULL;
}

/*
 * The first field or member that differs, or NULL.  A request's layout serves
 * several methods and may have more members than one of them has fields.
 */
static const char *
layout_misfit(const struct varlink_field *fields,
    const struct varlink_layout *layout, bool is_input)
{
	if (layout == NULL)
		return NULL;
	for (const struct varlink_field *f = fields; f->name != NULL; f++) {
		const struct varlink_member *member =
		    find_member(layout, f->name);

		if (member == NULL || !is_fitting(f, member, is_input))
			return f->name;
	}
	for (size_t i = 0; !is_input && i < layout->count; i++)
		if (!has_field(fields, layout->members[i].name))
			return layout->members[i].name;
	return NULL;
}

/* The same of a verb. */
static const char *
verb_misfit(
    const struct varlink_interface *interface, const struct varlink_verb *verb)
{
	const struct varlink_method *method =
	    varlink_method_find(interface, verb->method);
	const char *name;

	if (method == NULL || verb->run == NULL)
		return verb->method;
	if (verb->request != NULL && verb->request->size > VARLINK_REQUEST_MAX)
		return "too large";
	name = layout_misfit(method->input, verb->request, true);
	return name != NULL ? name
			    : layout_misfit(method->output, verb->reply, false);
}

static const struct varlink_verb *
find_verb(const struct varlink_verb *verb, const char *method)
{
	while (verb->method != NULL && strcmp(verb->method, method) != 0)
		verb++;
	return verb;
}

/* What is wrong with a service, in text; "" when nothing is. */
static void
describe_misfit(const struct varlink_service *service, char *text, size_t size)
{
	const struct varlink_verb *verb = service->verbs;
	const struct varlink_method *method = service->interface->methods;
	const char *name;

	text[0] = '\0';
	for (; verb->method != NULL; verb++) {
		name = verb_misfit(service->interface, verb);
		if (name != NULL)
			snprintf(text, size, "%s: %s", verb->method, name);
		else if (find_verb(service->verbs, verb->method) != verb)
			snprintf(text, size, "%s: twice", verb->method);
	}
	for (; method->name != NULL; method++)
		if (find_verb(service->verbs, method->name)->method == NULL)
			snprintf(text, size, "%s: no verb", method->name);
}

/* ---- our services ---- */

static void
every_method_has_its_verb(void **state)
{
	static const struct varlink_service *const services[] = {
	    &verbs_service, &verbs_sign_service, &publish_service};
	char text[VARLINK_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(services); i++) {
		describe_misfit(services[i], text, sizeof(text));
		if (text[0] != '\0')
			fail_msg("%s.%s", services[i]->interface->name, text);
	}
}

/* ---- services that differ ---- */

extern const struct varlink_interface varlink_org_example_small;

struct pair {
	int64_t n;
	struct varlink_maybe_int maybe;
	const char *s;
};

static const struct varlink_layout int_n =
    VARLINK_LAYOUT(pair, VARLINK_MEMBER(pair, "n", n, varlink_int));
static const struct varlink_layout wrong_size =
    VARLINK_LAYOUT(pair, VARLINK_MEMBER(pair, "n", n, varlink_maybe_int));
static const struct varlink_layout maybe_n =
    VARLINK_LAYOUT(pair, VARLINK_MEMBER(pair, "n", maybe, varlink_maybe_int));
static const struct varlink_layout one_more =
    VARLINK_LAYOUT(pair, VARLINK_MEMBER(pair, "s", s, varlink_string),
	VARLINK_MEMBER(pair, "m", maybe, varlink_maybe_int));
static const struct varlink_layout string_as_int =
    VARLINK_LAYOUT(pair, VARLINK_MEMBER(pair, "s", n, varlink_int));
static const struct varlink_layout just_s =
    VARLINK_LAYOUT(pair, VARLINK_MEMBER(pair, "s", s, varlink_string));
static const struct varlink_layout empty = {NULL, 0, sizeof(struct pair)};
static const struct varlink_layout large = {NULL, 0, VARLINK_REQUEST_MAX + 1};

static void
run(struct serve_call *call, const void *request, void *context)
{
	(void)call;
	(void)request;
	(void)context;
}

static void
differences_are_found(void **state)
{
	static const struct {
		struct varlink_verb verbs[5];
		const char *text;
	} rows[] = {
	    {{{"Three", 0, run, NULL, NULL}, {"One", 0, run, &maybe_n, NULL},
		 {"Two", 0, run, &one_more, &just_s}},
		""},
	    {{{"Two", 0, run, NULL, NULL}, {"Three", 0, run, NULL, NULL}},
		"One: no verb"},
	    {{{"One", 0, run, NULL, NULL}, {"Two", 0, run, NULL, NULL},
		 {"Three", 0, run, NULL, NULL}, {"Four", 0, run, NULL, NULL}},
		"Four: Four"},
	    {{{"One", 0, run, NULL, NULL}, {"Two", 0, run, NULL, NULL},
		 {"Three", 0, run, NULL, NULL}, {"Two", 0, run, NULL, NULL}},
		"Two: twice"},
	    {{{"Two", 0, run, NULL, NULL}, {"Three", 0, run, NULL, NULL},
		 {"One", 0, NULL, NULL, NULL}},
		"One: One"},
	    {{{"Two", 0, run, NULL, NULL}, {"Three", 0, run, NULL, NULL},
		 {"One", 0, run, &int_n, NULL}},
		"One: n"},
	    {{{"Two", 0, run, NULL, NULL}, {"Three", 0, run, NULL, NULL},
		 {"One", 0, run, &wrong_size, NULL}},
		"One: n"},
	    {{{"Two", 0, run, NULL, NULL}, {"Three", 0, run, NULL, NULL},
		 {"One", 0, run, &large, NULL}},
		"One: too large"},
	    {{{"One", 0, run, NULL, NULL}, {"Three", 0, run, NULL, NULL},
		 {"Two", 0, run, NULL, &one_more}},
		"Two: m"},
	    {{{"One", 0, run, NULL, NULL}, {"Three", 0, run, NULL, NULL},
		 {"Two", 0, run, NULL, &string_as_int}},
		"Two: s"},
	    {{{"One", 0, run, NULL, NULL}, {"Two", 0, run, NULL, NULL},
		 {"Three", 0, run, &empty, NULL}},
		"Three: o"},
	};
	char text[VARLINK_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct varlink_service service = {
		    &varlink_org_example_small, rows[i].verbs};

		describe_misfit(&service, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_method_has_its_verb),
	    cmocka_unit_test(differences_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
