/*
 * The methods of org.jwksd.sign.  The order is what matters: the key is
 * opened, then the exp is on disk, then the signature is made, then it is
 * answered; and no signature is begun with a key that is not active at that
 * moment.
 */
#include "daemon/verbs/sign.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/base64url.h"
#include "common/base/decimal.h"
#include "common/base/log.h"
#include "common/base/slice.h"
#include "common/serve/server.h"
#include "common/wire/json_slice.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_service.h"
#include "daemon/crypto/keys.h"
#include "daemon/crypto/signer.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/news.h"
#include "daemon/keeper/sign.h"
#include "daemon/verbs/claims.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/rights.h"
#include "daemon/verbs/sign_call.h"
#include "daemon/verbs/verbs.h"

enum {
	KEYS_MAX = 512,    /* main.c sizes the secure heap by it */
	JOBS_MAX = 4096,   /* signatures that wait for a thread */
	HEADER_ROOM = 256, /* the longest has 192, and a dot */
	REPLY_ROOM = 128,  /* what is said beside tokens, kids and numbers */
	BROKEN_MAX = 32,
	TRY_AGAIN_S = 10,
};

/* A key that should sign and does not open. */
struct broken {
	char kid[MODEL_KID_SIZE];
	int64_t set_id;
	int64_t again_at;
};

struct verbs_sign {
	struct verbs *verbs;
	struct crypto_signer *signer;
	struct verbs_rights *rights;
	struct keeper_observer observer;
	struct broken broken[BROKEN_MAX];
	size_t nbroken;
	/* The last header, which is mostly the next one as well. */
	char *header; /* base64url */
	char header_type[CLAIMS_TYPE_MAX + 1];
	char header_kid[MODEL_KID_SIZE];
};

/* A call that is being answered. */
struct request {
	struct verbs_sign *signing;
	struct serve_call *call; /* NULL: the client has gone */
	atomic_bool gone;        /* the same for a thread */
	int64_t set_id;
	int64_t exp;
	bool is_payload;
	char type[CLAIMS_TYPE_MAX + 1];
	char kid[MODEL_KID_SIZE];
	/* What is signed: the header ends, a dot behind it, where the payload
	 * begins, HEADER_ROOM octets into the text. */
	size_t header_len, payload_len;
	char text[];
};

static char *
input_of(struct request *request)
{
	return request->text + HEADER_ROOM - 1 - request->header_len;
}

static size_t
input_len(const struct request *request)
{
	return request->header_len + 1 + request->payload_len;
}

/* With the header still to come; NULL: no memory. */
static struct request *
request_new(struct verbs_sign *signing, size_t payload_len)
{
	struct request *request =
	    malloc(sizeof(*request) + HEADER_ROOM + payload_len);

	if (request == NULL)
		return NULL;
	*request = (struct request){
	    .signing = signing,
	    .payload_len = payload_len,
	};
	return request;
}

/* ---- keys ---- */

static bool
is_active(const struct verbs_sign *signing, int64_t set_id, const char *kid)
{
	const struct keeper_set *set =
	    keeper_by_id(signing->verbs->keeper, set_id);
	const struct key *key = set == NULL || set->row.facts.removed_at != 0
				    ? NULL
				    : keeper_active(set);

	return key != NULL && !key->facts.damaged && strcmp(key->kid, kid) == 0;
}

static bool
may_stay(int64_t set_id, const char *kid, void *arg)
{
	return is_active(arg, set_id, kid);
}

static struct broken *
find_broken(struct verbs_sign *signing, const char *kid)
{
	for (size_t i = 0; i < signing->nbroken; i++)
		if (strcmp(signing->broken[i].kid, kid) == 0)
			return &signing->broken[i];
	return NULL;
}

static void
sweep_broken(struct verbs_sign *signing)
{
	size_t n = 0;

	for (size_t i = 0; i < signing->nbroken; i++)
		if (is_active(signing, signing->broken[i].set_id,
			signing->broken[i].kid))
			signing->broken[n++] = signing->broken[i];
	signing->nbroken = n;
}

/* After each commit: what no longer signs is not kept open. */
static void
verbs_sign_on_news(const struct keeper_news *news, void *arg)
{
	struct verbs_sign *signing = arg;

	(void)news;
	crypto_signer_sweep(signing->signer, may_stay, signing);
	sweep_broken(signing);
}

static void
note_broken(struct verbs_sign *signing, const struct keeper_set *set,
    const struct key *key, enum jw_err err)
{
	struct broken *broken = find_broken(signing, key->kid);

	jw_log(JW_LOG_ERROR,
	    "%s: generation %lld (%s) cannot sign: %s; its public key stays "
	    "published",
	    set->row.name, (long long)key->facts.number, key->kid,
	    jw_err_text(err));
	if (broken == NULL && signing->nbroken < BROKEN_MAX)
		broken = &signing->broken[signing->nbroken++];
	/* The one that was tried longest ago. */
	for (size_t i = 0; broken == NULL || i < signing->nbroken; i++)
		if (broken == NULL ||
		    (signing->broken[i].again_at < broken->again_at &&
			strcmp(broken->kid, key->kid) != 0))
			broken = &signing->broken[i];
	memcpy(broken->kid, key->kid, sizeof(broken->kid));
	broken->set_id = set->row.id;
	broken->again_at = keeper_now(signing->verbs->keeper) + TRY_AGAIN_S;
}

/* The key is among those that are open.  JW_BAD_KEY: it does not open. */
static enum jw_err
open_key(struct verbs_sign *signing, const struct keeper_set *set,
    const struct key *key)
{
	struct keeper *keeper = signing->verbs->keeper;
	int64_t now = keeper_now(keeper);
	struct broken *broken;
	struct keys_pair *pair;
	enum jw_err err;

	if (crypto_signer_find(signing->signer, key->kid) != NULL)
		return JW_OK;
	broken = find_broken(signing, key->kid);
	/* Further ahead than that: the clock was set back meanwhile. */
	if (broken != NULL && now < broken->again_at &&
	    broken->again_at - now <= TRY_AGAIN_S)
		return JW_BAD_KEY;
	err = keeper_unseal(keeper, set, key, &pair);
	if (err == JW_STORE_FAILED || err == JW_NO_MEMORY)
		return err;
	if (err != JW_OK) {
		note_broken(signing, set, key, err);
		return JW_BAD_KEY;
	}
	if (broken != NULL)
		*broken = signing->broken[--signing->nbroken];
	jw_log(JW_LOG_DEBUG, "%s: the key %s is open", set->row.name, key->kid);
	return crypto_signer_keep(signing->signer, set->row.id, pair) == NULL
		   ? JW_NO_MEMORY
		   : JW_OK;
}

void
verbs_sign_warn(const struct verbs_sign *signing, struct varlink_rows *warnings)
{
	for (size_t i = 0; signing != NULL && i < signing->nbroken; i++) {
		const struct broken *broken = &signing->broken[i];
		const struct keeper_set *set =
		    keeper_by_id(signing->verbs->keeper, broken->set_id);

		varlink_rows_add_string(warnings,
		    "%s: the active key %s cannot sign: its private key does "
		    "not open; see the log",
		    set == NULL ? "?" : set->row.name, broken->kid);
	}
}

/* ---- answering ---- */

static void
bad_claims(struct serve_call *call, const char *claim, const char *message)
{
	serve_fail(call, JW_BAD_CLAIMS,
	    json_pack("{s:s, s:s}", "parameter", claim, "message", message));
}

/* When the first key of a set signs that follows an earlier one. */
static int64_t
signs_at(const struct keeper_set *set)
{
	struct lc_set view = {.count = 0};

	if (set != NULL)
		keeper_view(set, &view);
	return lc_signs_at(&view);
}

/* Answers and frees. */
static void
verbs_sign_fail(struct request *request, enum jw_err err)
{
	struct verbs *verbs = request->signing->verbs;
	const struct keeper_set *set =
	    keeper_by_id(verbs->keeper, request->set_id);
	const char *name = set == NULL ? "?" : set->row.name;

	if (request->call == NULL)
		;
	else if (err == JW_NOT_READY)
		serve_fail(request->call, err,
		    json_pack("{s:I}", "readyAt", (json_int_t)signs_at(set)));
	else if (err == JW_NO_SUCH_KEY_SET || err == JW_NO_ACTIVE_KEY)
		serve_fail(
		    request->call, err, json_pack("{s:s}", "keySet", name));
	else if (err == JW_BAD_KEY)
		serve_fail(request->call, err,
		    json_pack("{s:s}", "message",
			"the private key of the active generation cannot be "
			"used; the daemon's log says why"));
	else if (err == JW_OVERLOADED)
		serve_fail(request->call, err, NULL);
	else if (err == JW_NO_MEMORY)
		serve_fail(request->call, err, NULL);
	else
		verbs_store_failed(request->call, verbs, err, NULL);
	free(request);
}

/* ret_at behind what has been written there. */
static void
add(char **ret_at, const void *data, size_t len)
{
	memcpy(*ret_at, data, len);
	*ret_at += len;
}

static void
add_word(char **ret_at, const char *word)
{
	add(ret_at, word, strlen(word));
}

/* Everything in it is base64url or a number: there is nothing to escape. */
static char *
write_reply(
    struct request *request, const uint8_t *signature, size_t len, char *at)
{
	const char *input = input_of(request);

	if (request->is_payload) {
		add_word(&at, "{\"parameters\":{\"header\":\"");
		add(&at, input, request->header_len);
		add_word(&at, "\",\"signature\":\"");
	} else {
		add_word(&at, "{\"parameters\":{\"token\":\"");
		add(&at, input, input_len(request));
		add_word(&at, ".");
	}
	at += jw_base64url_write(signature, len, at);
	add_word(&at, "\",\"kid\":\"");
	add_word(&at, request->kid);
	add_word(&at, "\"");
	if (!request->is_payload) {
		add_word(&at, ",\"expiresAt\":");
		at += jw_decimal(request->exp, at);
	}
	add(&at, "}}", sizeof("}}"));
	return at;
}

static enum jw_err
verbs_answer(struct request *request, const uint8_t *signature, size_t len)
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

static void verbs_sign_start(struct request *request);

/* Signatures in flight at a promotion are good, those at a revocation not. */
static bool
is_revoked(const struct request *request)
{
	const struct keeper_set *set =
	    keeper_by_id(request->signing->verbs->keeper, request->set_id);

	for (size_t i = 0; set != NULL && i < set->row.nkeys; i++)
		if (strcmp(set->row.keys[i].kid, request->kid) == 0)
			return set->row.keys[i].facts.revoked_at != 0;
	return true;
}

static void
on_signed(enum jw_err err, const uint8_t *signature, size_t len, void *arg)
{
	struct request *request = arg;

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
		err = verbs_answer(request, signature, len);
	if (err == JW_OK)
		free(request);
	else
		verbs_sign_fail(request, err);
}

static void
verbs_sign_on_closed(struct serve_call *call, void *arg)
{
	struct request *request = arg;

	(void)call;
	request->call = NULL;
	atomic_store(&request->gone, true);
}

/* ---- signing ---- */

/* A kid has one algorithm for ever. */
static const char *
header_for(struct verbs_sign *signing, const struct key *key, const char *type)
{
	char *header, *text;

	if (signing->header != NULL &&
	    strcmp(signing->header_kid, key->kid) == 0 &&
	    strcmp(signing->header_type, type) == 0)
		return signing->header;
	header =
	    verbs_claims_header(jw_alg_name(key->facts.alg), key->kid, type);
	text = header == NULL ? NULL : jw_base64url(header, strlen(header));
	free(header);
	if (text == NULL)
		return NULL;
	free(signing->header);
	signing->header = text;
	memcpy(signing->header_kid, key->kid, sizeof(signing->header_kid));
	snprintf(
	    signing->header_type, sizeof(signing->header_type), "%s", type);
	return text;
}

static bool
set_header(struct request *request, const struct key *key)
{
	const char *header = header_for(request->signing, key, request->type);
	size_t len = header == NULL ? 0 : strlen(header);

	if (header == NULL || len >= HEADER_ROOM)
		return false;
	request->header_len = len;
	memcpy(input_of(request), header, len);
	input_of(request)[len] = '.';
	memcpy(request->kid, key->kid, sizeof(request->kid));
	return true;
}

/* The active key as it is once the exp is on disk. */
static enum jw_err
choose_key(struct request *request, const struct key **ret_key)
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
	err = key->facts.damaged ? JW_BAD_KEY : open_key(signing, set, key);
	if (err == JW_OK && request->exp > key->facts.max_exp)
		err = keeper_note_exp(keeper, set,
		    verbs_claims_round_exp(
			request->exp, set->row.facts.policy.token_max_ttl));
	if (err == JW_OK)
		*ret_key = keeper_active(set);
	return err;
}

/* Answers now or later, and frees. */
static void
verbs_sign_start(struct request *request)
{
	struct crypto_signer *signer = request->signing->signer;
	struct crypto_signer_key *pair = NULL;
	const struct key *key = NULL;
	enum jw_err err = choose_key(request, &key);

	if (err == JW_OK)
		pair =
		    key == NULL ? NULL : crypto_signer_find(signer, key->kid);
	if (err == JW_OK && pair == NULL)
		err = JW_NO_ACTIVE_KEY;
	if (err == JW_OK && !set_header(request, key))
		err = JW_NO_MEMORY;
	if (err == JW_OK)
		err = crypto_signer_sign(signer, pair,
		    serve_peer(request->call)->uid, input_of(request),
		    input_len(request), &request->gone, on_signed, free,
		    request);
	if (err != JW_OK)
		verbs_sign_fail(request, err);
}

/* ---- the calls ---- */

static bool
is_member(gid_t group, void *arg)
{
	return serve_is_member(arg, group);
}

static bool
may_sign(struct serve_call *call, const struct verbs_sign *signing,
    const struct keeper_set *set)
{
	return verbs_rights_allow(
	    signing->rights, set->row.name, is_member, call);
}

static void
deny(struct serve_call *call, const struct keeper_set *set)
{
	if (serve_first_refusal(call))
		jw_log(JW_LOG_WARNING, "uid %u may not sign for %s",
		    (unsigned)serve_peer(call)->uid, set->row.name);
	serve_fail(call, JW_PERMISSION_DENIED, NULL);
}

/* What is asked for, however it was read. */
struct order {
	bool is_payload;
	char key_set[MODEL_NAME_SIZE];
	char type[CLAIMS_TYPE_MAX + 1]; /* empty: it cannot be right */
	struct jw_slice claims; /* SignPayload: unknown until it is decoded */
	struct jw_slice payload;
	struct verbs_claims_times times; /* of the claims */
};

/* A call whose claims are being looked at. */
struct look {
	struct serve_call *call;
	struct verbs_sign *signing;
	const struct keeper_set *set;
	const struct order *order;
	int64_t exp;
	int64_t iat; /* to be added; 0: it is there */
};

/* False: the call has been answered. */
static bool
check_times(struct look *look, const struct verbs_claims_times *times)
{
	int64_t now = keeper_now(look->signing->verbs->keeper);
	struct verbs_claims_fault fault;

	if (verbs_claims_check(times, now,
		look->set->row.facts.policy.token_max_ttl, &fault) != JW_OK) {
		bad_claims(look->call, fault.claim, fault.message);
		return false;
	}
	look->exp = times->exp.value;
	look->iat = times->iat.there ? 0 : now;
	return true;
}

/* NULL: the call has been answered. */
static struct request *
verbs_sign_take_claims(struct look *look)
{
	const struct jw_slice *claims = &look->order->claims;
	struct request *request = NULL;
	size_t len;
	char *whole;

	if (!check_times(look, &look->order->times))
		return NULL;
	if (claims->len > CLAIMS_OCTETS_MAX) {
		bad_claims(look->call, "claims", "are longer than 128 KiB");
		return NULL;
	}
	whole = verbs_claims_text(claims->at, claims->len, look->iat, &len);
	if (whole != NULL)
		request = request_new(look->signing, jw_base64url_size(len));
	if (request == NULL)
		serve_fail(look->call, JW_NO_MEMORY, NULL);
	else
		jw_base64url_write(whole, len, request->text + HEADER_ROOM);
	free(whole);
	return request;
}

/* The claims in a payload.  False: the call has been answered. */
static bool
read_payload(struct serve_call *call, const char *text, size_t len,
    struct verbs_claims_times *ret_times)
{
	struct verbs_claims_fault fault;
	json_t *claims;

	if (len > CLAIMS_OCTETS_MAX) {
		bad_claims(call, "payload", "is longer than 128 KiB");
		return false;
	}
	if (verbs_sign_call_times(text, len, ret_times))
		return true;
	claims = varlink_object_parse(text, len);
	if (claims == NULL) {
		bad_claims(call, "payload",
		    "must be one JSON object in UTF-8, at most 32 deep, "
		    "without duplicate members, NULs and huge numbers");
		return false;
	}
	verbs_claims_read(claims, ret_times, &fault);
	json_decref(claims);
	return true;
}

/* NULL: the call has been answered. */
static struct request *
take_payload(struct look *look)
{
	const struct jw_slice *payload = &look->order->payload;
	struct verbs_claims_times times;
	struct request *request;
	uint8_t *text = NULL;
	size_t len;
	bool ok;

	if (jw_base64url_decode(payload->at, payload->len, &text, &len) !=
	    JW_OK) {
		bad_claims(look->call, "payload",
		    "must be base64url without padding (RFC 7515 section 2)");
		return NULL;
	}
	ok = read_payload(look->call, (const char *)text, len, &times) &&
	     check_times(look, &times);
	free(text);
	if (!ok)
		return NULL;
	request = request_new(look->signing, payload->len);
	if (request == NULL)
		serve_fail(look->call, JW_NO_MEMORY, NULL);
	else
		memcpy(request->text + HEADER_ROOM, payload->at, payload->len);
	return request;
}

/* Of a caller who may sign for the key set. */
static void
obey(struct serve_call *call, struct verbs_sign *signing,
    const struct keeper_set *set, const struct order *order)
{
	struct look look = {
	    .call = call,
	    .signing = signing,
	    .set = set,
	    .order = order,
	};
	struct request *request;

	if (!verbs_claims_type_is_fine(order->type)) {
		verbs_invalid(call, "type");
		return;
	}
	request = order->is_payload ? take_payload(&look)
				    : verbs_sign_take_claims(&look);
	if (request == NULL)
		return;
	request->call = call;
	request->set_id = look.set->row.id;
	request->exp = look.exp;
	request->is_payload = order->is_payload;
	memcpy(request->type, order->type, sizeof(request->type));
	serve_wait(call, verbs_sign_on_closed, request);
	verbs_sign_start(request);
}

/* ---- the quick way ---- */

/* False: it does not fit. */
static bool
copy_slice(const struct jw_slice *slice, const char *absent, char *ret_text,
    size_t size)
{
	size_t len = slice->at == NULL ? strlen(absent) : slice->len;

	if (len >= size)
		return false;
	memcpy(ret_text, slice->at == NULL ? absent : slice->at, len);
	ret_text[len] = '\0';
	return true;
}

bool
verbs_sign_quick(struct serve_call *call, void *context)
{
	struct verbs_sign *signing = context;
	const struct keeper_set *set;
	struct verbs_sign_call plain;
	struct order order;
	size_t len;
	const char *text = serve_text(call, &len);

	if (!verbs_sign_call_read(text, len, &plain) ||
	    !copy_slice(&plain.key_set, "default", order.key_set,
		sizeof(order.key_set)) ||
	    !copy_slice(&plain.type, "JWT", order.type, sizeof(order.type)))
		return false;
	/* Refused with the call at hand, whose parameters the audit names. */
	set = keeper_find(signing->verbs->keeper, order.key_set);
	if (set == NULL || !may_sign(call, signing, set))
		return false;
	order.is_payload = plain.is_payload;
	order.claims = plain.claims;
	order.payload = plain.payload;
	order.times = plain.times;
	obey(call, signing, set, &order);
	return true;
}

/* ---- the long way ---- */

/* False: the call has been answered. */
static bool
find_claims(struct serve_call *call, struct order *order)
{
	struct verbs_claims_fault fault;
	struct jw_slice parameters;
	size_t len;
	const char *text = serve_text(call, &len);

	if (verbs_claims_read(json_object_get(serve_parameters(call), "claims"),
		&order->times, &fault) != JW_OK) {
		bad_claims(call, fault.claim, fault.message);
		return false;
	}
	if (!varlink_json_find(text, len, "parameters", &parameters) ||
	    !varlink_json_find(
		parameters.at, parameters.len, "claims", &order->claims)) {
		serve_fail(call, JW_BUG, NULL);
		return false;
	}
	return true;
}

/* The parameter's value; absent or null: the fallback. */
static const char *
verbs_string(const json_t *parameters, const char *name, const char *fallback)
{
	const char *value =
	    json_string_value(json_object_get(parameters, name));

	return value == NULL ? fallback : value;
}

static void
verbs_sign_run(
    struct serve_call *call, struct verbs_sign *signing, bool is_payload)
{
	const json_t *parameters = serve_parameters(call);
	const char *type = verbs_string(parameters, "type", "JWT");
	const struct keeper_set *set;
	struct order order;

	memset(&order, 0, sizeof(order));
	order.is_payload = is_payload;
	order.payload.at = verbs_string(parameters, "payload", "");
	order.payload.len = strlen(order.payload.at);
	if (strlen(type) < sizeof(order.type))
		memcpy(order.type, type, strlen(type));
	set = verbs_key_set(
	    call, signing->verbs, verbs_string(parameters, "keySet", NULL));
	if (set == NULL)
		return;
	if (!may_sign(call, signing, set)) {
		deny(call, set);
		return;
	}
	snprintf(order.key_set, sizeof(order.key_set), "%s",
	    verbs_string(parameters, "keySet", "default"));
	if (is_payload || find_claims(call, &order))
		obey(call, signing, set, &order);
}

/* What cannot be read has the name of the claim where it is in the claims. */
static void
refuse_fault(struct serve_call *call, const struct varlink_fault *fault)
{
	if (strcmp(fault->parameter, "claims") == 0)
		bad_claims(call,
		    fault->member[0] != '\0' ? fault->member : fault->parameter,
		    fault->what);
	else
		verbs_invalid(call, fault->parameter[0] != '\0'
					? fault->parameter
					: "parameters");
}

static void
run_sign(struct serve_call *call, const void *request, void *context)
{
	const struct varlink_fault *fault = serve_fault(call);

	(void)request;
	if (fault->what != NULL)
		refuse_fault(call, fault);
	else
		verbs_sign_run(call, context, false);
}

static void
run_sign_payload(struct serve_call *call, const void *request, void *context)
{
	(void)request;
	verbs_sign_run(call, context, true);
}

static void
run_get_jwks(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_sign *signing = context;

	verbs_get_jwks(call, request, signing->verbs);
}

static const struct varlink_verb table[] = {
    {"Sign", VARLINK_FAULTS, run_sign, NULL, NULL},
    {"SignPayload", 0, run_sign_payload, NULL, NULL},
    {"GetJwks", 0, run_get_jwks, &verbs_look_layout, &verbs_get_jwks_layout},
};

enum jw_err
verbs_sign_offer(struct varlink_service *service, struct jw_why *why)
{
	return varlink_service_add(service, varlink_text("org.jwksd.sign"),
	    table, sizeof(table) / sizeof(table[0]), why);
}

/* ---- start and end ---- */

/* Those that this process may run on. */
static int
count_cores(void)
{
	cpu_set_t cores;

	CPU_ZERO(&cores);
	if (sched_getaffinity(0, sizeof(cores), &cores) != 0)
		return 1;
	return CPU_COUNT(&cores);
}

enum jw_err
verbs_sign_new(struct event_base *base, struct verbs *verbs,
    struct verbs_rights *take_rights, struct verbs_sign **ret_signing,
    struct jw_why *why)
{
	struct verbs_sign *signing = calloc(1, sizeof(*signing));
	enum jw_err err;

	if (signing == NULL) {
		verbs_rights_free(take_rights);
		return JW_NO_MEMORY;
	}
	signing->verbs = verbs;
	signing->rights = take_rights;
	err = crypto_signer_new(
	    base, count_cores(), KEYS_MAX, JOBS_MAX, &signing->signer);
	if (err == JW_IO)
		jw_why_set(why, "threads that sign: %s", strerror(errno));
	if (err != JW_OK) {
		verbs_rights_free(take_rights);
		free(signing);
		return err;
	}
	signing->observer.fn = verbs_sign_on_news;
	signing->observer.arg = signing;
	keeper_observe(verbs->keeper, &signing->observer);
	*ret_signing = signing;
	return JW_OK;
}

void
verbs_sign_free(struct verbs_sign *signing)
{
	if (signing == NULL)
		return;
	keeper_unobserve(signing->verbs->keeper, &signing->observer);
	crypto_signer_free(signing->signer);
	verbs_rights_free(signing->rights);
	free(signing->header);
	free(signing);
}
