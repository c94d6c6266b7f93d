/*
 * freeze, thaw, clock, reload: commands about the daemon as a whole.
 *
 * None of them can make a verifier reject a token, so none of them asks.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl/call/change.h"
#include "ctl/call/context.h"
#include "ctl/call/exposure.h"
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

struct freeze {
	const char *mode;
	const json_t *changed; /* NULL: an older daemon does not say */
};

static const struct reply_member freeze_reply[] = {
    {"mode", REPLY_STRING, true, offsetof(struct freeze, mode)},
    {"changed", REPLY_ANY, false, offsetof(struct freeze, changed)},
    {NULL, REPLY_STRING, false, 0},
};

static enum jw_err
print_frozen(struct ctl *ctl, const void *reply, bool dry, FILE *out)
{
	const struct freeze *freeze = reply;

	(void)dry;
	fprintf(out, "%s %s\n", frozen_name(ctl),
	    json_is_false(freeze->changed)
		? "was frozen already: nothing is changed"
		: "is frozen: nothing becomes ready, rotates, is removed or "
		  "destroyed; serving, signing, rollback and revoke go on");
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
print_thawed(struct ctl *ctl, const void *reply, bool dry, FILE *out)
{
	const struct freeze *freeze = reply;

	(void)dry;
	if (json_is_false(freeze->changed) &&
	    strcmp(freeze->mode, "frozen") != 0)
		fprintf(out,
		    "no freeze of %s was in force: nothing is changed\n",
		    frozen_name(ctl));
	else
		fprintf(out, "the freeze of %s is taken back: %s\n",
		    frozen_name(ctl), after_thaw(freeze->mode));
	return JW_OK;
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
	    .members = freeze_reply,
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

static const struct reply_member clock_reply[] = {
    {"clockTrusted", REPLY_BOOL, true, 0},
    {NULL, REPLY_STRING, false, 0},
};

static enum jw_err
print_clock(struct ctl *ctl, const struct json_t *status)
{
	bool trusted;
	enum jw_err err = reply_read(status, clock_reply, &trusted, &ctl->why);

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
print_accepted(struct ctl *ctl, const void *reply, bool dry, FILE *out)
{
	const bool *trusted = reply;

	(void)ctl;
	(void)dry;
	fprintf(out, "the clock is %s\n",
	    *trusted ? "trusted: what is due happens now, at most one rotation "
		       "of a key set"
		     : "still not trusted");
	return JW_OK;
}

enum jw_err
cmd_clock_accept(struct ctl *ctl)
{
	const struct call_change change = {
	    .method = CTL_INTERFACE "AcceptClock",
	    .command = "clock accept",
	    .take_parameters = json_object(),
	    .named = "keySet",
	    .members = clock_reply,
	    .print = print_accepted,
	};

	return call_change_run(ctl, &change, NULL);
}

/* ---- reload ---- */

static void
print_changed(const char *heading, const json_t *keys)
{
	const json_t *key;
	size_t i;

	if (json_array_size(keys) == 0)
		return;
	fputs(heading, stdout);
	json_array_foreach (keys, i, key)
		printf("%s %s", i > 0 ? "," : "",
		    json_is_string(key) ? json_string_value(key) : "?");
	putchar('\n');
}

struct reload {
	const json_t *changed, *restart;
	struct reply_exposure exposure;
};

static const struct reply_member reload_reply[] = {
    {"changed", REPLY_ARRAY, true, offsetof(struct reload, changed)},
    {"restart", REPLY_ARRAY, true, offsetof(struct reload, restart)},
    {"exposure", REPLY_EXPOSURE, false, offsetof(struct reload, exposure)},
    {NULL, REPLY_STRING, false, 0},
};

static enum jw_err
print_reload(struct ctl *ctl, const struct json_t *reply)
{
	struct reload reload;
	enum jw_err err = reply_read(reply, reload_reply, &reload, &ctl->why);

	if (err != JW_OK)
		return err;
	if (json_array_size(reload.changed) + json_array_size(reload.restart) ==
	    0)
		puts("nothing differs from what is in force");
	print_changed("in force now:", reload.changed);
	print_changed("at the next start:", reload.restart);
	/* The next start may give key sets URLs where others answer now. */
	if (reload.exposure.given)
		puts(
		    "With the other domain, key sets get URLs that answer "
		    "with another one today;\nif the daemon is restarted now:");
	call_exposure_print(ctl, &reload.exposure, stdout);
	err = call_flush(ctl);
	if (err == JW_OK && json_array_size(reload.restart) > 0)
		fputs("hint: systemctl restart jwksd jwksd-http: no client is "
		      "refused\n",
		    stderr);
	return err;
}

enum jw_err
cmd_reload(struct ctl *ctl)
{
	return call_query(
	    ctl, CTL_INTERFACE "Reload", json_object(), NULL, print_reload);
}
