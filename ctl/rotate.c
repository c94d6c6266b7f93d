/*
 * rotate: let the next key sign.
 *
 * One request id an invocation, so that a broken connection can be tried again
 * without rotating twice.  --now is looked at by a dry run first, and what was
 * looked at is what is done: the dry run's active generation is expected.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "ctl/ask.h"
#include "ctl/confirm.h"
#include "ctl/ctl.h"
#include "ctl/reply.h"

enum { ID_OCTETS = 16, ID_SIZE = 2 * ID_OCTETS + 1 };

/* ---- what is asked for ---- */

static enum jw_err
contradiction(struct ctl *ctl, const char *a, const char *b)
{
	jw_why_set(&ctl->why, "--%s and --%s contradict each other", a, b);
	return JW_USAGE;
}

static enum jw_err
check_options(struct ctl *ctl)
{
	static const char *const pairs[][2] = {
	    {"now", "at"},
	    {"now", "cancel"},
	    {"at", "cancel"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		if (ctl_line_flag(&ctl->line, pairs[i][0]) &&
		    ctl_line_flag(&ctl->line, pairs[i][1]))
			return contradiction(ctl, pairs[i][0], pairs[i][1]);
	}
	return JW_OK;
}

static enum jw_err
add_generation(struct ctl *ctl, json_t *parameters)
{
	const char *text = ctl_line_value(&ctl->line, "if-gen");
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
	return json_object_set_new(
		   parameters, "expectGeneration", json_integer(number)) == 0
		   ? JW_OK
		   : JW_NO_MEMORY;
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
add_request_id(struct ctl *ctl, json_t *parameters)
{
	const char *given = ctl_line_value(&ctl->line, "request-id");
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
		   parameters, "requestId", json_string(given)) == 0
		   ? JW_OK
		   : JW_NO_MEMORY;
}

static json_t *
flag_json(const struct ctl *ctl, const char *name)
{
	return ctl_line_flag(&ctl->line, name) ? json_true() : NULL;
}

/* Everything but requestId and dryRun.  The caller drops it. */
static enum jw_err
make_parameters(struct ctl *ctl, json_t **ret_parameters)
{
	json_t *parameters;
	int64_t at = 0;
	bool given;
	enum jw_err err = ctl_time_option(ctl, "at", &given, &at);

	if (err != JW_OK)
		return err;
	parameters = json_pack("{s:s*, s:o*, s:o*, s:o*, s:s*}", "keySet",
	    ctl_arg(ctl), "now", flag_json(ctl, "now"), "at",
	    given ? json_integer(at) : NULL, "cancel", flag_json(ctl, "cancel"),
	    "reason", ctl_line_value(&ctl->line, "reason"));
	if (parameters == NULL) {
		jw_why_set(&ctl->why, "an argument is no UTF-8");
		return JW_USAGE;
	}
	err = add_generation(ctl, parameters);
	if (err == JW_OK)
		*ret_parameters = parameters;
	else
		json_decref(parameters);
	return err;
}

/* ---- what came of it ---- */

struct outcome {
	const char *key_set, *cause; /* cause NULL: none */
	bool has_activated, has_retired;
	struct reply_key activated, retired;
	int64_t scheduled_for;
	const json_t *exposure; /* NULL: none */
};

static enum jw_err
read_key(const json_t *reply, const char *name, bool *ret_has,
    struct reply_key *ret_key, struct jw_why *why)
{
	const json_t *object;
	enum jw_err err = reply_object(reply, name, &object, why);

	if (err != JW_OK)
		return err;
	*ret_has = object != NULL;
	return object != NULL ? reply_key(object, ret_key, why) : JW_OK;
}

static enum jw_err
read_outcome(
    const json_t *reply, struct outcome *ret_outcome, struct jw_why *why)
{
	struct outcome out = {0};
	enum jw_err err = reply_name(reply, "keySet", &out.key_set, why);

	if (err == JW_OK)
		err = read_key(reply, "activated", &out.has_activated,
		    &out.activated, why);
	if (err == JW_OK)
		err = read_key(
		    reply, "retired", &out.has_retired, &out.retired, why);
	if (err == JW_OK)
		err = reply_number(
		    reply, "scheduledFor", &out.scheduled_for, why);
	if (err == JW_OK)
		err = reply_string(reply, "cause", &out.cause, why);
	if (err == JW_OK)
		err = reply_object(reply, "exposure", &out.exposure, why);
	if (err == JW_OK)
		*ret_outcome = out;
	return err;
}

static void
put_activated(
    const struct ctl *ctl, const struct outcome *outcome, bool dry, FILE *out)
{
	char when[TEXT_TIME_SIZE];

	fprintf(out, "%s: generation %" PRId64 " (%s) %s", outcome->key_set,
	    outcome->activated.generation, outcome->activated.kid,
	    dry ? "would sign now" : "signs now");
	if (outcome->has_retired)
		fprintf(out, "; generation %" PRId64 " %s published",
		    outcome->retired.generation, dry ? "would stay" : "stays");
	if (outcome->has_retired &&
	    outcome->retired.at[REPLY_REMOVE] != REPLY_NONE)
		fprintf(out, " until %s",
		    text_moment(
			&ctl->text, outcome->retired.at[REPLY_REMOVE], when));
	fputc('\n', out);
}

static void
put_outcome(
    const struct ctl *ctl, const struct outcome *outcome, bool dry, FILE *out)
{
	char when[TEXT_TIME_SIZE];

	if (outcome->has_activated) {
		put_activated(ctl, outcome, dry, out);
		return;
	}
	if (outcome->scheduled_for == REPLY_NONE) {
		fprintf(out, "%s: the scheduled rotation %s taken back\n",
		    outcome->key_set, dry ? "would be" : "is");
		return;
	}
	fprintf(out, "%s: %sscheduled for %s", outcome->key_set,
	    dry ? "would be " : "",
	    text_moment(&ctl->text, outcome->scheduled_for, when));
	if (outcome->cause != NULL)
		fprintf(out, ": %s", outcome->cause);
	fputc('\n', out);
}

/* ---- who may be wrong until when ---- */

static const struct verifier_class {
	const char *name, *text;
} verifier_classes[] = {
    {"honoursCacheControl", "that honour Cache-Control"},
    {"pollsWithinMaxAge", "that poll within verifier_max_age"},
    {"neverExpires", "whose copy never expires"},
};

static void
put_class(const struct ctl *ctl, const struct verifier_class *class,
    int64_t until, FILE *out)
{
	char when[TEXT_TIME_SIZE];

	fprintf(out, "  those %-36s", class->text);
	if (until == REPLY_NONE)
		fputs("not at all\n", out);
	else if (until == 0)
		fputs("until they meet an unknown kid\n", out);
	else
		fprintf(
		    out, "until %s\n", text_moment(&ctl->text, until, when));
}

/* An object without a single member says that it does not happen. */
static enum jw_err
put_exposure_part(struct ctl *ctl, const json_t *exposure, const char *name,
    const char *headline, FILE *out)
{
	enum { CLASSES = sizeof(verifier_classes) / sizeof(*verifier_classes) };
	int64_t until[CLASSES];
	const json_t *part;
	bool any = false;
	enum jw_err err = reply_object(exposure, name, &part, &ctl->why);

	for (size_t i = 0; i < CLASSES && err == JW_OK; i++) {
		err = reply_number(
		    part, verifier_classes[i].name, &until[i], &ctl->why);
		any = any || (err == JW_OK && until[i] != REPLY_NONE);
	}
	if (err != JW_OK || !any)
		return err;
	fprintf(out, "%s\n", headline);
	for (size_t i = 0; i < CLASSES; i++)
		put_class(ctl, &verifier_classes[i], until[i], out);
	return JW_OK;
}

static enum jw_err
put_exposure(struct ctl *ctl, const json_t *exposure, FILE *out)
{
	enum jw_err err;

	if (exposure == NULL)
		return JW_OK;
	err = put_exposure_part(ctl, exposure, "rejectNewTokens",
	    "Verifiers may reject the tokens of the new key:", out);
	if (err == JW_OK)
		err = put_exposure_part(ctl, exposure, "acceptOldTokens",
		    "Verifiers may accept tokens of a key that is gone:", out);
	return err;
}

/* For people, to out. */
static enum jw_err
explain(struct ctl *ctl, const json_t *reply, bool dry, FILE *out,
    struct outcome *ret_outcome)
{
	enum jw_err err = read_outcome(reply, ret_outcome, &ctl->why);

	if (err != JW_OK)
		return err;
	put_outcome(ctl, ret_outcome, dry, out);
	return put_exposure(ctl, ret_outcome->exposure, out);
}

static enum jw_err
print_kid(struct ctl *ctl, const json_t *reply)
{
	struct outcome outcome;
	enum jw_err err = read_outcome(reply, &outcome, &ctl->why);

	if (err == JW_OK && outcome.has_activated)
		printf("%s\n", outcome.activated.kid);
	return err;
}

static enum jw_err
print_reply(struct ctl *ctl, const json_t *reply, bool dry)
{
	struct outcome outcome;
	json_t *shown;
	enum jw_err err;

	if (ctl->json)
		return ctl_print_json(ctl, reply);
	shown = reply_visible(reply, ctl->text.utf8 ? TEXT_UTF8 : 0);
	if (shown == NULL)
		return JW_NO_MEMORY;
	if (ctl->quiet)
		err = print_kid(ctl, shown);
	else
		err = explain(ctl, shown, dry, stdout, &outcome);
	json_decref(shown);
	return err == JW_OK ? ctl_flush(ctl) : err;
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

/*
 * The daemon compares: only the very same request has the first one's outcome.
 * So what we added, and what was relative, must be in the command.
 */
static void
hint_repetition(struct ctl *ctl, const json_t *parameters)
{
	const json_t *at = json_object_get(parameters, "at");
	const json_t *gen = json_object_get(parameters, "expectGeneration");
	const char *id =
	    json_string_value(json_object_get(parameters, "requestId"));

	jw_why_hint(&ctl->why,
	    "to repeat it without doing it twice: jwksctl "
	    "rotate --request-id %s",
	    id);
	if (ctl_line_flag(&ctl->line, "now"))
		hint_more(&ctl->why, " --now --yes");
	if (gen != NULL)
		hint_more(&ctl->why, " --if-gen %" JSON_INTEGER_FORMAT,
		    json_integer_value(gen));
	if (at != NULL)
		hint_more(&ctl->why, " --at @%" JSON_INTEGER_FORMAT,
		    json_integer_value(at));
	if (ctl_line_flag(&ctl->line, "cancel"))
		hint_more(&ctl->why, " --cancel");
	if (ctl_line_flag(&ctl->line, "reason"))
		hint_more(&ctl->why, " --reason (the same)");
	if (ctl_arg(ctl) != NULL)
		hint_more(&ctl->why, " %s", ctl_arg(ctl));
}

/* ---- the three ways to ask ---- */

static enum jw_err
dry_run(struct ctl *ctl, const json_t *parameters, json_t **ret_reply)
{
	json_t *dry = json_copy((json_t *)(uintptr_t)parameters);
	enum jw_err err = JW_NO_MEMORY;

	if (dry != NULL && json_object_set_new(dry, "dryRun", json_true()) == 0)
		err = ask(ctl, CTL_INTERFACE "Rotate", dry, ret_reply);
	json_decref(dry);
	return err;
}

/* What has been looked at is what is to be done. */
static enum jw_err
pin(json_t *parameters, const struct outcome *outcome)
{
	if (!outcome->has_retired)
		return JW_OK;
	return json_object_set_new(parameters, "expectGeneration",
		   json_integer(outcome->retired.generation)) == 0
		   ? JW_OK
		   : JW_NO_MEMORY;
}

/* Say what will happen on standard error, and ask. */
static enum jw_err
look_first(struct ctl *ctl, json_t *parameters)
{
	json_t *reply = NULL, *shown = NULL;
	struct outcome outcome;
	enum jw_err err;

	err = dry_run(ctl, parameters, &reply);
	if (err != JW_OK)
		return err;
	shown = reply_visible(reply, ctl->text.utf8 ? TEXT_UTF8 : 0);
	err = shown == NULL ? JW_NO_MEMORY
			    : explain(ctl, shown, true, stderr, &outcome);
	if (err == JW_OK && outcome.exposure == NULL)
		fputs("No verifier that re-reads the key set in time rejects a "
		      "token.\n",
		    stderr);
	if (err == JW_OK)
		err = pin(parameters, &outcome);
	if (err == JW_OK)
		confirm(ctl, "Rotate now?");
	json_decref(shown);
	json_decref(reply);
	return err;
}

/* A script that repeats a request must not be told of what it did before. */
static bool
is_repetition(const struct ctl *ctl)
{
	return ctl->yes && ctl_line_flag(&ctl->line, "request-id");
}

static enum jw_err
do_it(struct ctl *ctl, const json_t *parameters, json_t **ret_reply)
{
	enum jw_err err =
	    ask_surely(ctl, CTL_INTERFACE "Rotate", parameters, ret_reply);

	if (err == JW_OUTCOME_UNKNOWN)
		hint_repetition(ctl, parameters);
	return err;
}

static enum jw_err
run(struct ctl *ctl, json_t *parameters)
{
	bool dry = ctl_line_flag(&ctl->line, "dry-run");
	json_t *reply = NULL;
	enum jw_err err = JW_OK;

	if (!dry && ctl_line_flag(&ctl->line, "now")) {
		err = confirm_possible(ctl, "rotate --now");
		if (err == JW_OK && !is_repetition(ctl))
			err = look_first(ctl, parameters);
	}
	if (err == JW_OK && !dry && !ctl->declined)
		err = add_request_id(ctl, parameters);
	if (err != JW_OK || ctl->declined)
		return err;
	err = dry ? dry_run(ctl, parameters, &reply)
		  : do_it(ctl, parameters, &reply);
	if (err == JW_OK)
		err = print_reply(ctl, reply, dry);
	json_decref(reply);
	return err;
}

enum jw_err
ctl_rotate(struct ctl *ctl)
{
	json_t *parameters = NULL;
	enum jw_err err = check_options(ctl);

	if (err == JW_OK)
		err = make_parameters(ctl, &parameters);
	if (err == JW_OK)
		err = run(ctl, parameters);
	json_decref(parameters);
	return err;
}
