/*
 * Verify: is a token one of ours, and good?  For people who look into why a
 * verifier refuses one.  Must never call a token valid that a verifier with
 * the published set would refuse.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/base64url.h"
#include "common/serve/server.h"
#include "common/wire/varlink.h"
#include "daemon/crypto/keys.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/lifecycle.h"
#include "daemon/verbs/verbs.h"

/* The key that the header names, and what it says of the signature. */
struct look {
	struct keeper *keeper;
	const char *kid;
	const char *alg; /* the header's */
	const char *signed_text;
	size_t signed_len;
	const uint8_t *signature;
	size_t signature_len;
	json_t *reply;
	bool found, right;
	enum gen_state state;
};

/* A token in its parts. */
struct token {
	json_t *header, *claims;
	uint8_t *signature;
	size_t signature_len, signed_len;
};

static json_t *
parse_part(const char *text, size_t len)
{
	uint8_t *data = NULL;
	json_t *object;
	size_t n = 0;

	if (jw_base64url_decode(text, len, &data, &n) != JW_OK)
		return NULL;
	object = varlink_object_parse((const char *)data, n);
	free(data);
	return object;
}

static bool
parse_token(const char *text, struct token *token)
{
	const char *first = strchr(text, '.');
	const char *second = first == NULL ? NULL : strchr(first + 1, '.');

	if (second == NULL)
		return false;
	token->header = parse_part(text, (size_t)(first - text));
	token->claims = parse_part(first + 1, (size_t)(second - first - 1));
	token->signed_len = (size_t)(second - text);
	return token->header != NULL && token->claims != NULL &&
	       jw_base64url_decode(second + 1, strlen(second + 1),
		   &token->signature, &token->signature_len) == JW_OK;
}

static void
token_done(struct token *token)
{
	json_decref(token->header);
	json_decref(token->claims);
	free(token->signature);
}

static bool
is_right(const struct look *look, const struct key *key)
{
	const char *alg = jw_alg_name(key->facts.alg);
	struct keys_pair *pair = NULL;
	bool right;

	right = alg != NULL && strcmp(alg, look->alg) == 0 &&
		crypto_from_own_jwk(
		    (enum jw_alg)key->facts.alg, key->jwk, &pair) == JW_OK &&
		crypto_verify(pair, look->signed_text, look->signed_len,
		    look->signature, look->signature_len) == JW_OK;
	crypto_free(pair);
	return right;
}

static bool
look_at_key(int64_t set_id, const struct key *key, void *arg)
{
	struct look *look = arg;
	const struct keeper_set *set = keeper_by_id(look->keeper, set_id);

	if (strcmp(key->kid, look->kid) != 0)
		return true;
	look->found = true;
	look->state = lc_state(&key->facts);
	look->right = is_right(look, key);
	json_object_update_new(look->reply,
	    json_pack("{s:s, s:I, s:s, s:s, s:b}", "keySet",
		set == NULL ? "(removed)" : set->row.name, "generation",
		(json_int_t)key->facts.number, "kid", key->kid, "state",
		lc_state_name(look->state), "published",
		(int)(set != NULL && lc_is_published(&key->facts))));
	return false;
}

/* Why a token of that key is not valid; NULL: it is. */
static const char *
fault_of(const struct look *look, const json_t *claims, int64_t now)
{
	const json_t *exp = json_object_get(claims, "exp");
	const json_t *nbf = json_object_get(claims, "nbf");

	if (!look->found)
		return "no key of this daemon has the kid in its header";
	if (!look->right)
		return "the signature is not the key's, or the header names "
		       "another algorithm";
	if (look->state == GEN_REVOKED)
		return "its key has been revoked";
	if (!json_is_true(json_object_get(look->reply, "published")))
		return "its key is not published";
	if (!json_is_integer(exp))
		return "it has no exp";
	if (json_integer_value(exp) <= now)
		return "it has expired";
	if (json_is_number(nbf) && json_number_value(nbf) > (double)now)
		return "its nbf is in the future";
	return NULL;
}

static void
reply_with(struct serve_call *call, json_t *take_reply, const char *fault)
{
	json_object_set_new(take_reply, "valid", json_boolean(fault == NULL));
	if (fault != NULL)
		json_object_set_new(take_reply, "reason", json_string(fault));
	serve_reply(call, take_reply);
}

static enum jw_err
verbs_look_up(struct verbs *verbs, const char *text, const struct token *token,
    struct look *look)
{
	look->keeper = verbs->keeper;
	look->kid = verbs_string(token->header, "kid", "");
	look->alg = verbs_string(token->header, "alg", "");
	look->signed_text = text;
	look->signed_len = token->signed_len;
	look->signature = token->signature;
	look->signature_len = token->signature_len;
	if (strlen(look->kid) != MODEL_KID_SIZE - 1)
		return JW_OK;
	return store_find_kid(
	    keeper_store(verbs->keeper), look->kid, look_at_key, look);
}

void
verbs_verify(struct serve_call *call, void *context)
{
	struct verbs *verbs = context;
	const char *text = verbs_string(serve_parameters(call), "token", "");
	struct token token = {.header = NULL};
	struct look look = {.reply = json_object()};
	enum jw_err err = JW_OK;

	if (!parse_token(text, &token)) {
		reply_with(call, look.reply,
		    "it is no JWS in compact form with JSON objects in it");
		token_done(&token);
		return;
	}
	err = verbs_look_up(verbs, text, &token, &look);
	if (err != JW_OK) {
		json_decref(look.reply);
		verbs_store_failed(call, verbs, err);
	} else {
		if (look.right)
			json_object_set(look.reply, "expiresAt",
			    json_object_get(token.claims, "exp"));
		if (!json_is_integer(json_object_get(look.reply, "expiresAt")))
			json_object_del(look.reply, "expiresAt");
		reply_with(call, look.reply,
		    fault_of(&look, token.claims, keeper_now(verbs->keeper)));
	}
	token_done(&token);
}
