/*
 * The methods of org.jwksd.sign: reads what a client asks to sign and decides
 * whether it may be signed.  Must never let a token pass whose exp the policy
 * of its key set does not allow.
 */
#include "daemon/verbs/sign.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/base64url.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/serve/call.h"
#include "common/wire/json_slice.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_interface.h"
#include "common/wire/varlink_service.h"
#include "common/wire/varlink_struct.h"
#include "daemon/verbs/fault.h"
#include "daemon/verbs/methods.h"
#include "daemon/verbs/rights.h"
#include "daemon/verbs/sign_call.h"
#include "daemon/verbs/sign_internal.h"
#include "daemon/verbs/verbs.h"

enum {
	KEYS_MAX = 512,  /* main.c sizes the secure heap by it */
	JOBS_MAX = 4096, /* signatures that wait for a thread */
};

static void
bad_claims(struct serve_call *call, const char *claim, const char *message)
{
	verbs_fail(call, JW_BAD_CLAIMS,
	    &(struct verbs_fault){.parameter = claim, .message = message});
}

/* ---- the checks before a signature ---- */

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

/* A call of a client that may sign for the key set. */
struct order {
	struct serve_call *call;
	struct verbs_sign *signing;
	const struct keeper_set *set;
	const struct verbs_sign_call *asked;
	char type[CLAIMS_TYPE_MAX + 1];
	int64_t exp;
	int64_t iat; /* to be added; 0: it is there */
};

/* False: the call has been answered. */
static bool
check_times(struct order *order, const struct verbs_claims_times *times)
{
	int64_t now = keeper_now(order->signing->verbs->keeper);
	struct verbs_claims_fault fault;

	if (verbs_claims_check(times, now,
		order->set->row.facts.policy.token_max_ttl, &fault) != JW_OK) {
		bad_claims(order->call, fault.claim, fault.message);
		return false;
	}
	order->exp = times->exp.value;
	order->iat = times->iat.there ? 0 : now;
	return true;
}

/* NULL: the call has been answered. */
static struct verbs_sign_request *
request_of_claims(struct order *order)
{
	const struct jw_slice claims = order->asked->claims;
	struct verbs_sign_request *request = NULL;
	size_t len;
	char *whole;

	if (!check_times(order, &order->asked->times))
		return NULL;
	if (claims.len > CLAIMS_OCTETS_MAX) {
		bad_claims(order->call, "claims", "are longer than 128 KiB");
		return NULL;
	}
	whole = verbs_claims_text(claims.at, claims.len, order->iat, &len);
	if (whole != NULL)
		request = verbs_sign_request_new(
		    order->signing, jw_base64url_size(len));
	if (request == NULL)
		serve_fail(order->call, JW_NO_MEMORY, NULL);
	else
		jw_base64url_write(
		    whole, len, request->text + SIGN_HEADER_ROOM);
	free(whole);
	return request;
}

/* The claims in a payload.  False: the call has been answered. */
static bool
read_payload(struct serve_call *call, const char *text, size_t len,
    struct verbs_claims_times *ret_times)
{
	struct verbs_claims_fault fault;
	struct json_t *claims;

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
	varlink_object_free(claims);
	return true;
}

/* NULL: the call has been answered. */
static struct verbs_sign_request *
request_of_payload(struct order *order)
{
	const struct jw_slice payload = order->asked->payload;
	struct verbs_claims_times times;
	struct verbs_sign_request *request;
	uint8_t *text = NULL;
	size_t len;
	bool ok;

	if (jw_base64url_decode(payload.at, payload.len, &text, &len) !=
	    JW_OK) {
		bad_claims(order->call, "payload",
		    "must be base64url without padding (RFC 7515 section 2)");
		return NULL;
	}
	ok = read_payload(order->call, (const char *)text, len, &times) &&
	     check_times(order, &times);
	free(text);
	if (!ok)
		return NULL;
	request = verbs_sign_request_new(order->signing, payload.len);
	if (request == NULL)
		serve_fail(order->call, JW_NO_MEMORY, NULL);
	else
		memcpy(
		    request->text + SIGN_HEADER_ROOM, payload.at, payload.len);
	return request;
}

/* NUL-terminated; false: it does not fit. */
static bool
copy_slice(
    struct jw_slice slice, const char *absent, char *ret_text, size_t size)
{
	if (slice.at == NULL)
		slice = (struct jw_slice){absent, strlen(absent)};
	if (slice.len >= size)
		return false;
	memcpy(ret_text, slice.at, slice.len);
	ret_text[slice.len] = '\0';
	return true;
}

static void
sign(struct serve_call *call, struct verbs_sign *signing,
    const struct keeper_set *set, const struct verbs_sign_call *asked)
{
	struct order order = {
	    .call = call,
	    .signing = signing,
	    .set = set,
	    .asked = asked,
	};
	struct verbs_sign_request *request;

	if (!copy_slice(asked->type, "JWT", order.type, sizeof(order.type)) ||
	    !verbs_claims_type_is_fine(order.type)) {
		verbs_invalid(call, "type");
		return;
	}
	request = asked->is_payload ? request_of_payload(&order)
				    : request_of_claims(&order);
	if (request == NULL)
		return;
	request->call = call;
	request->set_id = set->row.id;
	request->exp = order.exp;
	request->is_payload = asked->is_payload;
	memcpy(request->type, order.type, sizeof(request->type));
	serve_wait(call, verbs_sign_on_closed, request);
	verbs_sign_start(request);
}

bool
verbs_sign_quick(struct serve_call *call, void *context)
{
	struct verbs_sign *signing = context;
	char key_set[MODEL_NAME_SIZE];
	const struct keeper_set *set;
	struct verbs_sign_call asked;
	size_t len;
	const char *text = serve_text(call, &len);

	if (!verbs_sign_call_read(text, len, &asked) ||
	    !copy_slice(asked.key_set, "default", key_set, sizeof(key_set)))
		return false;
	/* A refusal needs the parsed parameters, which the audit names. */
	set = keeper_find(signing->verbs->keeper, key_set);
	if (set == NULL || !may_sign(call, signing, set))
		return false;
	sign(call, signing, set, &asked);
	return true;
}

/* ---- calls that are not plain ---- */

struct parameters {
	const char *key_set, *type, *payload;
	const struct json_t *claims; /* the call's */
};

static const struct varlink_layout layout = VARLINK_LAYOUT(parameters,
    VARLINK_MEMBER(parameters, "keySet", key_set, varlink_string),
    VARLINK_MEMBER(parameters, "type", type, varlink_string),
    VARLINK_MEMBER(parameters, "payload", payload, varlink_string),
    VARLINK_MEMBER(parameters, "claims", claims, varlink_any_object));

static struct jw_slice
slice_of(const char *text)
{
	return (struct jw_slice){text, text == NULL ? 0 : strlen(text)};
}

/* The claims as they were sent.  False: the call has been answered. */
static bool
find_claims(struct serve_call *call, const struct json_t *claims,
    struct verbs_sign_call *asked)
{
	struct verbs_claims_fault fault;
	struct jw_slice parameters;
	size_t len;
	const char *text = serve_text(call, &len);

	if (verbs_claims_read(claims, &asked->times, &fault) != JW_OK) {
		bad_claims(call, fault.claim, fault.message);
		return false;
	}
	if (!varlink_json_find(text, len, "parameters", &parameters) ||
	    !varlink_json_find(
		parameters.at, parameters.len, "claims", &asked->claims)) {
		serve_fail(call, JW_BUG, NULL);
		return false;
	}
	return true;
}

static void
run(struct serve_call *call, const struct parameters *parameters,
    bool is_payload, struct verbs_sign *signing)
{
	struct verbs_sign_call asked = {
	    .is_payload = is_payload,
	    .type = slice_of(parameters->type),
	    .payload = slice_of(parameters->payload),
	};
	const struct keeper_set *set =
	    verbs_key_set(call, signing->verbs, parameters->key_set);

	if (set == NULL)
		return;
	if (!may_sign(call, signing, set)) {
		deny(call, set);
		return;
	}
	if (is_payload || find_claims(call, parameters->claims, &asked))
		sign(call, signing, set, &asked);
}

/* A fault inside the claims is reported with the name of the claim. */
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

	if (fault->what != NULL)
		refuse_fault(call, fault);
	else
		run(call, request, false, context);
}

static void
run_sign_payload(struct serve_call *call, const void *request, void *context)
{
	run(call, request, true, context);
}

static void
run_get_jwks(struct serve_call *call, const void *request, void *context)
{
	const struct verbs_sign *signing = context;

	verbs_get_jwks(call, request, signing->verbs);
}

static const struct varlink_verb table[] = {
    {"Sign", VARLINK_FAULTS, run_sign, &layout, NULL},
    {"SignPayload", 0, run_sign_payload, &layout, NULL},
    {"GetJwks", 0, run_get_jwks, &verbs_look_layout, &verbs_get_jwks_layout},
    {.method = NULL},
};

const struct varlink_service verbs_sign_service = {
    &varlink_org_jwksd_sign, table};

/* ---- start and end ---- */

/* The processors that this process may run on. */
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
	struct verbs_sign *signing = jw_zalloc(sizeof(*signing));
	enum jw_err err;

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
