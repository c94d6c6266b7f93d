/*
 * revoke: a key must never be trusted again.
 *
 * Says which verifiers may accept or reject which tokens until when, before it
 * asks.  Must never revoke another key than the one that the dry run showed,
 * nor start the second rotation without an answer: that is another decision.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/call/change.h"
#include "ctl/call/context.h"
#include "ctl/call/exposure.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/rotate.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

struct revocation {
	struct reply_key revoked, activated; /* activated.kid NULL: none */
	int64_t flush_at;
	struct reply_exposure exposure;
};

#define REVOCATION(member) offsetof(struct revocation, member)

static const struct reply_member revoke_reply[] = {
    {"revoked", REPLY_KEY, true, REVOCATION(revoked)},
    {"activated", REPLY_KEY, false, REVOCATION(activated)},
    {"flushAt", REPLY_NUMBER, false, REVOCATION(flush_at)},
    {"exposure", REPLY_EXPOSURE, false, REVOCATION(exposure)},
    {NULL, REPLY_STRING, false, 0},
};

_Static_assert(sizeof(struct revocation) <= CALL_CHANGE_REPLY_MAX, "its room");

/* Its state is "revoked" already; its moments tell what it was. */
static const char *
role_before(const struct revocation *revocation)
{
	if (revocation->activated.kid != NULL)
		return "the signer";
	if (revocation->revoked.at[REPLY_RETIRED] != REPLY_NONE)
		return "retired";
	if (revocation->revoked.at[REPLY_PUBLISHED] != REPLY_NONE)
		return "a standby";
	return "never published";
}

static enum jw_err
revoke_print(struct ctl *ctl, const void *reply, bool dry, FILE *out)
{
	const struct revocation *revocation = reply;
	const struct reply_key *key = &revocation->revoked;

	fprintf(out,
	    "%s: generation %" PRId64 " (%s), %s, %s revoked: it %s the "
	    "JWKSet at once and for ever\n",
	    key->key_set, key->generation, key->kid, role_before(revocation),
	    dry ? "would be" : "is", dry ? "would leave" : "leaves");
	if (revocation->activated.kid != NULL)
		fprintf(out, "%s: generation %" PRId64 " (%s) %s\n",
		    key->key_set, revocation->activated.generation,
		    revocation->activated.kid,
		    dry ? "would sign now" : "signs now");
	call_exposure_print(ctl, &revocation->exposure, out);
	return JW_OK;
}

/* A prefix may come to name another key, and KEYSET#GEN is no kid. */
static void
expect_revoked(const void *reply, struct json_t *parameters)
{
	const struct revocation *revocation = reply;

	json_object_set_new(
	    parameters, "key", json_string(revocation->revoked.kid));
	if (revocation->activated.kid != NULL)
		call_change_expect(parameters, revocation->revoked.generation);
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
 * the daemon does not answer: the revocation has succeeded all the same.
 */
static size_t
count_known(struct ctl *ctl, const struct reply_key *revoked)
{
	json_t *parameters = json_pack("{s:s}", "keySet", revoked->key_set);
	struct call_quiet quiet = call_quiet_begin(ctl);
	json_t *reply = NULL;
	const json_t *item;
	struct reply_key key;
	size_t i, known = 0;

	call_method_all(
	    ctl, CTL_INTERFACE "ListKeys", parameters, "keys", &reply);
	json_array_foreach (json_object_get(reply, "keys"), i, item)
		if (reply_key(item, &key, &ctl->why) == JW_OK &&
		    is_known(&key, revoked->at[REPLY_REVOKED]))
			known++;
	call_quiet_end(ctl, &quiet);
	json_decref(reply);
	json_decref(parameters);
	return known;
}

static void
print_offer(
    const struct ctl *ctl, const struct revocation *revocation, size_t known)
{
	char when[TEXT_TIME_SIZE];

	fprintf(stderr,
	    "\nVerifiers that never let their copy expire drop the key only "
	    "when they see\na kid that is new to them.  A second rotation, to "
	    "a key published after this\nrevocation, makes them do so, "
	    "from\n%s on.  It does not reach\nMicrosoft.IdentityModel nor "
	    "those that poll every 12 to 24 h: they drop the\nkey when they "
	    "read the set again.\n",
	    out_text_moment(&ctl->text, revocation->flush_at, when));
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

/* --yes answers another question; nor is there an operator at a program. */
static bool
can_ask(const struct ctl *ctl)
{
	return !ctl->yes && !ctl->json && !ctl->quiet && isatty(STDIN_FILENO) &&
	       isatty(STDERR_FILENO);
}

static enum jw_err
schedule_rotation(struct ctl *ctl, const char *key_set)
{
	const struct call_change change = {
	    .method = CTL_INTERFACE "Rotate",
	    .command = "rotate",
	    .take_parameters = json_pack("{s:s, s:s}", "keySet", key_set,
		"reason", "flush a revoked key from verifiers without expiry"),
	    .named = "keySet",
	    .is_follow_up = true,
	    .quiet = "activated",
	    .members = cmd_rotate_reply,
	    .print = cmd_rotate_print,
	};

	return call_change_run(ctl, &change, NULL);
}

static enum jw_err
offer_rotation(struct ctl *ctl, const struct revocation *revocation)
{
	size_t known = count_known(ctl, &revocation->revoked);

	print_offer(ctl, revocation, known);
	if (known == 0 && can_ask(ctl)) {
		call_change_confirm(ctl, "Schedule it as soon as it is safe?");
		if (!ctl->declined)
			return schedule_rotation(
			    ctl, revocation->revoked.key_set);
		/* The revocation itself was not declined. */
		ctl->declined = false;
	}
	fprintf(
	    stderr, "hint: jwksctl rotate %s\n", revocation->revoked.key_set);
	return JW_OK;
}

/* ---- revoke ---- */

static enum jw_err
check_reason(struct ctl *ctl)
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

/* reply NULL: nothing was revoked. */
static enum jw_err
offer_after(struct ctl *ctl, const json_t *reply)
{
	struct revocation revocation = {0};
	json_t *shown;
	enum jw_err err;

	if (reply == NULL)
		return JW_OK;
	shown = out_visible(&ctl->text, reply);
	err = reply_read(shown, revoke_reply, &revocation, &ctl->why);
	if (err == JW_OK && revocation.flush_at != REPLY_NONE)
		err = offer_rotation(ctl, &revocation);
	json_decref(shown);
	return err;
}

enum jw_err
cmd_revoke(struct ctl *ctl)
{
	struct call_change change = {
	    .method = CTL_INTERFACE "Revoke",
	    .command = "revoke",
	    .named = "key",
	    .danger = "revoke",
	    .question = "Revoke it?",
	    .quiet = "revoked",
	    .members = revoke_reply,
	    .print = revoke_print,
	    .expect = expect_revoked,
	};
	json_t *reply = NULL;
	enum jw_err err = check_reason(ctl);

	if (err != JW_OK)
		return err;
	change.take_parameters = json_pack("{s:s, s:o*}", "key",
	    call_argument(ctl), "force", call_flag_json(ctl, "force"));
	err = call_change_run(ctl, &change, &reply);
	if (err == JW_OK)
		err = offer_after(ctl, reply);
	json_decref(reply);
	return err;
}
