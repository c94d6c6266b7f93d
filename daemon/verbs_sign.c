/*
 * The methods of org.jwksd.sign.  The order is what matters: the key is
 * opened, then the exp is on disk, then the signature is made, then it is
 * answered; and no signature is begun with a key that is not active at that
 * moment.
 */
#include "daemon/verbs_sign.h"

#include <inttypes.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/span.h"
#include "common/varlink.h"
#include "daemon/claims.h"
#include "daemon/control.h"
#include "daemon/keeper.h"
#include "daemon/keeper_news.h"
#include "daemon/keeper_sign.h"
#include "daemon/keys.h"
#include "daemon/rights.h"
#include "daemon/sign_call.h"
#include "daemon/signer.h"
#include "daemon/verbs.h"

enum {
	KEYS_MAX = 512,  /* main.c sizes the secure heap by it */
	JOBS_MAX = 2048, /* signatures that wait for a thread */
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
	struct signer *signer;
	struct rights *rights;
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
	struct control_call *call; /* NULL: the client has gone */
	int64_t set_id;
	int64_t exp;
	bool is_payload;
	char type[CLAIMS_TYPE_MAX + 1];
	char kid[MODEL_KID_SIZE];
	char *payload; /* base64url */
	char *input;   /* header.payload */
	size_t header_len, input_len;
};

static void
request_free(void *arg)
{
	struct request *request = arg;

	free(request->payload);
	free(request->input);
	free(request);
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

	return key != NULL && strcmp(key->kid, kid) == 0;
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
on_news(const struct keeper_news *news, void *arg)
{
	struct verbs_sign *signing = arg;

	(void)news;
	signer_sweep(signing->signer, may_stay, signing);
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
	if (broken == NULL)
		return;
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
	struct broken *broken;
	struct keys_pair *pair;
	enum jw_err err;

	if (signer_find(signing->signer, key->kid) != NULL)
		return JW_OK;
	broken = find_broken(signing, key->kid);
	if (broken != NULL && keeper_now(keeper) < broken->again_at)
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
	return signer_keep(signing->signer, set->row.id, pair) == NULL
		   ? JW_NO_MEMORY
		   : JW_OK;
}

void
verbs_sign_warn(const struct verbs_sign *signing, struct json_t *warnings)
{
	for (size_t i = 0; signing != NULL && i < signing->nbroken; i++) {
		const struct broken *broken = &signing->broken[i];
		const struct keeper_set *set =
		    keeper_by_id(signing->verbs->keeper, broken->set_id);

		json_array_append_new(warnings,
		    json_sprintf("%s: the active key %s cannot sign: its "
				 "private key does not open; see the log",
			set == NULL ? "?" : set->row.name, broken->kid));
	}
}

/* ---- answering ---- */

static void
bad_claims(struct control_call *call, const char *claim, const char *message)
{
	control_fail(call, JW_BAD_CLAIMS,
	    json_pack("{s:s, s:s}", "parameter", claim, "message", message));
}

/* Answers and frees. */
static void
fail(struct request *request, enum jw_err err)
{
	struct verbs *verbs = request->signing->verbs;
	const struct keeper_set *set =
	    keeper_by_id(verbs->keeper, request->set_id);
	const char *name = set == NULL ? "?" : set->row.name;

	if (request->call == NULL)
		;
	else if (err == JW_NO_SUCH_KEY_SET || err == JW_NO_ACTIVE_KEY)
		control_fail(
		    request->call, err, json_pack("{s:s}", "keySet", name));
	else if (err == JW_BAD_KEY)
		control_fail(request->call, err,
		    json_pack("{s:s}", "message",
			"the private key of the active generation cannot be "
			"used; the daemon's log says why"));
	else if (err == JW_OVERLOADED)
		control_fail(request->call, err, NULL);
	else
		verbs_store_failed(request->call, verbs, err);
	request_free(request);
}

/*
 * Everything in it is base64url or a number: there is nothing to escape.  The
 * caller frees; NULL: no memory.
 */
static char *
reply_of(const struct request *request, const char *signature, size_t *ret_len)
{
	char *text = NULL;
	int n;

	if (request->is_payload)
		n = asprintf(&text,
		    "{\"header\":\"%.*s\",\"signature\":\"%s\","
		    "\"kid\":\"%s\"}",
		    (int)request->header_len, request->input, signature,
		    request->kid);
	else
		n = asprintf(&text,
		    "{\"token\":\"%s.%s\",\"kid\":\"%s\","
		    "\"expiresAt\":%" PRId64 "}",
		    request->input, signature, request->kid, request->exp);
	if (n < 0)
		return NULL;
	*ret_len = (size_t)n;
	return text;
}

static void start(struct request *request);

static void
on_signed(enum jw_err err, const uint8_t *signature, size_t len, void *arg)
{
	struct request *request = arg;
	char *text, *reply;
	size_t reply_len = 0;

	if (request->call == NULL) {
		request_free(request);
		return;
	}
	if (err == JW_CONFLICT) {
		start(request);
		return;
	}
	text = err == JW_OK ? keys_base64url(signature, len) : NULL;
	reply = text == NULL ? NULL : reply_of(request, text, &reply_len);
	free(text);
	if (reply == NULL) {
		fail(request, err == JW_OK ? JW_NO_MEMORY : err);
		return;
	}
	control_reply_text(request->call, reply, reply_len);
	free(reply);
	request_free(request);
}

static void
on_closed(struct control_call *call, void *arg)
{
	struct request *request = arg;

	(void)call;
	request->call = NULL;
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
	header = claims_header(jw_alg_name(key->facts.alg), key->kid, type);
	text = header == NULL ? NULL : keys_base64url(header, strlen(header));
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
set_input(struct request *request, const struct key *key)
{
	const char *header = header_for(request->signing, key, request->type);
	size_t header_len = header == NULL ? 0 : strlen(header);
	size_t payload_len = strlen(request->payload);
	char *input =
	    header == NULL ? NULL : malloc(header_len + payload_len + 2);

	if (input == NULL)
		return false;
	memcpy(input, header, header_len);
	input[header_len] = '.';
	memcpy(input + header_len + 1, request->payload, payload_len + 1);
	free(request->input);
	request->input = input;
	request->input_len = header_len + 1 + payload_len;
	request->header_len = header_len;
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
		return JW_NO_ACTIVE_KEY;
	err = open_key(signing, set, key);
	if (err == JW_OK && request->exp > key->facts.max_exp)
		err = keeper_note_exp(keeper, set,
		    claims_round_exp(
			request->exp, set->row.facts.policy.token_max_ttl));
	if (err == JW_OK)
		*ret_key = keeper_active(set);
	return err;
}

/* Answers now or later, and frees. */
static void
start(struct request *request)
{
	struct signer *signer = request->signing->signer;
	struct signer_key *pair = NULL;
	const struct key *key = NULL;
	enum jw_err err = choose_key(request, &key);

	if (err == JW_OK)
		pair = key == NULL ? NULL : signer_find(signer, key->kid);
	if (err == JW_OK && pair == NULL)
		err = JW_NO_ACTIVE_KEY;
	if (err == JW_OK && !set_input(request, key))
		err = JW_NO_MEMORY;
	if (err == JW_OK)
		err = signer_sign(signer, pair, request->input,
		    request->input_len, on_signed, request_free, request);
	if (err != JW_OK)
		fail(request, err);
}

/* ---- the calls ---- */

static bool
is_member(gid_t group, void *arg)
{
	return control_is_member(arg, group);
}

/* False: the call has been answered. */
static bool
may_sign(struct control_call *call, const struct verbs_sign *signing,
    const struct keeper_set *set)
{
	if (rights_allow(signing->rights, set->row.name, is_member, call))
		return true;
	jw_log(JW_LOG_WARNING, "uid %u may not sign for %s",
	    (unsigned)control_peer(call)->uid, set->row.name);
	control_fail(call, JW_PERMISSION_DENIED, NULL);
	return false;
}

/* What is asked for, however it was read. */
struct order {
	bool is_payload;
	char key_set[MODEL_NAME_SIZE];
	char type[CLAIMS_TYPE_MAX + 1]; /* empty: it cannot be right */
	struct jw_span claims; /* SignPayload: unknown until it is decoded */
	struct jw_span payload;
	struct claims_times times; /* of the claims */
};

/* False: the call has been answered. */
static bool
check_claims(struct control_call *call, struct request *request,
    const struct keeper_set *set, const struct claims_times *times,
    int64_t *ret_iat)
{
	int64_t now = keeper_now(request->signing->verbs->keeper);
	struct claims_fault fault;

	if (claims_check(times, now, set->row.facts.policy.token_max_ttl,
		&fault) != JW_OK) {
		bad_claims(call, fault.claim, fault.message);
		return false;
	}
	request->exp = times->exp.value;
	*ret_iat = times->iat.there ? 0 : now;
	return true;
}

static bool
take_claims(struct control_call *call, struct request *request,
    const struct keeper_set *set, const struct order *order)
{
	int64_t iat;
	size_t len;
	char *whole;

	if (!check_claims(call, request, set, &order->times, &iat))
		return false;
	if (order->claims.len > CLAIMS_OCTETS_MAX) {
		bad_claims(call, "claims", "are longer than 128 KiB");
		return false;
	}
	whole = claims_text(order->claims.at, order->claims.len, iat, &len);
	request->payload = whole == NULL ? NULL : keys_base64url(whole, len);
	free(whole);
	if (request->payload == NULL)
		control_fail(call, JW_NO_MEMORY, NULL);
	return request->payload != NULL;
}

/* The claims in a payload.  False: the call has been answered. */
static bool
read_payload(struct control_call *call, const char *text, size_t len,
    struct claims_times *ret_times)
{
	struct claims_fault fault;
	json_t *claims;

	if (len > CLAIMS_OCTETS_MAX) {
		bad_claims(call, "payload", "is longer than 128 KiB");
		return false;
	}
	if (sign_call_times(text, len, ret_times))
		return true;
	claims = varlink_object_parse(text, len);
	if (claims == NULL) {
		bad_claims(call, "payload",
		    "must be one JSON object, without duplicate members and "
		    "at most 32 deep");
		return false;
	}
	claims_read(claims, ret_times, &fault);
	json_decref(claims);
	return true;
}

static bool
take_payload(struct control_call *call, struct request *request,
    const struct keeper_set *set, const struct order *order)
{
	struct claims_times times;
	uint8_t *text = NULL;
	int64_t iat;
	size_t len;
	bool ok;

	if (keys_base64url_decode(
		order->payload.at, order->payload.len, &text, &len) != JW_OK) {
		bad_claims(call, "payload",
		    "must be base64url without padding (RFC 7515 section 2)");
		return false;
	}
	ok = read_payload(call, (const char *)text, len, &times) &&
	     check_claims(call, request, set, &times, &iat);
	free(text);
	if (!ok)
		return false;
	request->payload = strndup(order->payload.at, order->payload.len);
	if (request->payload == NULL)
		control_fail(call, JW_NO_MEMORY, NULL);
	return request->payload != NULL;
}

static void
obey(struct control_call *call, struct verbs_sign *signing,
    const struct order *order)
{
	struct keeper_set *set =
	    verbs_named_key_set(call, signing->verbs, order->key_set);
	struct request *request;

	if (set == NULL || !may_sign(call, signing, set))
		return;
	if (!claims_type_is_fine(order->type)) {
		verbs_invalid(call, "type");
		return;
	}
	request = calloc(1, sizeof(*request));
	if (request == NULL) {
		control_fail(call, JW_NO_MEMORY, NULL);
		return;
	}
	request->signing = signing;
	request->call = call;
	request->set_id = set->row.id;
	request->is_payload = order->is_payload;
	memcpy(request->type, order->type, sizeof(request->type));
	if (!(order->is_payload ? take_payload(call, request, set, order)
				: take_claims(call, request, set, order))) {
		request_free(request);
		return;
	}
	control_wait(call, on_closed, request);
	start(request);
}

/* ---- the quick way ---- */

/* False: it does not fit. */
static bool
copy_span(
    const struct jw_span *span, const char *absent, char *ret_text, size_t size)
{
	size_t len = span->at == NULL ? strlen(absent) : span->len;

	if (len >= size)
		return false;
	memcpy(ret_text, span->at == NULL ? absent : span->at, len);
	ret_text[len] = '\0';
	return true;
}

bool
verbs_sign_quick(struct control_call *call, void *context)
{
	struct sign_call plain;
	struct order order;
	size_t len;
	const char *text = control_text(call, &len);

	if (!sign_call_read(text, len, &plain) ||
	    !copy_span(&plain.key_set, "default", order.key_set,
		sizeof(order.key_set)) ||
	    !copy_span(&plain.type, "JWT", order.type, sizeof(order.type)))
		return false;
	order.is_payload = plain.is_payload;
	order.claims = plain.claims;
	order.payload = plain.payload;
	order.times = plain.times;
	obey(call, context, &order);
	return true;
}

/* ---- the long way ---- */

/* False: the call has been answered. */
static bool
find_claims(struct control_call *call, struct order *order)
{
	struct claims_fault fault;
	struct jw_span parameters;
	size_t len;
	const char *text = control_text(call, &len);

	if (claims_read(json_object_get(control_parameters(call), "claims"),
		&order->times, &fault) != JW_OK) {
		bad_claims(call, fault.claim, fault.message);
		return false;
	}
	if (!jw_span_member(text, len, "parameters", &parameters) ||
	    !jw_span_member(
		parameters.at, parameters.len, "claims", &order->claims)) {
		control_fail(call, JW_BUG, NULL);
		return false;
	}
	return true;
}

static void
run(struct control_call *call, struct verbs_sign *signing, bool is_payload)
{
	const json_t *parameters = control_parameters(call);
	const char *type = verbs_string(parameters, "type", "JWT");
	struct order order;

	memset(&order, 0, sizeof(order));
	order.is_payload = is_payload;
	order.payload.at = verbs_string(parameters, "payload", "");
	order.payload.len = strlen(order.payload.at);
	if (strlen(type) < sizeof(order.type))
		memcpy(order.type, type, strlen(type));
	if (verbs_key_set(call, signing->verbs) == NULL)
		return;
	snprintf(order.key_set, sizeof(order.key_set), "%s",
	    verbs_string(parameters, "keySet", "default"));
	if (is_payload || find_claims(call, &order))
		obey(call, signing, &order);
}

static void
run_sign(struct control_call *call, void *context)
{
	run(call, context, false);
}

static void
run_sign_payload(struct control_call *call, void *context)
{
	run(call, context, true);
}

static void
run_get_jwks(struct control_call *call, void *context)
{
	const struct verbs_sign *signing = context;

	verbs_get_jwks(call, signing->verbs);
}

static const struct control_verb verb_sign = {run_sign};
static const struct control_verb verb_sign_payload = {run_sign_payload};
static const struct control_verb verb_get_jwks = {run_get_jwks};

static const struct varlink_verb table[] = {
    {"Sign", 0, &verb_sign},
    {"SignPayload", 0, &verb_sign_payload},
    {"GetJwks", 0, &verb_get_jwks},
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
    struct rights *take_rights, struct verbs_sign **ret_signing)
{
	struct verbs_sign *signing = calloc(1, sizeof(*signing));
	enum jw_err err;

	if (signing == NULL) {
		rights_free(take_rights);
		return JW_NO_MEMORY;
	}
	signing->verbs = verbs;
	signing->rights = take_rights;
	err = signer_new(
	    base, count_cores(), KEYS_MAX, JOBS_MAX, &signing->signer);
	if (err != JW_OK) {
		rights_free(take_rights);
		free(signing);
		return err;
	}
	signing->observer.fn = on_news;
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
	signer_free(signing->signer);
	rights_free(signing->rights);
	free(signing->header);
	free(signing);
}
