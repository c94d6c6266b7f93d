/*
 * What every command that changes something has in common.
 *
 * A request carries one id, so that it can be sent again after a broken
 * connection without being done twice.  Must never do something dangerous that
 * a dry run has not shown first, unless a script repeats a request.
 */
#include "ctl/call/change.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "ctl/call/context.h"
#include "ctl/call/request.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

enum { ID_OCTETS = 16, ID_SIZE = 2 * ID_OCTETS + 1 };

/* Room for the struct that a command has its reply read into. */
struct reply_space {
	_Alignas(max_align_t) char octets[CALL_CHANGE_REPLY_MAX];
};

/* ---- parameters ---- */

void
call_change_expect(struct json_t *parameters, long long generation)
{
	json_object_set_new(
	    parameters, "expectGeneration", json_integer(generation));
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
		    "--if-gen: \"%s\" is not a generation: 1, 2, 3 and so on",
		    text);
		return JW_USAGE;
	}
	call_change_expect(parameters, number);
	return JW_OK;
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
set_request_id(struct ctl *ctl, json_t *parameters, const char *id)
{
	return json_object_set_new(parameters, "requestId", json_string(id)) ==
		       0
		   ? JW_OK
		   : call_not_utf8(ctl);
}

enum jw_err
call_change_add_id(struct ctl *ctl, json_t *parameters)
{
	unsigned char octets[ID_OCTETS];
	char id[ID_SIZE];

	if (getrandom(octets, sizeof(octets), 0) != (ssize_t)sizeof(octets)) {
		jw_why_set(&ctl->why, "getrandom: %s", strerror(errno));
		return JW_IO;
	}
	for (size_t i = 0; i < ID_OCTETS; i++)
		snprintf(id + 2 * i, 3, "%02x", octets[i]);
	return set_request_id(ctl, parameters, id);
}

static enum jw_err
add_request_id(
    struct ctl *ctl, const struct call_change *change, json_t *parameters)
{
	const char *id =
	    change->is_follow_up ? NULL : call_option(ctl, "request-id");

	if (id == NULL)
		return call_change_add_id(ctl, parameters);
	if (*id == '\0') {
		jw_why_set(&ctl->why, "--request-id is empty");
		return JW_USAGE;
	}
	return set_request_id(ctl, parameters, id);
}

/* ---- what the daemon did ---- */

static enum jw_err
print_quiet(struct ctl *ctl, const json_t *object)
{
	const char *name = NULL;
	enum jw_err err;

	if (object == NULL)
		return JW_OK;
	err = reply_string(object, "kid", &name, &ctl->why);
	if (err == JW_OK && name == NULL)
		err = reply_name(object, "name", &name, &ctl->why);
	if (err == JW_OK)
		printf("%s\n", name);
	return err;
}

static enum jw_err
print_shown(struct ctl *ctl, const struct call_change *change,
    const json_t *reply, bool dry, FILE *out)
{
	json_t *shown = out_visible(&ctl->text, reply);
	struct reply_space space;
	enum jw_err err = reply_read(shown, change->members, &space, &ctl->why);

	if (err == JW_OK && ctl->quiet && out == stdout)
		err = print_quiet(ctl, json_object_get(shown, change->quiet));
	else if (err == JW_OK)
		err = change->print(ctl, &space, dry, out);
	json_decref(shown);
	return err;
}

static enum jw_err
print_reply(struct ctl *ctl, const struct call_change *change,
    const json_t *reply, bool dry)
{
	enum jw_err err;

	if (ctl->json)
		return call_print_json(ctl, reply);
	err = print_shown(ctl, change, reply, dry, stdout);
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

/* A word as a shell takes it. */
static void
hint_word(struct jw_why *why, const char *word)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_-./#=:@,+";
	bool quoted =
	    *word == '\0' || *word == '#' || word[strspn(word, plain)] != '\0';

	hint_more(why, " %s", quoted ? "'" : "");
	for (; *word != '\0'; word++)
		hint_more(why, "%s%c", *word == '\'' ? "'\\'" : "", *word);
	hint_more(why, "%s", quoted ? "'" : "");
}

static void
hint_options(struct jw_why *why, const json_t *parameters)
{
	static const char *const rows[][2] = {
	    {"requestId", "--request-id"},
	    {"now", "--now"},
	    {"cancel", "--cancel"},
	    {"force", "--force"},
	    {"expectGeneration", "--if-gen "},
	    {"at", "--at @"},
	    {"reason", "--reason"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const json_t *value = json_object_get(parameters, rows[i][0]);

		if (value != NULL)
			hint_more(why, " %s", rows[i][1]);
		if (json_is_integer(value))
			hint_more(why, "%" JSON_INTEGER_FORMAT,
			    json_integer_value(value));
		else if (json_is_string(value))
			hint_word(why, json_string_value(value));
	}
}

/*
 * The daemon compares: only the very same request has the first one's outcome.
 * So an id, a generation or a time that we made belongs in the command.
 */
static void
hint_repetition(struct ctl *ctl, const struct call_change *change)
{
	const json_t *parameters = change->take_parameters;
	const char *name =
	    json_string_value(json_object_get(parameters, change->named));
	struct jw_why *why = &ctl->why;

	jw_why_hint(why, "to repeat it without doing it twice: jwksctl %s",
	    change->command);
	hint_options(why, parameters);
	if (change->danger != NULL)
		hint_more(why, " --yes");
	/* A kid may begin like an option. */
	if (name != NULL && *name == '-')
		hint_more(why, " --");
	if (name != NULL)
		hint_word(why, name);
	for (size_t i = 1; i < ctl->arguments.count; i++)
		hint_word(why, ctl->arguments.words[i]);
}

/* ---- the question ---- */

static enum jw_err
check_can_ask(struct ctl *ctl, const char *danger)
{
	if (ctl->yes || (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)))
		return JW_OK;
	jw_why_set(&ctl->why,
	    "%s can make verifiers reject tokens, and there is no terminal to "
	    "ask on",
	    danger);
	jw_why_hint(&ctl->why,
	    "look at what would happen with --dry-run, then add --yes");
	return JW_USAGE;
}

void
call_change_confirm(struct ctl *ctl, const char *question)
{
	char answer[16] = "";

	if (ctl->yes)
		return;
	fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) == NULL)
		fputc('\n', stderr);
	answer[strcspn(answer, "\r\n")] = '\0';
	ctl->declined =
	    strcasecmp(answer, "y") != 0 && strcasecmp(answer, "yes") != 0;
}

/* ---- the request ---- */

static enum jw_err
dry_run(struct ctl *ctl, const struct call_change *change, json_t **ret_reply)
{
	json_t *dry = json_copy(change->take_parameters);
	enum jw_err err;

	json_object_set_new(dry, "dryRun", json_true());
	err = call_method(ctl, change->method, dry, ret_reply);
	json_decref(dry);
	return err;
}

static enum jw_err
expect_shown(
    struct ctl *ctl, const struct call_change *change, const json_t *reply)
{
	struct reply_space space;
	enum jw_err err = reply_read(reply, change->members, &space, &ctl->why);

	if (err == JW_OK)
		change->expect(&space, change->take_parameters);
	return err;
}

/* Show on standard error what would happen, and ask. */
static enum jw_err
show_and_ask(struct ctl *ctl, const struct call_change *change)
{
	json_t *reply = NULL;
	enum jw_err err = dry_run(ctl, change, &reply);

	if (err == JW_OK)
		err = print_shown(ctl, change, reply, true, stderr);
	if (err == JW_OK && change->expect != NULL)
		err = expect_shown(ctl, change, reply);
	if (err == JW_OK)
		call_change_confirm(ctl, change->question);
	json_decref(reply);
	return err;
}

/* JW_OK with ctl->declined when the operator said no. */
static enum jw_err
change_really(
    struct ctl *ctl, const struct call_change *change, json_t **ret_reply)
{
	/* What a repeated request would do now is not what it did. */
	bool is_repetition = ctl->yes && call_flag(ctl, "request-id");
	enum jw_err err = JW_OK;

	if (change->danger != NULL)
		err = check_can_ask(ctl, change->danger);
	if (err == JW_OK && change->danger != NULL && !is_repetition)
		err = show_and_ask(ctl, change);
	if (err == JW_OK && !ctl->declined)
		err = add_request_id(ctl, change, change->take_parameters);
	if (err != JW_OK || ctl->declined)
		return err;
	err = call_method_surely(
	    ctl, change->method, change->take_parameters, ret_reply);
	if (err == JW_OUTCOME_UNKNOWN)
		hint_repetition(ctl, change);
	return err;
}

enum jw_err
call_change_run(struct ctl *ctl, const struct call_change *change,
    struct json_t **ret_reply)
{
	bool dry = call_flag(ctl, "dry-run");
	json_t *reply = NULL;
	enum jw_err err = JW_OK;

	assert(change->members != NULL && change->print != NULL);
	assert((change->danger == NULL) || change->question != NULL);
	if (change->take_parameters == NULL)
		return call_not_utf8(ctl);
	if (!change->is_follow_up)
		err = call_change_take_options(ctl, change->take_parameters);
	if (err == JW_OK)
		err = dry ? dry_run(ctl, change, &reply)
			  : change_really(ctl, change, &reply);
	if (err == JW_OK && reply != NULL)
		err = print_reply(ctl, change, reply, dry);
	if (err == JW_OK && ret_reply != NULL && !dry)
		*ret_reply = json_incref(reply);
	json_decref(reply);
	json_decref(change->take_parameters);
	return err;
}
