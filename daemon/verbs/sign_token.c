/*
 * One token, or one signature of a payload, from its checked claims to the
 * answer.  The order of steps matters: the key is opened, then the exp is on
 * disk, then the signature is made, then it is answered; and no signature is
 * begun with a key that is not active at that moment.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/base64url.h"
#include "common/base/decimal.h"
#include "common/config/alg.h"
#include "common/serve/call.h"
#include "daemon/keeper/sign.h"
#include "daemon/verbs/fault.h"
#include "daemon/verbs/sign_internal.h"
#include "daemon/verbs/verbs.h"

enum { REPLY_ROOM = 128 }; /* for all of a reply but tokens, kids, numbers */

static char *
input_of(struct verbs_sign_request *request)
{
	return request->text + SIGN_HEADER_ROOM - 1 - request->header_len;
}

static size_t
input_len(const struct verbs_sign_request *request)
{
	return request->header_len + 1 + request->payload_len;
}

struct verbs_sign_request *
verbs_sign_request_new(struct verbs_sign *signing, size_t payload_len)
{
	struct verbs_sign_request *request =
	    malloc(sizeof(*request) + SIGN_HEADER_ROOM + payload_len);

	if (request == NULL)
		return NULL;
	*request = (struct verbs_sign_request){
	    .signing = signing,
	    .payload_len = payload_len,
	};
	return request;
}

/* ---- answers ---- */

/* When the first key of a set signs that follows an earlier one. */
static int64_t
signs_at(const struct keeper_set *set)
{
	struct lc_set view = {.count = 0};

	if (set != NULL)
		keeper_view(set, &view);
	return lc_signs_at(&view);
}

/* Answers, and frees. */
static void
fail(struct verbs_sign_request *request, enum jw_err err)
{
	struct verbs *verbs = request->signing->verbs;
	const struct keeper_set *set =
	    keeper_by_id(verbs->keeper, request->set_id);
	const struct verbs_fault fault = {
	    .key_set = set == NULL ? "?" : set->row.name,
	    .ready_at = signs_at(set),
	    .message = "the private key of the active generation cannot be "
		       "used; the daemon's log says why",
	};

	if (request->call == NULL)
		;
	else if (err == JW_NOT_READY || err == JW_NO_SUCH_KEY_SET ||
		 err == JW_NO_ACTIVE_KEY || err == JW_BAD_KEY ||
		 err == JW_OVERLOADED)
		verbs_fail(request->call, err, &fault);
	else
		verbs_store_failed(request->call, verbs, err, NULL);
	free(request);
}

/* Everything in it is base64url or a number: there is nothing to escape. */
static char *
write_reply(struct verbs_sign_request *request, const uint8_t *signature,
    size_t len, char *at)
{
	const char *input = input_of(request);

	at = stpcpy(at, request->is_payload ? "{\"parameters\":{\"header\":\""
					    : "{\"parameters\":{\"token\":\"");
	if (request->is_payload) {
		at = mempcpy(at, input, request->header_len);
		at = stpcpy(at, "\",\"signature\":\"");
	} else {
		at = mempcpy(at, input, input_len(request));
		*at++ = '.';
	}
	at += jw_base64url_write(signature, len, at);
	at = stpcpy(stpcpy(at, "\",\"kid\":\""), request->kid);
	at = stpcpy(at, request->is_payload ? "\"" : "\",\"expiresAt\":");
	if (!request->is_payload)
		at += jw_decimal(request->exp, at);
	at = mempcpy(at, "}}", sizeof("}}"));
	return at;
}

static enum jw_err
answer(struct verbs_sign_request *request, const uint8_t *signature, size_t len)
{
	struct serve_call *call = request->call;
	char *at;

	if (serve_is_oneway(call)) {
		serve_reply(call, NULL);
		return JW_OK;
	}
	at = serve_room(call, input_len(request) + jw_base64url_size(len) +
				  sizeof(request->kid) + REPLY_ROOM);
	if (at == NULL)
		return JW_NO_MEMORY;
	serve_put(
	    call, (size_t)(write_reply(request, signature, len, at) - at));
	return JW_OK;
}

/* Signatures in flight at a promotion are good, those at a revocation not. */
static bool
is_revoked(const struct verbs_sign_request *request)
{
	const struct keeper_set *set =
	    keeper_by_id(request->signing->verbs->keeper, request->set_id);

	for (size_t i = 0; set != NULL && i < set->row.nkeys; i++)
		if (strcmp(set->row.keys[i].kid, request->kid) == 0)
			return set->row.keys[i].facts.revoked_at != 0;
	return true;
}

static void
verbs_on_signed(
    enum jw_err err, const uint8_t *signature, size_t len, void *arg)
{
	struct verbs_sign_request *request = arg;

	if (request->call == NULL) {
		free(request);
		return;
	}
	/* Revoked meanwhile: its successor signs. */
	if (err == JW_CONFLICT || (err == JW_OK && is_revoked(request))) {
		verbs_sign_start(request);
		return;
	}
	if (err == JW_OK)
		err = answer(request, signature, len);
	if (err == JW_OK)
		free(request);
	else
		fail(request, err);
}

void
verbs_sign_on_closed(struct serve_call *call, void *arg)
{
	struct verbs_sign_request *request = arg;

	(void)call;
	request->call = NULL;
	atomic_store(&request->gone, true);
}

/* ---- signing ---- */

/* base64url, of the context.  The algorithm belongs to the kid. */
static const char *
header_for(struct verbs_sign *signing, const struct key *key, const char *type)
{
	char *header;

	if (signing->header != NULL &&
	    strcmp(signing->header_kid, key->kid) == 0 &&
	    strcmp(signing->header_type, type) == 0)
		return signing->header;
	header =
	    verbs_claims_header(jw_alg_name(key->facts.alg), key->kid, type);
	free(signing->header);
	signing->header = jw_base64url(header, strlen(header));
	free(header);
	memcpy(signing->header_kid, key->kid, sizeof(signing->header_kid));
	snprintf(
	    signing->header_type, sizeof(signing->header_type), "%s", type);
	return signing->header;
}

static void
set_header(struct verbs_sign_request *request, const struct key *key)
{
	const char *header = header_for(request->signing, key, request->type);
	size_t len = strlen(header);

	assert(len < SIGN_HEADER_ROOM);
	request->header_len = len;
	memcpy(input_of(request), header, len);
	input_of(request)[len] = '.';
	memcpy(request->kid, key->kid, sizeof(request->kid));
}

/* The active key as it is once the exp is on disk. */
static enum jw_err
choose_key(struct verbs_sign_request *request, const struct key **ret_key)
{
	struct verbs_sign *signing = request->signing;
	struct keeper *keeper = signing->verbs->keeper;
	struct keeper_set *set = keeper_by_id(keeper, request->set_id);
	const struct key *key = set == NULL ? NULL : keeper_active(set);
	enum jw_err err;

	if (set == NULL)
		return JW_NO_SUCH_KEY_SET;
	if (key == NULL)
		return signs_at(set) != 0 ? JW_NOT_READY : JW_NO_ACTIVE_KEY;
	err = key->facts.damaged ? JW_BAD_KEY
				 : verbs_sign_open_key(signing, set, key);
	if (err == JW_OK && request->exp > key->facts.max_exp)
		err = keeper_note_exp(keeper, set,
		    verbs_claims_round_exp(
			request->exp, set->row.facts.policy.token_max_ttl));
	if (err == JW_OK)
		*ret_key = keeper_active(set);
	return err;
}

void
verbs_sign_start(struct verbs_sign_request *request)
{
	struct crypto_signer *signer = request->signing->signer;
	struct crypto_signer_key *pair = NULL;
	const struct key *key = NULL;
	enum jw_err err = choose_key(request, &key);

	assert(request->call != NULL);
	if (err == JW_OK && key != NULL)
		pair = crypto_signer_find(signer, key->kid);
	if (err == JW_OK && pair == NULL)
		err = JW_NO_ACTIVE_KEY;
	if (err == JW_OK) {
		set_header(request, key);
		err = crypto_signer_sign(signer, pair,
		    serve_peer(request->call)->uid, input_of(request),
		    input_len(request), &request->gone, verbs_on_signed, free,
		    request);
	}
	if (err != JW_OK)
		fail(request, err);
}
