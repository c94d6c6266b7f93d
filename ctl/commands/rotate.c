/*
 * rotate: let the next key sign; rollback: let the one before sign again.
 *
 * Must never retire another generation than the one that the operator has seen
 * as active: what the dry run showed is expected.
 */
#include "ctl/commands/rotate.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/base/duration.h"
#include "ctl/call/context.h"
#include "ctl/call/exposure.h"
#include "ctl/call/key_sets.h"
#include "ctl/commands/commands.h"
#include "ctl/reply/reply.h"

/* The reply of Rotate and of Rollback. */
struct rotation {
	const char *key_set;                 /* of Rotate */
	const char *cause;                   /* NULL: none */
	struct reply_key activated, retired; /* kid NULL: none */
	int64_t scheduled_for;
	struct reply_exposure exposure;
};

#define ROTATION(member) offsetof(struct rotation, member)

const struct reply_member cmd_rotate_reply[] = {
    {"keySet", REPLY_STRING, true, ROTATION(key_set)},
    {"cause", REPLY_STRING, false, ROTATION(cause)},
    {"activated", REPLY_KEY, false, ROTATION(activated)},
    {"retired", REPLY_KEY, false, ROTATION(retired)},
    {"scheduledFor", REPLY_NUMBER, false, ROTATION(scheduled_for)},
    {"exposure", REPLY_EXPOSURE, false, ROTATION(exposure)},
    {NULL, REPLY_STRING, false, 0},
};

static const struct reply_member rollback_reply[] = {
    {"activated", REPLY_KEY, true, ROTATION(activated)},
    {"retired", REPLY_KEY, true, ROTATION(retired)},
    {"exposure", REPLY_EXPOSURE, false, ROTATION(exposure)},
    {NULL, REPLY_STRING, false, 0},
};

_Static_assert(sizeof(struct rotation) <= CALL_CHANGE_REPLY_MAX, "its room");

static void
expect_retired(const void *reply, struct json_t *parameters)
{
	const struct rotation *rotation = reply;

	if (rotation->retired.kid != NULL)
		call_change_expect(parameters, rotation->retired.generation);
}

static void
print_until_removal(
    const struct ctl *ctl, const struct reply_key *key, FILE *out)
{
	char when[TEXT_TIME_SIZE];

	if (key->kid != NULL && key->at[REPLY_REMOVE] != REPLY_NONE)
		fprintf(out, " until %s",
		    out_text_moment(&ctl->text, key->at[REPLY_REMOVE], when));
	fputc('\n', out);
}

/* ---- rotate ---- */

static enum jw_err
check_contradictions(struct ctl *ctl)
{
	static const char *const pairs[][2] = {
	    {"now", "at"},
	    {"now", "cancel"},
	    {"at", "cancel"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		if (!call_flag(ctl, pairs[i][0]) ||
		    !call_flag(ctl, pairs[i][1]))
			continue;
		jw_why_set(&ctl->why, "--%s and --%s contradict each other",
		    pairs[i][0], pairs[i][1]);
		return JW_USAGE;
	}
	return JW_OK;
}

static void
print_activated(
    const struct ctl *ctl, const struct rotation *rotation, bool dry, FILE *out)
{
	fprintf(out, "%s: generation %" PRId64 " (%s) %s", rotation->key_set,
	    rotation->activated.generation, rotation->activated.kid,
	    dry ? "would sign now" : "signs now");
	if (rotation->retired.kid != NULL)
		fprintf(out, "; generation %" PRId64 " %s published",
		    rotation->retired.generation, dry ? "would stay" : "stays");
	print_until_removal(ctl, &rotation->retired, out);
}

/* The cause says whether there was anything to take back. */
static void
print_cancelled(const struct rotation *rotation, bool dry, FILE *out)
{
	if (rotation->cause != NULL &&
	    strcmp(rotation->cause, "no rotation was scheduled") == 0)
		fprintf(out,
		    "%s: %s: there is nothing to cancel; `jwksctl plan` shows "
		    "what the schedule does\n",
		    rotation->key_set, rotation->cause);
	else
		fprintf(out, "%s: the scheduled rotation %s taken back\n",
		    rotation->key_set, dry ? "would be" : "is");
}

static void
print_scheduled(
    const struct ctl *ctl, const struct rotation *rotation, bool dry, FILE *out)
{
	char when[TEXT_TIME_SIZE];

	fprintf(out, "%s: %sscheduled for %s%s%s\n", rotation->key_set,
	    dry ? "would be " : "",
	    out_text_moment(&ctl->text, rotation->scheduled_for, when),
	    rotation->cause != NULL ? ": " : "",
	    rotation->cause != NULL ? rotation->cause : "");
}

enum jw_err
cmd_rotate_print(struct ctl *ctl, const void *reply, bool dry, FILE *out)
{
	const struct rotation *rotation = reply;

	if (rotation->activated.kid != NULL)
		print_activated(ctl, rotation, dry, out);
	else if (rotation->scheduled_for != REPLY_NONE)
		print_scheduled(ctl, rotation, dry, out);
	else
		print_cancelled(rotation, dry, out);
	if (dry && call_flag(ctl, "now") && !rotation->exposure.given)
		fputs("No verifier that re-reads the key set in time rejects a "
		      "token.\n",
		    out);
	call_exposure_print(ctl, &rotation->exposure, out);
	return JW_OK;
}

enum jw_err
cmd_rotate(struct ctl *ctl)
{
	struct call_change change = {
	    .method = CTL_INTERFACE "Rotate",
	    .command = "rotate",
	    .named = "keySet",
	    .danger = call_flag(ctl, "now") ? "rotate --now" : NULL,
	    .question = "Rotate now?",
	    .quiet = "activated",
	    .members = cmd_rotate_reply,
	    .print = cmd_rotate_print,
	    .expect = expect_retired,
	};
	int64_t at = REPLY_NONE;
	enum jw_err err = check_contradictions(ctl);

	if (err == JW_OK)
		err = call_coming_time(ctl, "at", &at);
	if (err != JW_OK)
		return err;
	change.take_parameters = json_pack("{s:s*, s:o*, s:o*, s:o*}", "keySet",
	    call_argument(ctl), "now", call_flag_json(ctl, "now"), "at",
	    at != REPLY_NONE ? json_integer(at) : NULL, "cancel",
	    call_flag_json(ctl, "cancel"));
	return call_change_run(ctl, &change, NULL);
}

/* ---- rollback ---- */

static enum jw_err
rollback_print(struct ctl *ctl, const void *reply, bool dry, FILE *out)
{
	const struct rotation *rotation = reply;
	const struct reply_key *a = &rotation->activated;
	const struct reply_key *r = &rotation->retired;

	fprintf(out,
	    "%s: generation %" PRId64 " (%s) %s; generation %" PRId64
	    " (%s) %s retired and %s published",
	    a->key_set, a->generation, a->kid,
	    dry ? "would sign again" : "signs again", r->generation, r->kid,
	    dry ? "would be" : "is", dry ? "would stay" : "stays");
	print_until_removal(ctl, r, out);
	call_exposure_print(ctl, &rotation->exposure, out);
	if (!dry)
		return JW_OK;
	fflush(out);
	fprintf(stderr,
	    "hint: verifiers go on accepting its tokens; if generation "
	    "%" PRId64 " leaked: jwksctl revoke %s#%" PRId64 " --reason TEXT\n",
	    r->generation, r->key_set, r->generation);
	return JW_OK;
}

/* Say how long the window is, if the daemon answers. */
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
	const struct call_change change = {
	    .method = CTL_INTERFACE "Rollback",
	    .command = "rollback",
	    .take_parameters = json_pack("{s:s*, s:o*}", "keySet",
		call_argument(ctl), "now", call_flag_json(ctl, "now")),
	    .named = "keySet",
	    .danger = call_flag(ctl, "now") ? "rollback --now" : "rollback",
	    .question = "Roll back?",
	    .quiet = "activated",
	    .members = rollback_reply,
	    .print = rollback_print,
	    .expect = expect_retired,
	};
	enum jw_err err = call_change_run(ctl, &change, NULL);

	if (err == JW_BAD_STATE)
		explain_window(ctl);
	return err;
}
