/*
 * Candidates for the completion of shells, from the table of commands.
 *
 * Must never print an error: it would land in an operator's command line.
 */
#include "ctl/complete.h"

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/config/policy.h"
#include "ctl/arguments.h"
#include "ctl/call/context.h"
#include "ctl/call/request.h"
#include "ctl/command.h"

enum { NAME_SIZE = 64 };

struct completion {
	struct ctl *ctl;    /* with the words before the cursor */
	const char *prefix; /* the word at the cursor */
	const struct ctl_command *command; /* NULL: none yet */
};

static void
offer(const struct completion *c, const char *word, const char *meaning)
{
	/* Control characters would steer the terminal. */
	for (const char *p = word; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			return;
	if (strncmp(word, c->prefix, strlen(c->prefix)) == 0)
		printf("%s\t%s\n", word, meaning);
}

/* ---- candidates from our tables ---- */

/* The commands of one word; with group those whose first word it is. */
static void
offer_commands_of(const struct completion *c, const char *group)
{
	const struct ctl_command *command;

	for (size_t i = 0; (command = ctl_command_at(i)) != NULL; i++) {
		const char *blank = strchr(command->name, ' ');

		if (group == NULL ? blank == NULL
				  : ctl_command_in_group(command, group))
			offer(c, blank != NULL ? blank + 1 : command->name,
			    command->summary);
	}
}

static void
offer_commands(const struct completion *c)
{
	offer_commands_of(c, NULL);
}

static void
offer_options(const struct completion *c)
{
	char word[NAME_SIZE];

	for (const struct ctl_option *o = ctl_options(); o->name != NULL; o++) {
		snprintf(word, sizeof(word), "--%s", o->name);
		if (o->bit == 0 ||
		    (c->command != NULL && ctl_option_applies(o, c->command)))
			offer(c, word, o->help);
	}
}

static void
offer_parameters(const struct completion *c)
{
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);
	char word[NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		snprintf(word, sizeof(word), "%s=", params[i].snake);
		offer(c, word, "");
	}
}

/* Several commands may call one method. */
static void
offer_methods(const struct completion *c)
{
	const struct ctl_command *command, *other;

	for (size_t i = 0; (command = ctl_command_at(i)) != NULL; i++) {
		bool is_first = command->method != NULL;

		for (size_t j = 0; j < i && is_first; j++) {
			other = ctl_command_at(j);
			is_first = other->method == NULL ||
				   strcmp(other->method, command->method) != 0;
		}
		if (is_first)
			offer(c, command->method, "");
	}
}

static void
offer_styles(const struct completion *c)
{
	offer(c, "relative", "for people");
	offer(c, "iso", "RFC 3339");
	offer(c, "unix", "seconds since the epoch");
}

/* ---- candidates from the daemon ---- */

static const char *
member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static void
offer_key_set(const struct completion *c, const json_t *key_set)
{
	offer(c, member(key_set, "name"), member(key_set, "alg"));
}

static void
offer_key(const struct completion *c, const json_t *key)
{
	char name[4 * NAME_SIZE];

	snprintf(name, sizeof(name), "%s#%" JSON_INTEGER_FORMAT,
	    member(key, "keySet"),
	    json_integer_value(json_object_get(key, "generation")));
	offer(c, name, member(key, "state"));
	offer(c, member(key, "kid"), member(key, "state"));
}

static void
offer_interface(const struct completion *c, const json_t *name)
{
	if (json_is_string(name))
		offer(c, json_string_value(name), "");
}

/* By what help calls an argument or the value of an option. */
static const struct kind {
	const char *name;
	void (*offer)(const struct completion *c); /* NULL: ask the daemon */
	const char *method, *list;
	void (*offer_item)(const struct completion *c, const json_t *item);
} kinds[] = {
    {"KEYSET", NULL, CTL_INTERFACE "ListKeySets", "keySets", offer_key_set},
    {"NAME", NULL, CTL_INTERFACE "ListKeySets", "keySets", offer_key_set},
    {"KEY", NULL, CTL_INTERFACE "ListKeys", "keys", offer_key},
    {"INTERFACE", NULL, "org.varlink.service.GetInfo", "interfaces",
	offer_interface},
    {"PARAM=VALUE", offer_parameters, NULL, NULL, NULL},
    {"COMMAND", offer_commands, NULL, NULL, NULL},
    {"METHOD", offer_methods, NULL, NULL, NULL},
    {"STYLE", offer_styles, NULL, NULL, NULL},
};

static void
offer_from_daemon(const struct completion *c, const struct kind *kind)
{
	json_t *reply = NULL;
	const json_t *item;
	size_t i;

	call_method_all(c->ctl, kind->method, NULL, kind->list, &reply);
	json_array_foreach (json_object_get(reply, kind->list), i, item)
		kind->offer_item(c, item);
	json_decref(reply);
}

static void
offer_kind(const struct completion *c, const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strlen(kinds[i].name) != len ||
		    memcmp(kinds[i].name, name, len) != 0)
			continue;
		if (kinds[i].offer != NULL)
			kinds[i].offer(c);
		else
			offer_from_daemon(c, &kinds[i]);
	}
}

/* The argument in turn of "NAME PARAM=VALUE..."; the last one repeats. */
static void
offer_argument(const struct completion *c)
{
	const char *at = c->command->arguments, *last = NULL;
	size_t n = c->ctl->arguments.count;

	for (at += strspn(at, " ["); *at != '\0'; at += strspn(at, " []")) {
		last = at;
		if (n-- == 0)
			break;
		at += strcspn(at, " ]");
	}
	if (last == NULL || (*at == '\0' && strstr(last, "...") == NULL))
		return;
	offer_kind(c, last, strcspn(last, " ].|"));
}

void
ctl_complete(struct ctl *ctl, int argc, char *const argv[])
{
	struct completion c = {
	    .ctl = ctl,
	    .prefix = argc > 1 ? argv[argc - 1] : "",
	};
	const struct ctl_option *valued =
	    ctl_arguments_take(argc - (argc > 1), argv, ctl, &c.command);
	const char *socket = call_option(ctl, "socket");

	if (socket != NULL)
		ctl->socket = socket;
	if (valued != NULL) {
		offer_kind(&c, valued->value, strlen(valued->value));
	} else if (c.prefix[0] == '-') {
		offer_options(&c);
	} else if (c.command != NULL) {
		if (ctl->arguments.count == 0)
			offer_commands_of(&c, c.command->name);
		offer_argument(&c);
	} else if (ctl->arguments.count == 0) {
		offer_commands(&c);
	}
	fflush(stdout);
}
