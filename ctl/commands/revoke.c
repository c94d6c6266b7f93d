/*
 * revoke: a key must never be trusted again.
 *
 * Says who may be wrong about tokens until when before it asks.  The key that
 * was looked at is the one that is revoked.  The second rotation is only ever
 * offered: it is another decision.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/call/change.h"
#include "ctl/call/confirm.h"
#include "ctl/call/context.h"
#include "ctl/commands/commands.h"
#include "ctl/call/exposure.h"
#include "ctl/call/request.h"
#include "ctl/commands/rotate.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

struct outcome {
	struct reply_key revoked, activated;
	bool has_activated;
	int64_t flush_at;
};

static enum jw_err
revoke_read_outcome(
    struct ctl *ctl, const json_t *reply, struct outcome *ret_outcome)
{
	struct outcome out = {0};
	bool has_revoked = false;
	enum jw_err err;

	err =
	    call_change_key(ctl, reply, "revoked", &has_revoked, &out.revoked);
	if (err == JW_OK && !has_revoked) {
		jw_why_set(&ctl->why,
		    "the daemon's reply does not say which key it is about");
		err = JW_PROTOCOL;
	}
	if (err == JW_OK)
		err = call_change_key(ctl, reply, "activated",
		    &out.has_activated, &out.activated);
	if (err == JW_OK)
		err = reply_number(reply, "flushAt", &out.flush_at, &ctl->why);
	if (err == JW_OK)
		*ret_outcome = out;
	return err;
}

/* ---- what came of it ---- */

/* Its state is "revoked" already; the facts tell what it was. */
static const char *
role(const struct outcome *outcome)
{
	if (outcome->has_activated)
		return "the signer";
	if (outcome->revoked.at[REPLY_RETIRED] != REPLY_NONE)
		return "retired";
	if (outcome->revoked.at[REPLY_PUBLISHED] != REPLY_NONE)
		return "a standby";
	return "never published";
}

static enum jw_err
revoke_tell(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	struct outcome outcome;
	const struct reply_key *key = &outcome.revoked;
	enum jw_err err = revoke_read_outcome(ctl, reply, &outcome);

	if (err != JW_OK)
		return err;
	fprintf(out,
	    "%s: generation %" PRId64 " (%s), %s, %s revoked: it %s the "
	    "JWKSet at once and for ever\n",
	    key->key_set, key->generation, key->kid, role(&outcome),
	    dry ? "would be" : "is", dry ? "would leave" : "leaves");
	if (outcome.has_activated)
		fprintf(out, "%s: generation %" PRId64 " (%s) %s\n",
		    key->key_set, outcome.activated.generation,
		    outcome.activated.kid,
		    dry ? "would sign now" : "signs now");
	return call_exposure_tell(ctl, reply, out);
}

/* A prefix may come to name another key, and KEYSET#GEN is no kid. */
static enum jw_err
revoke_pin(
    struct ctl *ctl, const struct json_t *reply, struct json_t *parameters)
{
	struct outcome outcome;
	enum jw_err err = revoke_read_outcome(ctl, reply, &outcome);

	if (err == JW_OK && json_object_set_new(parameters, "key",
				json_string(outcome.revoked.kid)) != 0)
		err = JW_NO_MEMORY;
	if (err == JW_OK && outcome.has_activated)
		err =
		    call_change_expect(parameters, outcome.revoked.generation);
	return err;
}

/* ---- the second rotation ---- */

static bool
is_known(const struct reply_key *key, int64_t revoked_at)
{
	return key->at[REPLY_PUBLISHED] != REPLY_NONE &&
	       key->at[REPLY_PUBLISHED] <= revoked_at &&
	       (strcmp(key->state, "ready") == 0 ||
		   strcmp(key->state, "published") == 0);
}

/*
 * Keys that wait for their turn and that verifiers may know already; 0 when
 * the daemon does not tell: the revocation has succeeded all the same.
 */
static size_t
count_known(struct ctl *ctl, const struct reply_key *revoked)
{
	json_t *parameters = json_pack("{s:s}", "keySet", revoked->key_set);
	struct jw_why kept = ctl->why;
	bool json = ctl->json;
	json_t *reply = NULL;
	const json_t *item;
	struct reply_key key;
	size_t i, known = 0;

	ctl->json = false;
	(void)call_method_all(
	    ctl, CTL_INTERFACE "ListKeys", parameters, "keys", &reply);
	json_array_foreach (json_object_get(reply, "keys"), i, item) {
		if (reply_key(item, &key, &ctl->why) == JW_OK &&
		    is_known(&key, revoked->at[REPLY_REVOKED]))
			known++;
	}
	ctl->json = json;
	ctl->why = kept;
	json_decref(reply);
	json_decref(parameters);
	return known;
}

static void
put_offer(const struct ctl *ctl, const struct outcome *outcome, size_t known)
{
	char when[TEXT_TIME_SIZE];

	fprintf(stderr,
	    "\nVerifiers that never let their copy expire drop the key only "
	    "when they meet\n"
	    "a kid that they have never seen.  A second rotation, to a key "
	    "published after\n"
	    "this revocation, makes them do so, from\n"
	    "%s on.  It does not reach\n"
	    "Microsoft.IdentityModel nor those that poll every 12 to 24 h: "
	    "they drop the\n"
	    "key when they read the set again.\n",
	    out_text_moment(&ctl->text, outcome->flush_at, when));
	if (known == 1)
		fputs("The next key to sign was published before it: that "
		      "takes 2 rotations.\n",
		    stderr);
	else if (known > 1)
		fprintf(stderr,
		    "The next %zu keys to sign were published before it: that "
		    "takes %zu rotations.\n",
		    known, known + 1);
}

/* --yes answers another question; a program has nobody to ask. */
static bool
can_ask(const struct ctl *ctl)
{
	return !ctl->yes && !ctl->json && !ctl->quiet && isatty(STDIN_FILENO) &&
	       isatty(STDERR_FILENO);
}

static enum jw_err
schedule(struct ctl *ctl, const struct outcome *outcome)
{
	struct call_change change = {
	    .method = "Rotate",
	    .command = "rotate",
	    .parameters = json_pack("{s:s, s:s}", "keySet",
		outcome->revoked.key_set, "reason",
		"flush a revoked key from verifiers without expiry"),
	    .named = "keySet",
	    .own_id = true,
	    .quiet = "activated",
	    .tell = cmd_rotate_tell,
	};
	enum jw_err err = JW_NO_MEMORY;

	if (change.parameters != NULL)
		err = call_change_run(ctl, &change, NULL);
	json_decref(change.parameters);
	return err;
}

static enum jw_err
cmd_offer(struct ctl *ctl, const struct outcome *outcome)
{
	size_t known = count_known(ctl, &outcome->revoked);

	put_offer(ctl, outcome, known);
	if (known == 0 && can_ask(ctl)) {
		call_confirm(ctl, "Schedule it as soon as it is safe?");
		if (!ctl->declined)
			return schedule(ctl, outcome);
		/* The revocation itself was not declined. */
		ctl->declined = false;
	}
	fprintf(stderr, "hint: jwksctl rotate %s\n", outcome->revoked.key_set);
	return JW_OK;
}

/* ---- revoke ---- */

static enum jw_err
revoke_check_options(struct ctl *ctl)
{
	const char *reason = call_option(ctl, "reason");

	if (reason != NULL && *reason != '\0')
		return JW_OK;
	jw_why_set(&ctl->why,
	    "revoke needs --reason TEXT: a revocation is for ever, and the "
	    "reason stays with the key and in the audit trail");
	jw_why_hint(&ctl->why, "jwksctl revoke %s --reason \"what happened\"",
	    call_argument(ctl));
	return JW_USAGE;
}

static enum jw_err
revoke_and_offer(struct ctl *ctl, struct call_change *change)
{
	struct outcome outcome = {0};
	json_t *reply = NULL, *shown = NULL;
	enum jw_err err = call_change_take_options(ctl, change->parameters);

	if (err == JW_OK)
		err = call_change_run(ctl, change, &reply);
	if (err != JW_OK || reply == NULL)
		return err;
	shown = out_visible(&ctl->text, reply);
	err = shown == NULL ? JW_NO_MEMORY
			    : revoke_read_outcome(ctl, shown, &outcome);
	if (err == JW_OK && outcome.flush_at != REPLY_NONE)
		err = cmd_offer(ctl, &outcome);
	json_decref(shown);
	json_decref(reply);
	return err;
}

enum jw_err
cmd_revoke(struct ctl *ctl)
{
	bool force = call_flag(ctl, "force");
	struct call_change change = {
	    .method = "Revoke",
	    .command = "revoke",
	    .named = "key",
	    .danger = "revoke",
	    .question = "Revoke it?",
	    .quiet = "revoked",
	    .tell = revoke_tell,
	    .pin = revoke_pin,
	};
	enum jw_err err = revoke_check_options(ctl);

	if (err != JW_OK)
		return err;
	change.parameters = json_pack("{s:s, s:o*}", "key", call_argument(ctl),
	    "force", force ? json_true() : NULL);
	if (change.parameters == NULL)
		return call_not_utf8(ctl);
	err = revoke_and_offer(ctl, &change);
	json_decref(change.parameters);
	return err;
}
