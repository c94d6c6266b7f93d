/*
 * What every command that changes something has in common.
 *
 * A request carries one id, so that a broken connection can be tried again
 * without doing it twice.  What is dangerous is looked at by a dry run first,
 * and nothing but what was looked at is done.
 */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "ctl/call/change.h"
#include "ctl/call/confirm.h"
#include "ctl/call/context.h"
#include "ctl/call/policy_words.h"
#include "ctl/call/request.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

enum { ID_OCTETS = 16, ID_SIZE = 2 * ID_OCTETS + 1, METHOD_SIZE = 64 };

/* ---- parameters ---- */

enum jw_err
call_change_expect(struct json_t *parameters, long long generation)
{
	return json_object_set_new(parameters, "expectGeneration",
		   json_integer(generation)) == 0
		   ? JW_OK
		   : JW_NO_MEMORY;
}

static enum jw_err
take_generation(struct ctl *ctl, json_t *parameters)
{
	const char *text = call_option(ctl, "if-gen");
	long long number;
	char *end;

	if (text == NULL)
		return JW_OK;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
	    number < 1) {
		jw_why_set(&ctl->why,
		    "--if-gen: \"%s\" is no generation: 1, 2, 3 and so on",
		    text);
		return JW_USAGE;
	}
	return call_change_expect(parameters, number);
}

enum jw_err
call_change_take_options(struct ctl *ctl, struct json_t *parameters)
{
	const char *reason = call_option(ctl, "reason");

	if (reason != NULL &&
	    json_object_set_new(parameters, "reason", json_string(reason)) != 0)
		return call_not_utf8(ctl);
	return take_generation(ctl, parameters);
}

static enum jw_err
random_id(struct ctl *ctl, char *ret_id)
{
	unsigned char octets[ID_OCTETS];

	if (getrandom(octets, sizeof(octets), 0) != (ssize_t)sizeof(octets)) {
		jw_why_set(&ctl->why, "getrandom: %s", strerror(errno));
		return JW_IO;
	}
	for (size_t i = 0; i < ID_OCTETS; i++)
		snprintf(ret_id + 2 * i, 3, "%02x", octets[i]);
	return JW_OK;
}

static enum jw_err
add_request_id(struct ctl *ctl, const struct call_change *change)
{
	const char *given =
	    change->own_id ? NULL : call_option(ctl, "request-id");
	char id[ID_SIZE];
	enum jw_err err;

	if (given == NULL) {
		err = random_id(ctl, id);
		if (err != JW_OK)
			return err;
		given = id;
	}
	if (*given == '\0') {
		jw_why_set(&ctl->why, "--request-id is empty");
		return JW_USAGE;
	}
	return json_object_set_new(
		   change->parameters, "requestId", json_string(given)) == 0
		   ? JW_OK
		   : call_not_utf8(ctl);
}

/* ---- what came of it ---- */

enum jw_err
call_change_key(struct ctl *ctl, const struct json_t *reply, const char *name,
    bool *ret_has, struct reply_key *ret_key)
{
	const json_t *object;
	enum jw_err err = reply_object(reply, name, &object, &ctl->why);

	if (err != JW_OK)
		return err;
	*ret_has = object != NULL;
	return object != NULL ? reply_key(object, ret_key, &ctl->why) : JW_OK;
}

static enum jw_err
print_quiet(struct ctl *ctl, const json_t *reply, const char *member)
{
	const json_t *object = NULL;
	const char *name = NULL;
	enum jw_err err = JW_OK;

	if (member != NULL)
		err = reply_object(reply, member, &object, &ctl->why);
	if (err != JW_OK || object == NULL)
		return err;
	err = reply_string(object, "kid", &name, &ctl->why);
	if (err == JW_OK && name == NULL)
		err = reply_name(object, "name", &name, &ctl->why);
	if (err == JW_OK)
		printf("%s\n", name);
	return err;
}

static enum jw_err
print_reply(struct ctl *ctl, const struct call_change *change,
    const json_t *reply, bool dry)
{
	json_t *shown;
	enum jw_err err;

	if (ctl->json)
		return call_print_json(ctl, reply);
	shown = out_visible(&ctl->text, reply);
	if (shown == NULL)
		return JW_NO_MEMORY;
	if (ctl->quiet)
		err = print_quiet(ctl, shown, change->quiet);
	else
		err = change->tell(ctl, shown, dry, stdout);
	json_decref(shown);
	return err == JW_OK ? call_flush(ctl) : err;
}

/* ---- how to repeat it ---- */

/* Append to the hint, silently up to its end. */
static void __attribute__((format(printf, 2, 3)))
hint_more(struct jw_why *why, const char *fmt, ...)
{
	size_t used = strlen(why->hint);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->hint + used, sizeof(why->hint) - used, fmt, ap);
	va_end(ap);
}

static void
hint_quoted(struct jw_why *why, const char *word)
{
	hint_more(why, " '");
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			hint_more(why, "'\\''");
		else
			hint_more(why, "%c", *word);
	}
	hint_more(why, "'");
}

/* A word as a shell takes it. */
static void
hint_word(struct jw_why *why, const char *word)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_-./#=:@,+";

	if (*word != '\0' && *word != '#' && word[strspn(word, plain)] == '\0')
		hint_more(why, " %s", word);
	else
		hint_quoted(why, word);
}

static void
hint_numbers(struct jw_why *why, const json_t *parameters)
{
	static const char *const numbers[][2] = {
	    {"expectGeneration", "--if-gen "},
	    {"at", "--at @"},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		const json_t *value =
		    json_object_get(parameters, numbers[i][0]);

		if (value != NULL)
			hint_more(why, " %s%" JSON_INTEGER_FORMAT,
			    numbers[i][1], json_integer_value(value));
	}
}

static void
hint_arguments(struct jw_why *why, const struct call_change *change)
{
	const char *name = json_string_value(
	    json_object_get(change->parameters, change->named));

	/* A kid may begin like an option. */
	if (name != NULL && *name == '-')
		hint_more(why, " --");
	if (name != NULL)
		hint_word(why, name);
	for (size_t i = 0; i < change->nmore; i++)
		hint_word(why, change->more[i]);
}

/*
 * The daemon compares: only the very same request has the first one's outcome.
 * So what we added, and what was relative, must be in the command.
 */
static void
hint_repetition(struct ctl *ctl, const struct call_change *change)
{
	static const char *const flags[] = {"now", "cancel", "force"};
	const json_t *parameters = change->parameters;
	const json_t *reason = json_object_get(parameters, "reason");
	struct jw_why *why = &ctl->why;

	jw_why_hint(why,
	    "to repeat it without doing it twice: jwksctl %s --request-id",
	    change->command);
	hint_word(
	    why, json_string_value(json_object_get(parameters, "requestId")));
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		if (json_is_true(json_object_get(parameters, flags[i])))
			hint_more(why, " --%s", flags[i]);
	}
	if (change->danger != NULL)
		hint_more(why, " --yes");
	hint_numbers(why, parameters);
	if (reason != NULL) {
		hint_more(why, " --reason");
		hint_word(why, json_string_value(reason));
	}
	hint_arguments(why, change);
}

/* ---- the three ways to ask ---- */

static const char *
method_of(const struct call_change *change, char *buf)
{
	snprintf(buf, METHOD_SIZE, CTL_INTERFACE "%s", change->method);
	return buf;
}

static enum jw_err
dry_run(struct ctl *ctl, const struct call_change *change, json_t **ret_reply)
{
	char method[METHOD_SIZE];
	json_t *dry = json_copy(change->parameters);
	enum jw_err err = JW_NO_MEMORY;

	if (dry != NULL && json_object_set_new(dry, "dryRun", json_true()) == 0)
		err =
		    call_method(ctl, method_of(change, method), dry, ret_reply);
	json_decref(dry);
	return err;
}

/* Say what will happen on standard error, and ask. */
static enum jw_err
look_first(struct ctl *ctl, struct call_change *change)
{
	json_t *reply = NULL, *shown = NULL;
	enum jw_err err = dry_run(ctl, change, &reply);

	if (err != JW_OK)
		return err;
	shown = out_visible(&ctl->text, reply);
	err = shown == NULL ? JW_NO_MEMORY
			    : change->tell(ctl, shown, true, stderr);
	if (err == JW_OK && change->pin != NULL)
		err = change->pin(ctl, reply, change->parameters);
	if (err == JW_OK)
		call_confirm(ctl, change->question);
	json_decref(shown);
	json_decref(reply);
	return err;
}

/* A script that repeats a request must not be told of what it did before. */
static bool
is_repetition(const struct ctl *ctl)
{
	return ctl->yes && call_flag(ctl, "request-id");
}

static enum jw_err
do_it(struct ctl *ctl, const struct call_change *change, json_t **ret_reply)
{
	char method[METHOD_SIZE];
	enum jw_err err = call_method_surely(
	    ctl, method_of(change, method), change->parameters, ret_reply);

	if (err == JW_OUTCOME_UNKNOWN)
		hint_repetition(ctl, change);
	return err;
}

/* Is it to be done?  If not: an error, or ctl->declined. */
static enum jw_err
call_prepare(struct ctl *ctl, struct call_change *change)
{
	enum jw_err err = JW_OK;

	if (change->danger != NULL) {
		err = call_confirm_possible(ctl, change->danger);
		if (err == JW_OK && !is_repetition(ctl))
			err = look_first(ctl, change);
	}
	if (err == JW_OK && !ctl->declined)
		err = add_request_id(ctl, change);
	return err;
}

enum jw_err
call_change_run(
    struct ctl *ctl, struct call_change *change, struct json_t **ret_reply)
{
	bool dry = call_flag(ctl, "dry-run");
	json_t *reply = NULL;
	enum jw_err err = JW_OK;

	if (!dry)
		err = call_prepare(ctl, change);
	if (err != JW_OK || ctl->declined)
		return err;
	err = dry ? dry_run(ctl, change, &reply) : do_it(ctl, change, &reply);
	if (err == JW_OK)
		err = print_reply(ctl, change, reply, dry);
	if (err == JW_OK && ret_reply != NULL && !dry)
		*ret_reply = json_incref(reply);
	json_decref(reply);
	return err;
}

enum jw_err
call_change_run_policy(struct ctl *ctl, struct call_change *change)
{
	json_t *policy = json_object();
	enum jw_err err = policy != NULL ? JW_OK : JW_NO_MEMORY;

	change->named = "name";
	change->more = ctl->arguments.words + 1;
	change->nmore = ctl->arguments.count - 1;
	change->quiet = "keySet";
	for (size_t i = 0; i < change->nmore && err == JW_OK; i++)
		err = call_policy_take(change->more[i], policy, &ctl->why);
	if (err != JW_OK)
		goto out;
	change->parameters = json_pack(
	    "{s:s, s:O}", "name", call_argument(ctl), "policy", policy);
	if (change->parameters == NULL) {
		err = call_not_utf8(ctl);
		goto out;
	}
	if (call_flag(ctl, "now") &&
	    json_object_set_new(change->parameters, "now", json_true()) != 0)
		err = JW_NO_MEMORY;
	if (err == JW_OK)
		err = call_change_take_options(ctl, change->parameters);
	if (err == JW_OK)
		err = call_change_run(ctl, change, NULL);
out:
	json_decref(change->parameters);
	json_decref(policy);
	return err;
}
