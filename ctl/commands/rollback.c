/*
 * rollback: let the key that signed before sign again.
 *
 * Looked at by a dry run first; the generation that was active then is the one
 * that retires, or nothing happens.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "common/base/duration.h"
#include "ctl/call/change.h"
#include "ctl/call/context.h"
#include "ctl/commands/commands.h"
#include "ctl/call/exposure.h"
#include "ctl/call/key_sets.h"
#include "ctl/reply/reply.h"

struct outcome {
	struct reply_key activated, retired;
};

static enum jw_err
rollback_read_outcome(
    struct ctl *ctl, const json_t *reply, struct outcome *ret_outcome)
{
	bool has_activated = false, has_retired = false;
	enum jw_err err;

	err = call_change_key(
	    ctl, reply, "activated", &has_activated, &ret_outcome->activated);
	if (err == JW_OK)
		err = call_change_key(
		    ctl, reply, "retired", &has_retired, &ret_outcome->retired);
	if (err == JW_OK && (!has_activated || !has_retired)) {
		jw_why_set(&ctl->why,
		    "the daemon's reply does not say which keys changed");
		err = JW_PROTOCOL;
	}
	return err;
}

static void
rollback_put_outcome(
    const struct ctl *ctl, const struct outcome *outcome, bool dry, FILE *out)
{
	const struct reply_key *a = &outcome->activated, *r = &outcome->retired;
	char when[TEXT_TIME_SIZE];

	fprintf(out,
	    "%s: generation %" PRId64 " (%s) %s; generation %" PRId64
	    " (%s) %s retired and %s published",
	    a->key_set, a->generation, a->kid,
	    dry ? "would sign again" : "signs again", r->generation, r->kid,
	    dry ? "would be" : "is", dry ? "would stay" : "stays");
	if (r->at[REPLY_REMOVE] != REPLY_NONE)
		fprintf(out, " until %s",
		    out_text_moment(&ctl->text, r->at[REPLY_REMOVE], when));
	fputc('\n', out);
}

/* A rollback is no revocation. */
static enum jw_err
rollback_tell(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	struct outcome outcome;
	enum jw_err err = rollback_read_outcome(ctl, reply, &outcome);

	if (err != JW_OK)
		return err;
	rollback_put_outcome(ctl, &outcome, dry, out);
	err = call_exposure_tell(ctl, reply, out);
	if (err != JW_OK)
		return err;
	/* Said once: where it is still to be decided. */
	if (!dry)
		return JW_OK;
	fflush(out);
	fprintf(stderr,
	    "hint: verifiers go on accepting its tokens; if generation "
	    "%" PRId64 " leaked: jwksctl revoke %s#%" PRId64 " --reason TEXT\n",
	    outcome.retired.generation, outcome.retired.key_set,
	    outcome.retired.generation);
	return JW_OK;
}

static enum jw_err
rollback_pin(
    struct ctl *ctl, const struct json_t *reply, struct json_t *parameters)
{
	struct outcome outcome;
	enum jw_err err = rollback_read_outcome(ctl, reply, &outcome);

	return err == JW_OK
		   ? call_change_expect(parameters, outcome.retired.generation)
		   : err;
}

/* Say how long the window is, when the daemon tells. */
static void
explain_window(struct ctl *ctl)
{
	const char *name = call_argument(ctl);
	char window[JW_DURATION_SIZE];
	int64_t seconds;

	if (name == NULL)
		name = "default";
	if (!call_key_sets_parameter(ctl, name, "rollbackWindow", &seconds))
		return;
	jw_why_set(&ctl->why,
	    "there is no generation to go back to: none was retired, or its "
	    "rollback window (%s after retirement) is over",
	    jw_duration_format(seconds, window));
	jw_why_hint(&ctl->why,
	    "`jwksctl list %s`; `jwksctl rotate` goes forward", name);
}

enum jw_err
cmd_rollback(struct ctl *ctl)
{
	bool now = call_flag(ctl, "now");
	struct call_change change = {
	    .method = "Rollback",
	    .command = "rollback",
	    .parameters = json_pack("{s:s*, s:o*}", "keySet", call_argument(ctl),
		"now", now ? json_true() : NULL),
	    .named = "keySet",
	    .danger = now ? "rollback --now" : "rollback",
	    .question = "Roll back?",
	    .quiet = "activated",
	    .tell = rollback_tell,
	    .pin = rollback_pin,
	};
	enum jw_err err;

	if (change.parameters == NULL)
		return call_not_utf8(ctl);
	err = call_change_take_options(ctl, change.parameters);
	if (err == JW_OK)
		err = call_change_run(ctl, &change, NULL);
	if (err == JW_BAD_STATE)
		explain_window(ctl);
	json_decref(change.parameters);
	return err;
}
