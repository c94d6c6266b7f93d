/*
 * rotate: let the next key sign.
 *
 * --now is looked at by a dry run first, and what was looked at is what is
 * done: the dry run's active generation is expected.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl/call/change.h"
#include "ctl/call/context.h"
#include "ctl/commands/commands.h"
#include "ctl/call/exposure.h"
#include "ctl/commands/rotate.h"
#include "ctl/reply/reply.h"

/* ---- what is asked for ---- */

static enum jw_err
contradiction(struct ctl *ctl, const char *a, const char *b)
{
	jw_why_set(&ctl->why, "--%s and --%s contradict each other", a, b);
	return JW_USAGE;
}

static enum jw_err
rotate_check_options(struct ctl *ctl)
{
	static const char *const pairs[][2] = {
	    {"now", "at"},
	    {"now", "cancel"},
	    {"at", "cancel"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		if (call_flag(ctl, pairs[i][0]) &&
		    call_flag(ctl, pairs[i][1]))
			return contradiction(ctl, pairs[i][0], pairs[i][1]);
	}
	return JW_OK;
}

static json_t *
flag_json(const struct ctl *ctl, const char *name)
{
	return call_flag(ctl, name) ? json_true() : NULL;
}

/* Everything but requestId and dryRun.  The caller drops it. */
static enum jw_err
make_parameters(struct ctl *ctl, json_t **ret_parameters)
{
	json_t *parameters;
	int64_t at = 0;
	bool given;
	enum jw_err err = call_time_option(ctl, "at", &given, &at);

	if (err == JW_OK && given)
		err = call_not_past(ctl, "at", at);
	if (err != JW_OK)
		return err;
	parameters = json_pack("{s:s*, s:o*, s:o*, s:o*}", "keySet",
	    call_argument(ctl), "now", flag_json(ctl, "now"), "at",
	    given ? json_integer(at) : NULL, "cancel",
	    flag_json(ctl, "cancel"));
	if (parameters == NULL)
		return call_not_utf8(ctl);
	err = call_change_take_options(ctl, parameters);
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
};

static enum jw_err
rotate_read_outcome(
    struct ctl *ctl, const json_t *reply, struct outcome *ret_outcome)
{
	struct outcome out = {0};
	enum jw_err err;

	err = reply_name(reply, "keySet", &out.key_set, &ctl->why);
	if (err == JW_OK)
		err = call_change_key(ctl, reply, "activated",
		    &out.has_activated, &out.activated);
	if (err == JW_OK)
		err = call_change_key(
		    ctl, reply, "retired", &out.has_retired, &out.retired);
	if (err == JW_OK)
		err = reply_number(
		    reply, "scheduledFor", &out.scheduled_for, &ctl->why);
	if (err == JW_OK)
		err = reply_string(reply, "cause", &out.cause, &ctl->why);
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
		    out_text_moment(
			&ctl->text, outcome->retired.at[REPLY_REMOVE], when));
	fputc('\n', out);
}

/* The cause says whether there was anything to take back. */
static void
put_cancelled(const struct outcome *outcome, bool dry, FILE *out)
{
	if (outcome->cause != NULL &&
	    strcmp(outcome->cause, "no rotation was scheduled") == 0)
		fprintf(out,
		    "%s: %s: there is nothing to cancel; `jwksctl plan` shows "
		    "what the schedule does\n",
		    outcome->key_set, outcome->cause);
	else
		fprintf(out, "%s: the scheduled rotation %s taken back\n",
		    outcome->key_set, dry ? "would be" : "is");
}

static void
rotate_put_outcome(
    const struct ctl *ctl, const struct outcome *outcome, bool dry, FILE *out)
{
	char when[TEXT_TIME_SIZE];

	if (outcome->has_activated) {
		put_activated(ctl, outcome, dry, out);
		return;
	}
	if (outcome->scheduled_for == REPLY_NONE) {
		put_cancelled(outcome, dry, out);
		return;
	}
	fprintf(out, "%s: %sscheduled for %s", outcome->key_set,
	    dry ? "would be " : "",
	    out_text_moment(&ctl->text, outcome->scheduled_for, when));
	if (outcome->cause != NULL)
		fprintf(out, ": %s", outcome->cause);
	fputc('\n', out);
}

enum jw_err
cmd_rotate_tell(
    struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	struct outcome outcome;
	enum jw_err err = rotate_read_outcome(ctl, reply, &outcome);

	if (err != JW_OK)
		return err;
	rotate_put_outcome(ctl, &outcome, dry, out);
	if (dry && call_flag(ctl, "now") &&
	    json_object_get(reply, "exposure") == NULL)
		fputs("No verifier that re-reads the key set in time rejects a "
		      "token.\n",
		    out);
	return call_exposure_tell(ctl, reply, out);
}

static enum jw_err
rotate_pin(
    struct ctl *ctl, const struct json_t *reply, struct json_t *parameters)
{
	struct outcome outcome;
	enum jw_err err = rotate_read_outcome(ctl, reply, &outcome);

	if (err != JW_OK || !outcome.has_retired)
		return err;
	return call_change_expect(parameters, outcome.retired.generation);
}

enum jw_err
cmd_rotate(struct ctl *ctl)
{
	struct call_change change = {
	    .method = "Rotate",
	    .command = "rotate",
	    .named = "keySet",
	    .question = "Rotate now?",
	    .quiet = "activated",
	    .tell = cmd_rotate_tell,
	    .pin = rotate_pin,
	};
	enum jw_err err = rotate_check_options(ctl);

	if (err == JW_OK)
		err = make_parameters(ctl, &change.parameters);
	if (call_flag(ctl, "now"))
		change.danger = "rotate --now";
	if (err == JW_OK)
		err = call_change_run(ctl, &change, NULL);
	json_decref(change.parameters);
	return err;
}
