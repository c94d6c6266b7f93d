/*
 * Verify: is a token one of ours, and good?  For people who look into why a
 * verifier refuses one.  Must never call a token valid that a verifier with
 * the published set would refuse.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/base64url.h"
#include "common/base/memory.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_struct.h"
#include "daemon/crypto/keys.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/look_up.h"
#include "daemon/lifecycle/lifecycle.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/verbs.h"

/* What is read of a token: the members of its header and its claims. */
struct token_header {
	const char *kid, *alg;
};

static const struct varlink_layout header_layout = VARLINK_LAYOUT(token_header,
    VARLINK_MEMBER(token_header, "kid", kid, varlink_string),
    VARLINK_MEMBER(token_header, "alg", alg, varlink_string));

struct token_claims {
	struct varlink_maybe_int exp;
	struct varlink_maybe_float nbf;
};

static const struct varlink_layout claims_layout = VARLINK_LAYOUT(token_claims,
    VARLINK_MEMBER(token_claims, "exp", exp, varlink_maybe_int),
    VARLINK_MEMBER(token_claims, "nbf", nbf, varlink_maybe_float));

/* A token in its parts. */
struct token {
	const char *text;
	struct json_t *header_json, *claims_json;
	struct token_header header;
	struct token_claims claims;
	uint8_t *signature;
	size_t signature_len, signed_len;
};

/* What is known of the token's key. */
struct finding {
	struct keeper *keeper;
	const struct token *token;
	bool is_found, is_signature_right;
	enum gen_state state;
	char kid[MODEL_KID_SIZE];
	struct verbs_verify_reply reply;
};

/* A lack of memory must not become a verdict about a token. */
static bool
is_done(enum jw_err err)
{
	if (err == JW_NO_MEMORY)
		jw_out_of_memory(0);
	return err == JW_OK;
}

static struct json_t *
parse_part(const char *text, size_t len)
{
	uint8_t *data = NULL;
	struct json_t *object;
	size_t n = 0;

	if (!is_done(jw_base64url_decode(text, len, &data, &n)))
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
	token->text = text;
	token->header_json = parse_part(text, (size_t)(first - text));
	token->claims_json =
	    parse_part(first + 1, (size_t)(second - first - 1));
	token->signed_len = (size_t)(second - text);
	varlink_decode(&header_layout, token->header_json, &token->header);
	varlink_decode(&claims_layout, token->claims_json, &token->claims);
	return token->header_json != NULL && token->claims_json != NULL &&
	       is_done(jw_base64url_decode(second + 1, strlen(second + 1),
		   &token->signature, &token->signature_len));
}

static void
token_done(struct token *token)
{
	varlink_object_free(token->header_json);
	varlink_object_free(token->claims_json);
	free(token->signature);
}

static bool
is_signed_by(const struct token *token, const struct key *key)
{
	const char *alg = jw_alg_name(key->facts.alg);
	struct keys_pair *pair = NULL;
	bool right;

	right = alg != NULL && token->header.alg != NULL &&
		strcmp(alg, token->header.alg) == 0 &&
		is_done(crypto_from_own_jwk(
		    (enum jw_alg)key->facts.alg, key->jwk, &pair)) &&
		is_done(crypto_verify(pair, token->text, token->signed_len,
		    token->signature, token->signature_len));
	crypto_free(pair);
	return right;
}

static bool
verify_with_key(int64_t set_id, const struct key *key, void *arg)
{
	struct finding *finding = arg;
	struct verbs_verify_reply *reply = &finding->reply;
	const struct keeper_set *set = keeper_by_id(finding->keeper, set_id);

	if (strcmp(key->kid, finding->token->header.kid) != 0)
		return true;
	finding->is_found = true;
	finding->is_signature_right = is_signed_by(finding->token, key);
	finding->state = lc_state(&key->facts);
	memcpy(finding->kid, key->kid, sizeof(finding->kid));
	reply->key_set = set == NULL ? "(removed)" : set->row.name;
	reply->generation = (struct varlink_maybe_int){true, key->facts.number};
	reply->kid = finding->kid;
	reply->state = lc_state_name(finding->state);
	reply->published = (struct varlink_maybe_bool){
	    true, set != NULL && lc_is_published(&key->facts)};
	return false;
}

/* Why a token of that key is not valid; NULL: it is. */
static const char *
fault_of(const struct finding *finding, int64_t now)
{
	const struct token_claims *claims = &finding->token->claims;

	if (!finding->is_found)
		return "no key of this daemon has the kid in its header";
	if (!finding->is_signature_right)
		return "the signature is not the key's, or the header names "
		       "another algorithm";
	if (finding->state == GEN_REVOKED)
		return "its key has been revoked";
	if (!finding->reply.published.value)
		return "its key is not published";
	if (!claims->exp.given)
		return "it has no exp";
	if (claims->exp.value <= now)
		return "it has expired";
	if (claims->nbf.given && claims->nbf.value > (double)now)
		return "its nbf is in the future";
	return NULL;
}

static enum jw_err
find_key(struct finding *finding)
{
	const char *kid = finding->token->header.kid;

	if (kid == NULL || strlen(kid) != MODEL_KID_SIZE - 1)
		return JW_OK;
	return keeper_find_kid(finding->keeper, kid, verify_with_key, finding);
}

void
verbs_verify(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_look_request *asked = request;
	struct verbs *verbs = context;
	struct token token = {.text = NULL};
	struct finding finding = {.keeper = verbs->keeper, .token = &token};
	struct verbs_verify_reply *reply = &finding.reply;
	enum jw_err err = JW_OK;

	if (!parse_token(asked->token, &token)) {
		reply->reason =
		    "it is not a JWS in compact form with JSON objects in it";
	} else {
		err = find_key(&finding);
		reply->reason = fault_of(&finding, keeper_now(verbs->keeper));
		if (finding.is_signature_right)
			reply->expires_at = token.claims.exp;
	}
	reply->valid = reply->reason == NULL;
	if (err == JW_OK)
		verbs_reply(call, reply);
	else
		verbs_store_failed(call, verbs, err, NULL);
	token_done(&token);
}
