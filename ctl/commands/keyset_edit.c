/*
 * keyset add, remove: key sets come and go.
 *
 * A removal says whose tokens it rejects before it asks, and removes the key
 * set that was looked at: one added anew under that name has another active
 * generation.
 */
#include <jansson.h>
#include <stdio.h>

#include "ctl/call/change.h"
#include "ctl/call/context.h"
#include "ctl/commands/commands.h"
#include "ctl/call/exposure.h"
#include "ctl/commands/keyset_bulk.h"
#include "ctl/reply/reply.h"

static enum jw_err
read_set(
    struct ctl *ctl, const struct json_t *reply, struct reply_key_set *ret_set)
{
	return reply_key_set(
	    json_object_get(reply, "keySet"), ret_set, &ctl->why);
}

/* "https://acme.example.com/x, /acme/x" */
static void
put_urls(FILE *out, const struct reply_key_set *set)
{
	const char *url;

	for (size_t i = 0; (url = reply_url(set, i)) != NULL; i++)
		fprintf(out, "%s%s", i == 0 ? "" : ", ", url);
}

/* ---- add ---- */

static enum jw_err
tell_added(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	char when[TEXT_TIME_SIZE];
	struct reply_key_set set;
	enum jw_err err = read_set(ctl, reply, &set);

	if (err != JW_OK)
		return err;
	fprintf(out, "%s: %s added, with %s keys, at ", set.name,
	    dry ? "would be" : "is", set.alg);
	put_urls(out, &set);
	fputs("\n", out);
	if (set.signs_at != REPLY_NONE)
		fprintf(out,
		    "It is published now and signs from %s: verifiers may hold "
		    "copies of an\nearlier key set of that name until then\n",
		    out_text_moment(&ctl->text, set.signs_at, when));
	return call_exposure_tell(ctl, reply, out);
}

static enum jw_err
add_one(struct ctl *ctl)
{
	struct call_change change = {
	    .method = "AddKeySet", .command = "keyset add", .tell = tell_added};

	if (call_flag(ctl, "now")) {
		change.danger = "keyset add --now";
		change.question = "Add it, and sign at once?";
	}
	return call_change_run_policy(ctl, &change);
}

enum jw_err
cmd_keyset_add(struct ctl *ctl)
{
	const char *from = call_option(ctl, "from");
	bool own_id = call_flag(ctl, "request-id");
	bool now = call_flag(ctl, "now");

	if (from == NULL && ctl->arguments.count > 0)
		return add_one(ctl);
	if (from == NULL) {
		jw_why_set(&ctl->why,
		    "keyset add needs NAME, or --from FILE with one a line");
		jw_why_hint(&ctl->why, "`jwksctl help keyset add`");
		return JW_USAGE;
	}
	if (ctl->arguments.count == 0 && !own_id && !now)
		return cmd_keyset_bulk_add(ctl, from);
	jw_why_set(&ctl->why, "--from says it all: %s beside it has no meaning",
	    now      ? "--now"
	    : own_id ? "--request-id"
		     : call_argument(ctl));
	return JW_USAGE;
}

/* ---- remove ---- */

static enum jw_err
tell_exposed(struct ctl *ctl, const struct json_t *reply, FILE *out)
{
	char when[TEXT_TIME_SIZE];
	const json_t *exposure;
	int64_t until;
	enum jw_err err = reply_object(reply, "exposure", &exposure, &ctl->why);

	if (err != JW_OK || exposure == NULL)
		return err;
	err = reply_number(exposure, "until", &until, &ctl->why);
	if (err == JW_OK && until != REPLY_NONE)
		fprintf(out,
		    "Verifiers that read the set again reject its tokens that "
		    "are still valid,\nthe last of them until %s\n",
		    out_text_moment(&ctl->text, until, when));
	return err;
}

static enum jw_err
tell_removed(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	struct reply_key_set set;
	enum jw_err err = read_set(ctl, reply, &set);

	if (err != JW_OK)
		return err;
	fprintf(out,
	    dry ? "%s: would be removed: nothing would be served at "
		: "%s: is removed: nothing is served at ",
	    set.name);
	put_urls(out, &set);
	fputs(dry ? " any more, its private keys would be destroyed, and its "
		    "kids would never come back\n"
		  : " any more, its private keys are destroyed, and its kids "
		    "never come back\n",
	    out);
	return tell_exposed(ctl, reply, out);
}

static enum jw_err
keyset_edit_pin(
    struct ctl *ctl, const struct json_t *reply, struct json_t *parameters)
{
	struct reply_key_set set;
	enum jw_err err = read_set(ctl, reply, &set);

	if (err == JW_OK && set.active_generation != REPLY_NONE)
		err = call_change_expect(parameters, set.active_generation);
	return err;
}

enum jw_err
cmd_keyset_remove(struct ctl *ctl)
{
	bool force = call_flag(ctl, "force");
	struct call_change change = {
	    .method = "RemoveKeySet",
	    .command = "keyset remove",
	    .named = "name",
	    .danger = "keyset remove",
	    .question = "Remove it?",
	    .quiet = "keySet",
	    .tell = tell_removed,
	    .pin = keyset_edit_pin,
	};
	enum jw_err err;

	change.parameters = json_pack("{s:s, s:o*}", "name", call_argument(ctl),
	    "force", force ? json_true() : NULL);
	if (change.parameters == NULL)
		return call_not_utf8(ctl);
	err = call_change_take_options(ctl, change.parameters);
	if (err == JW_OK)
		err = call_change_run(ctl, &change, NULL);
	json_decref(change.parameters);
	return err;
}
