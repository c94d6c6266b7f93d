/*
 * freeze, thaw, clock, clock accept: what rotates by itself, and what not.
 *
 * None of them can make a verifier reject a token, so none of them asks.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl/call/change.h"
#include "ctl/call/context.h"
#include "ctl/commands/commands.h"
#include "ctl/call/request.h"
#include "ctl/reply/reply.h"

/* ---- freeze and thaw ---- */

static const char *
of_what(const struct ctl *ctl)
{
	return call_argument(ctl) != NULL ? call_argument(ctl) : "every key set";
}

/* An older daemon does not say. */
static bool
was_so_before(const struct json_t *reply)
{
	return json_is_false(json_object_get(reply, "changed"));
}

static enum jw_err
tell_frozen(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	const char *mode;
	enum jw_err err = reply_name(reply, "mode", &mode, &ctl->why);

	(void)dry;
	if (err != JW_OK)
		return err;
	if (was_so_before(reply)) {
		fprintf(out, "%s was frozen already: nothing is changed\n",
		    of_what(ctl));
		return JW_OK;
	}
	fprintf(out,
	    "%s is frozen: nothing becomes ready, rotates, is removed or "
	    "destroyed; serving, signing, rollback and revoke go on\n",
	    of_what(ctl));
	return JW_OK;
}

static const char *
after_thaw(const char *mode)
{
	if (strcmp(mode, "frozen") == 0)
		return "but another freeze is still in force: `jwksctl status` "
		       "and `jwksctl keyset list` show it";
	if (strcmp(mode, "manual") == 0)
		return "what is due is shown, and waits for `jwksctl rotate`";
	return "what is due happens now, at most one rotation of a key set";
}

static enum jw_err
tell_thawed(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	const char *mode;
	enum jw_err err = reply_name(reply, "mode", &mode, &ctl->why);

	(void)dry;
	if (err == JW_OK && was_so_before(reply) && strcmp(mode, "frozen") != 0)
		fprintf(out,
		    "no freeze of %s was in force: nothing is changed\n",
		    of_what(ctl));
	else if (err == JW_OK)
		fprintf(out, "the freeze of %s is taken back: %s\n",
		    of_what(ctl), after_thaw(mode));
	return err;
}

static enum jw_err
cmd_run(struct ctl *ctl, struct call_change *change)
{
	enum jw_err err;

	if (change->parameters == NULL)
		return call_not_utf8(ctl);
	err = call_change_take_options(ctl, change->parameters);
	if (err == JW_OK)
		err = call_change_run(ctl, change, NULL);
	json_decref(change->parameters);
	return err;
}

static enum jw_err
freeze(struct ctl *ctl, bool frozen, call_change_tell_fn *tell)
{
	struct call_change change = {
	    .method = "Freeze",
	    .command = frozen ? "freeze" : "thaw",
	    .parameters = json_pack(
		"{s:b, s:s*}", "frozen", frozen, "keySet", call_argument(ctl)),
	    .named = "keySet",
	    .tell = tell,
	};

	return cmd_run(ctl, &change);
}

enum jw_err
cmd_freeze(struct ctl *ctl)
{
	return freeze(ctl, true, tell_frozen);
}

enum jw_err
cmd_thaw(struct ctl *ctl)
{
	return freeze(ctl, false, tell_thawed);
}

/* ---- clock ---- */

static enum jw_err
put_clock(struct ctl *ctl, const json_t *status)
{
	const json_t *value = json_object_get(status, "clockTrusted");

	if (!json_is_boolean(value)) {
		jw_why_set(&ctl->why,
		    "the daemon's reply makes no sense: \"clockTrusted\"");
		return JW_PROTOCOL;
	}
	if (json_is_true(value)) {
		puts("the clock is trusted: everything happens when it is due");
		return call_flush(ctl);
	}
	puts("the clock is not trusted, because it jumped: nothing becomes "
	     "ready, rotates by\n"
	     "schedule or is removed until it has been stable for 10min; "
	     "serving, signing,\n"
	     "rollback and revoke go on");
	if (call_flush(ctl) != JW_OK)
		return JW_IO;
	fputs("hint: if `date` is right: jwksctl clock accept\n", stderr);
	return JW_OK;
}

enum jw_err
cmd_clock(struct ctl *ctl)
{
	json_t *status = NULL;
	enum jw_err err =
	    call_method(ctl, CTL_INTERFACE "Status", NULL, &status);

	if (err == JW_OK)
		err = ctl->json ? call_print_json(ctl, status)
				: put_clock(ctl, status);
	json_decref(status);
	return err;
}

static enum jw_err
tell_accepted(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	bool trusted;
	enum jw_err err =
	    reply_bool(reply, "clockTrusted", &trusted, &ctl->why);

	(void)dry;
	if (err == JW_OK)
		fprintf(out, "the clock is %s\n",
		    trusted ? "trusted: what is due happens now, at most one "
			      "rotation of a key set"
			    : "still not trusted");
	return err;
}

enum jw_err
cmd_clock_accept(struct ctl *ctl)
{
	struct call_change change = {
	    .method = "AcceptClock",
	    .command = "clock accept",
	    .parameters = json_object(),
	    .named = "keySet",
	    .tell = tell_accepted,
	};

	return cmd_run(ctl, &change);
}
