/*
 * freeze, thaw, clock, clock accept: whether keys rotate by themselves.
 *
 * None of them can make a verifier reject a token, so none of them asks.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl/call/change.h"
#include "ctl/call/context.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/reply/reply.h"

/* ---- freeze and thaw ---- */

static const char *
frozen_name(const struct ctl *ctl)
{
	return call_argument(ctl) != NULL ? call_argument(ctl)
					  : "every key set";
}

/* An older daemon does not say. */
static bool
was_so_before(const struct json_t *reply)
{
	return json_is_false(json_object_get(reply, "changed"));
}

static enum jw_err
print_frozen(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	const char *mode;
	enum jw_err err = reply_name(reply, "mode", &mode, &ctl->why);

	(void)dry;
	if (err == JW_OK)
		fprintf(out, "%s %s\n", frozen_name(ctl),
		    was_so_before(reply)
			? "was frozen already: nothing is changed"
			: "is frozen: nothing becomes ready, rotates, is "
			  "removed or destroyed; serving, signing, rollback "
			  "and revoke go on");
	return err;
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
print_thawed(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	const char *mode;
	enum jw_err err = reply_name(reply, "mode", &mode, &ctl->why);

	(void)dry;
	if (err == JW_OK && was_so_before(reply) && strcmp(mode, "frozen") != 0)
		fprintf(out,
		    "no freeze of %s was in force: nothing is changed\n",
		    frozen_name(ctl));
	else if (err == JW_OK)
		fprintf(out, "the freeze of %s is taken back: %s\n",
		    frozen_name(ctl), after_thaw(mode));
	return err;
}

static enum jw_err
freeze_or_thaw(struct ctl *ctl, bool frozen)
{
	const struct call_change change = {
	    .method = CTL_INTERFACE "Freeze",
	    .command = frozen ? "freeze" : "thaw",
	    .take_parameters = json_pack(
		"{s:b, s:s*}", "frozen", frozen, "keySet", call_argument(ctl)),
	    .named = "keySet",
	    .print = frozen ? print_frozen : print_thawed,
	};

	return call_change_run(ctl, &change, NULL);
}

enum jw_err
cmd_freeze(struct ctl *ctl)
{
	return freeze_or_thaw(ctl, true);
}

enum jw_err
cmd_thaw(struct ctl *ctl)
{
	return freeze_or_thaw(ctl, false);
}

/* ---- clock ---- */

static enum jw_err
print_clock(struct ctl *ctl, const struct json_t *status)
{
	static const struct reply_member trusted_member[] = {
	    {"clockTrusted", REPLY_BOOL, true, 0},
	    {NULL, REPLY_BOOL, false, 0},
	};
	bool trusted;
	enum jw_err err =
	    reply_read(status, trusted_member, &trusted, &ctl->why);

	if (err != JW_OK)
		return err;
	if (trusted) {
		puts("the clock is trusted: everything happens when it is due");
		return JW_OK;
	}
	puts("the clock is not trusted, because it jumped: nothing becomes "
	     "ready, rotates by\n"
	     "schedule or is removed until it has been stable for 10min; "
	     "serving, signing,\n"
	     "rollback and revoke go on");
	err = call_flush(ctl);
	if (err == JW_OK)
		fputs(
		    "hint: if `date` is right: jwksctl clock accept\n", stderr);
	return err;
}

enum jw_err
cmd_clock(struct ctl *ctl)
{
	return call_query(
	    ctl, CTL_INTERFACE "Status", json_object(), NULL, print_clock);
}

static enum jw_err
print_accepted(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
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
	const struct call_change change = {
	    .method = CTL_INTERFACE "AcceptClock",
	    .command = "clock accept",
	    .take_parameters = json_object(),
	    .named = "keySet",
	    .print = print_accepted,
	};

	return call_change_run(ctl, &change, NULL);
}
