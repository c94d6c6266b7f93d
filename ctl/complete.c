/*
 * Candidates for the completion of shells, from the same table as everything
 * else.  Must never print an error: it would land in somebody's command line.
 */
#include "ctl/complete.h"

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/config/policy.h"
#include "ctl/call/context.h"
#include "ctl/call/request.h"
#include "ctl/command.h"

enum { NAME_SIZE = 64 };

/* The words before the cursor, understood. */
struct place {
	struct ctl *ctl;
	const char *prefix;
	const char *first;                 /* word of a command; NULL: none */
	const struct ctl_command *command; /* NULL: none yet */
	const struct ctl_option *valued;   /* its value is wanted */
	size_t nargs;
};

static void
ctl_offer(const struct place *place, const char *word, const char *what)
{
	/* What a terminal would act upon is no candidate. */
	for (const char *p = word; *p != '\0'; p++) {
		if (iscntrl((unsigned char)*p))
			return;
	}
	if (strncmp(word, place->prefix, strlen(place->prefix)) == 0)
		printf("%s\t%s\n", word, what);
}

/* ---- where the cursor is ---- */

static bool
is_offered(const struct place *place, const struct ctl_option *option)
{
	return option->bit == 0 ||
	       (place->command != NULL &&
		   ctl_option_applies(option, place->command));
}

static void
read_option(struct place *place, const char *name)
{
	for (const struct ctl_option *o = ctl_options(); o->name != NULL; o++)
		if (is_offered(place, o) && strcmp(o->name, name) == 0 &&
		    o->value != NULL)
			place->valued = o;
}

static void
read_argument(struct place *place, const char *word)
{
	const struct ctl_command *longer;
	char name[NAME_SIZE];

	if (place->first == NULL) {
		place->first = word;
		place->command = ctl_command_find(word);
		return;
	}
	snprintf(name, sizeof(name), "%s %s", place->first, word);
	longer = place->nargs == 0 ? ctl_command_find(name) : NULL;
	if (longer != NULL && longer != place->command)
		place->command = longer;
	else
		place->nargs++;
}

static void
read_word(struct place *place, const char *word)
{
	if (place->valued != NULL) {
		if (strcmp(place->valued->name, "socket") == 0)
			place->ctl->socket = word;
		place->valued = NULL;
	} else if (strncmp(word, "--", 2) == 0) {
		read_option(place, word + 2);
	} else if (word[0] != '-') {
		read_argument(place, word);
	}
}

/* ---- candidates ---- */

static void
offer_commands(const struct place *place)
{
	const struct ctl_command *command;

	for (size_t i = 0; (command = ctl_command_at(i)) != NULL; i++) {
		if (strchr(command->name, ' ') == NULL)
			ctl_offer(place, command->name, command->summary);
	}
}

/* The second words of a group. */
static void
offer_group(const struct place *place)
{
	const struct ctl_command *command;

	for (size_t i = 0; (command = ctl_command_at(i)) != NULL; i++) {
		if (ctl_command_in_group(command, place->first))
			ctl_offer(place, strchr(command->name, ' ') + 1,
			    command->summary);
	}
}

static void
offer_options(const struct place *place)
{
	char word[NAME_SIZE];

	for (const struct ctl_option *o = ctl_options(); o->name != NULL; o++) {
		snprintf(word, sizeof(word), "--%s", o->name);
		if (is_offered(place, o))
			ctl_offer(place, word, o->help);
	}
}

static void
offer_parameters(const struct place *place)
{
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);
	char word[NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		snprintf(word, sizeof(word), "%s=", params[i].snake);
		ctl_offer(place, word, "");
	}
}

static const char *
ctl_text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static enum jw_err
take_key_sets(struct ctl *ctl, const struct json_t *reply, void *arg)
{
	const json_t *set;
	size_t i;

	(void)ctl;
	json_array_foreach (json_object_get(reply, "keySets"), i, set)
		ctl_offer(
		    arg, ctl_text_of(set, "name"), ctl_text_of(set, "alg"));
	return JW_OK;
}

static enum jw_err
take_keys(struct ctl *ctl, const struct json_t *reply, void *arg)
{
	const json_t *key;
	char what[2 * NAME_SIZE], name[4 * NAME_SIZE];
	size_t i;

	(void)ctl;
	json_array_foreach (json_object_get(reply, "keys"), i, key) {
		snprintf(name, sizeof(name), "%s#%lld",
		    ctl_text_of(key, "keySet"),
		    (long long)json_integer_value(
			json_object_get(key, "generation")));
		snprintf(what, sizeof(what), "%s", ctl_text_of(key, "state"));
		ctl_offer(arg, name, what);
		ctl_offer(arg, ctl_text_of(key, "kid"), what);
	}
	return JW_OK;
}

static enum jw_err
take_interfaces(struct ctl *ctl, const struct json_t *reply, void *arg)
{
	const json_t *interface;
	size_t i;

	(void)ctl;
	json_array_foreach (json_object_get(reply, "interfaces"), i, interface)
		if (json_is_string(interface))
			ctl_offer(arg, json_string_value(interface), "");
	return JW_OK;
}

static void
offer_key_sets(const struct place *place)
{
	(void)call_method_each(place->ctl, CTL_INTERFACE "ListKeySets", NULL,
	    take_key_sets, (void *)(uintptr_t)place);
}

static void
offer_keys(const struct place *place)
{
	(void)call_method_each(place->ctl, CTL_INTERFACE "ListKeys", NULL,
	    take_keys, (void *)(uintptr_t)place);
}

static void
offer_interfaces(const struct place *place)
{
	json_t *reply = NULL;

	if (call_method(place->ctl, "org.varlink.service.GetInfo", NULL,
		&reply) == JW_OK)
		take_interfaces(place->ctl, reply, (void *)(uintptr_t)place);
	json_decref(reply);
}

static void
offer_methods(const struct place *place)
{
	const struct ctl_command *command, *before;

	for (size_t i = 0; (command = ctl_command_at(i)) != NULL; i++) {
		bool seen = command->method == NULL;

		for (size_t j = 0; j < i && !seen; j++) {
			before = ctl_command_at(j);
			seen = before->method != NULL &&
			       strcmp(before->method, command->method) == 0;
		}
		if (!seen)
			ctl_offer(place, command->method, "");
	}
}

static void
offer_styles(const struct place *place)
{
	ctl_offer(place, "relative", "for people");
	ctl_offer(place, "iso", "RFC 3339");
	ctl_offer(place, "unix", "seconds since the epoch");
}

/* By what help calls an argument or the value of an option. */
static const struct {
	const char *name;
	void (*offer)(const struct place *place);
} kinds[] = {
    {"KEYSET", offer_key_sets},
    {"NAME", offer_key_sets},
    {"KEY", offer_keys},
    {"PARAM=VALUE", offer_parameters},
    {"COMMAND", offer_commands},
    {"INTERFACE", offer_interfaces},
    {"METHOD", offer_methods},
    {"STYLE", offer_styles},
};

static void
offer_kind(const struct place *place, const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strlen(kinds[i].name) == len &&
		    strncmp(kinds[i].name, name, len) == 0)
			kinds[i].offer(place);
	}
}

/* The argument in turn of "NAME PARAM=VALUE..."; the last one repeats. */
static void
offer_argument(const struct place *place)
{
	const char *at = place->command->arguments, *last = NULL;
	size_t n = place->nargs;

	for (at += strspn(at, " ["); *at != '\0'; at += strspn(at, " []")) {
		last = at;
		if (n-- == 0)
			break;
		at += strcspn(at, " ]");
	}
	if (last == NULL || (*at == '\0' && strstr(last, "...") == NULL))
		return;
	offer_kind(place, last, strcspn(last, " ].|"));
}

void
ctl_complete(struct ctl *ctl, const char *const *words, size_t count)
{
	struct place place = {.ctl = ctl, .prefix = ""};

	for (size_t i = 0; i + 1 < count; i++)
		read_word(&place, words[i]);
	if (count > 0)
		place.prefix = words[count - 1];
	if (place.valued != NULL) {
		offer_kind(
		    &place, place.valued->value, strlen(place.valued->value));
	} else if (place.prefix[0] == '-') {
		offer_options(&place);
	} else if (place.first == NULL) {
		offer_commands(&place);
	} else {
		if (place.nargs == 0)
			offer_group(&place);
		if (place.command != NULL)
			offer_argument(&place);
	}
	(void)fflush(stdout);
}
