/*
 * The rules for claims.  Decides from parsed values whether claims may be
 * signed, and builds the input of the signature from the octets that were
 * sent: must never print a parsed claim back into a token.
 */
#include "daemon/verbs/claims.h"

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/decimal.h"
#include "common/base/duration.h"
#include "common/base/memory.h"

#define IAT_HEAD ",\"iat\":"

enum { STEPS_A_TTL = 8 };

/* ---- the rules ---- */

static enum jw_err __attribute__((format(printf, 3, 4))) refuse(
    struct verbs_claims_fault *fault, const char *claim, const char *fmt, ...)
{
	va_list ap;

	fault->claim = claim;
	va_start(ap, fmt);
	vsnprintf(fault->message, sizeof(fault->message), fmt, ap);
	va_end(ap);
	return JW_BAD_CLAIMS;
}

/* The claims that the rules look at, in the order of complaints. */
static const struct {
	const char *name;
	size_t offset;
} rows[] = {
    {"exp", offsetof(struct verbs_claims_times, exp)},
    {"iat", offsetof(struct verbs_claims_times, iat)},
    {"nbf", offsetof(struct verbs_claims_times, nbf)},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), NAME_LEN = 3 };

static struct verbs_claims_time *
verbs_row_of(struct verbs_claims_times *times, size_t i)
{
	return (struct verbs_claims_time *)((char *)times + rows[i].offset);
}

struct verbs_claims_time *
verbs_claims_time(
    struct verbs_claims_times *times, const char *name, size_t len)
{
	for (size_t i = 0; i < ROWS && len == NAME_LEN; i++)
		if (memcmp(rows[i].name, name, NAME_LEN) == 0)
			return verbs_row_of(times, i);
	return NULL;
}

enum jw_err
verbs_claims_read(const struct json_t *claims,
    struct verbs_claims_times *ret_times, struct verbs_claims_fault *ret_fault)
{
	memset(ret_times, 0, sizeof(*ret_times));
	if (!json_is_object(claims))
		return refuse(ret_fault, "claims", "must be a JSON object");
	for (size_t i = 0; i < ROWS; i++) {
		const json_t *value = json_object_get(claims, rows[i].name);
		struct verbs_claims_time *time = verbs_row_of(ret_times, i);

		time->there = value != NULL;
		time->is_integer = json_is_integer(value);
		time->value = json_integer_value(value);
	}
	return JW_OK;
}

static enum jw_err
check_exp(
    int64_t exp, int64_t now, int32_t ttl, struct verbs_claims_fault *fault)
{
	char most[JW_DURATION_SIZE], asked[JW_DURATION_SIZE];

	if (exp <= now)
		return refuse(fault, "exp", "is in the past");
	if (exp - now > ttl)
		return refuse(fault, "exp",
		    "is too far away: %s from now, and token_max_ttl is %s",
		    jw_duration_format(exp - now, asked),
		    jw_duration_format(ttl, most));
	return JW_OK;
}

enum jw_err
verbs_claims_check(const struct verbs_claims_times *times, int64_t now,
    int32_t ttl, struct verbs_claims_fault *ret_fault)
{
	struct verbs_claims_times copy = *times;
	char most[JW_DURATION_SIZE];

	if (!times->exp.there)
		return refuse(ret_fault, "exp",
		    "is required: seconds since the epoch, at most %s from now",
		    jw_duration_format(ttl, most));
	for (size_t i = 0; i < ROWS; i++) {
		const struct verbs_claims_time *time = verbs_row_of(&copy, i);

		if (time->there && !time->is_integer)
			return refuse(ret_fault, rows[i].name,
			    "must be an integer: seconds since the epoch");
	}
	return check_exp(times->exp.value, now, ttl, ret_fault);
}

int64_t
verbs_claims_round_exp(int64_t exp, int32_t ttl)
{
	int64_t step = ttl / STEPS_A_TTL > 1 ? ttl / STEPS_A_TTL : 1;

	return (exp + step - 1) / step * step;
}

bool
verbs_claims_type_is_fine(const char *type)
{
	static const char fine[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789!#$%&'*+-.^_`|~/";
	size_t len = strlen(type);

	return len > 0 && len <= CLAIMS_TYPE_MAX && strspn(type, fine) == len;
}

/* ---- the text ---- */

char *
verbs_claims_text(const char *object, size_t len, int64_t iat, size_t *ret_len)
{
	char *text = malloc(len + sizeof(IAT_HEAD) + JW_DECIMAL_MAX);
	size_t end = len;

	if (text == NULL)
		return NULL;
	memcpy(text, object, len);
	*ret_len = len;
	while (end > 0 && text[end - 1] != '}')
		end--;
	if (iat == 0 || end == 0)
		return text;
	end--;
	memcpy(text + end, IAT_HEAD, strlen(IAT_HEAD));
	end += strlen(IAT_HEAD);
	end += jw_decimal(iat, text + end);
	text[end] = '}';
	*ret_len = end + 1;
	return text;
}

char *
verbs_claims_header(const char *alg, const char *kid, const char *type)
{
	/* None of the three can contain a character that JSON escapes. */
	return jw_asprintf(
	    "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"%s\"}", alg, kid, type);
}
