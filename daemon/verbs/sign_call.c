/*
 * A reader of plain JSON.  It must never take what a parser of all of JSON
 * refuses, nor look outside the text; at anything that is not plain it stops
 * and leaves the text to that parser.
 */
#include "daemon/verbs/sign_call.h"

#include <endian.h>
#include <string.h>

#define METHOD "org.jwksd.sign."

enum { DIGITS_MAX = 18 }; /* of an integer that fits in 64 bits for sure */

struct reader {
	const char *at, *end;
};

struct names {
	struct jw_slice span[SIGN_CALL_MEMBERS];
	size_t count;
};

/* Reads the value of a member that has this name.  False: not plain. */
typedef bool member_fn(
    struct reader *in, int depth, const struct jw_slice *name, void *arg);

/* ---- words ---- */

static bool
is(const struct jw_slice *span, const char *word)
{
	return span->len == strlen(word) &&
	       memcmp(span->at, word, span->len) == 0;
}

static void
verbs_skip_blanks(struct reader *in)
{
	while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' ||
				       *in->at == '\n' || *in->at == '\r'))
		in->at++;
}

/* Blanks, and then c. */
static bool
take(struct reader *in, char c)
{
	verbs_skip_blanks(in);
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

static char
peek(struct reader *in)
{
	verbs_skip_blanks(in);
	return in->at == in->end ? '\0' : *in->at;
}

static bool
verbs_take_word(struct reader *in, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(in->end - in->at) < len || memcmp(in->at, word, len) != 0)
		return false;
	in->at += len;
	return true;
}

#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

/*
 * The first octet from at on that a string may not hold as it is, its end
 * among them.  Eight at a time: the lowest top bit that is left belongs to the
 * first one, what it borrows or carries shows above it only.
 */
static const char *
verbs_skip_plain(const char *at, const char *end)
{
	uint64_t word;

	for (; (size_t)(end - at) >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		word = le64toh(word);
		word = (word | (word - EACH(' ')) | (word + EACH(1)) |
			   ((word ^ EACH('"')) - EACH(1)) |
			   ((word ^ EACH('\\')) - EACH(1))) &
		       EACH(0x80);
		if (word != 0)
			return at + __builtin_ctzll(word) / 8;
	}
	for (; at < end; at++) {
		const unsigned char c = (unsigned char)*at;

		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
			break;
	}
	return at;
}

/* ASCII without an escape. */
static bool
take_string(struct reader *in, struct jw_slice *ret_span)
{
	const char *at;

	if (!take(in, '"'))
		return false;
	at = verbs_skip_plain(in->at, in->end);
	if (at == in->end || *at != '"')
		return false;
	ret_span->at = in->at;
	ret_span->len = (size_t)(at - in->at);
	in->at = at + 1;
	return true;
}

static bool
is_digit(const struct reader *in)
{
	return in->at < in->end && *in->at >= '0' && *in->at <= '9';
}

/* Not a fraction, an exponent, or a number that may be too large. */
static bool
take_integer(struct reader *in, int64_t *ret_value)
{
	bool negative = take(in, '-');
	const char *first = in->at;
	int64_t value = 0;

	for (; is_digit(in) && in->at - first < DIGITS_MAX; in->at++)
		value = value * 10 + (*in->at - '0');
	if (in->at == first || is_digit(in) ||
	    (*first == '0' && in->at - first > 1))
		return false;
	if (in->at < in->end &&
	    (*in->at == '.' || *in->at == 'e' || *in->at == 'E'))
		return false;
	*ret_value = negative ? -value : value;
	return true;
}

/* ---- values ---- */

/* A parser refuses two members of one name. */
static bool
verbs_is_new(struct names *names, const struct jw_slice *name)
{
	if (names->count == SIGN_CALL_MEMBERS)
		return false;
	for (size_t i = 0; i < names->count; i++)
		if (names->span[i].len == name->len &&
		    memcmp(names->span[i].at, name->at, name->len) == 0)
			return false;
	names->span[names->count++] = *name;
	return true;
}

/* fn reads the values. */
static bool
take_object(struct reader *in, int depth, member_fn *fn, void *arg)
{
	struct names names;
	struct jw_slice name;

	names.count = 0;
	if (depth == SIGN_CALL_DEPTH || !take(in, '{'))
		return false;
	if (take(in, '}'))
		return true;
	do {
		if (!take_string(in, &name) || !verbs_is_new(&names, &name) ||
		    !take(in, ':') || !fn(in, depth + 1, &name, arg))
			return false;
	} while (take(in, ','));
	return take(in, '}');
}

static member_fn skip_member;

static bool
skip_array(struct reader *in, int depth)
{
	if (depth == SIGN_CALL_DEPTH || !take(in, '['))
		return false;
	if (take(in, ']'))
		return true;
	do {
		if (!skip_member(in, depth + 1, NULL, NULL))
			return false;
	} while (take(in, ','));
	return take(in, ']');
}

/* Any plain value, whatever it is called. */
static bool
skip_member(
    struct reader *in, int depth, const struct jw_slice *name, void *arg)
{
	struct jw_slice string;
	int64_t integer;

	(void)name;
	(void)arg;
	switch (peek(in)) {
	case '"':
		return take_string(in, &string);
	case '{':
		return take_object(in, depth, skip_member, NULL);
	case '[':
		return skip_array(in, depth);
	case 't':
		return verbs_take_word(in, "true");
	case 'f':
		return verbs_take_word(in, "false");
	case 'n':
		return verbs_take_word(in, "null");
	default:
		return take_integer(in, &integer);
	}
}

/* ---- claims ---- */

static bool
take_claim(struct reader *in, int depth, const struct jw_slice *name, void *arg)
{
	struct verbs_claims_times *times = arg;
	struct verbs_claims_time *time =
	    verbs_claims_time(times, name->at, name->len);
	char first;

	if (time == NULL)
		return skip_member(in, depth, name, NULL);
	first = peek(in);
	time->there = true;
	time->is_integer = first == '-' || (first >= '0' && first <= '9');
	return time->is_integer ? take_integer(in, &time->value)
				: skip_member(in, depth, name, NULL);
}

static bool
at_end(struct reader *in)
{
	verbs_skip_blanks(in);
	return in->at == in->end;
}

bool
verbs_sign_call_times(
    const char *text, size_t len, struct verbs_claims_times *ret_times)
{
	struct reader in = {text, text + len};

	memset(ret_times, 0, sizeof(*ret_times));
	return take_object(&in, 0, take_claim, ret_times) && at_end(&in);
}

/* ---- calls ---- */

static bool
sign_call_take_claims(
    struct reader *in, int depth, struct verbs_sign_call *call)
{
	if (peek(in) != '{')
		return false;
	call->claims.at = in->at;
	if (!take_object(in, depth, take_claim, &call->times))
		return false;
	call->claims.len = (size_t)(in->at - call->claims.at);
	return true;
}

static bool
take_parameter(
    struct reader *in, int depth, const struct jw_slice *name, void *arg)
{
	struct verbs_sign_call *call = arg;

	if (is(name, "claims"))
		return sign_call_take_claims(in, depth, call);
	if (is(name, "payload"))
		return take_string(in, &call->payload);
	if (is(name, "keySet"))
		return take_string(in, &call->key_set);
	return is(name, "type") && take_string(in, &call->type);
}

struct message {
	struct verbs_sign_call *call;
	struct jw_slice method;
};

static bool
verbs_take_member(
    struct reader *in, int depth, const struct jw_slice *name, void *arg)
{
	struct message *message = arg;

	if (is(name, "method"))
		return take_string(in, &message->method);
	return is(name, "parameters") &&
	       take_object(in, depth, take_parameter, message->call);
}

/* Each method has what it needs and nothing of the other. */
static bool
is_complete(struct message *message)
{
	struct verbs_sign_call *call = message->call;
	bool has_claims = call->claims.at != NULL;
	bool has_payload = call->payload.at != NULL;

	if (message->method.at == NULL)
		return false;
	call->is_payload = is(&message->method, METHOD "SignPayload");
	if (call->is_payload)
		return has_payload && !has_claims;
	return is(&message->method, METHOD "Sign") && has_claims &&
	       !has_payload;
}

bool
verbs_sign_call_read(
    const char *text, size_t len, struct verbs_sign_call *ret_call)
{
	struct reader in = {text, text + len};
	struct message message = {ret_call, {NULL, 0}};

	memset(ret_call, 0, sizeof(*ret_call));
	return take_object(&in, 0, verbs_take_member, &message) &&
	       at_end(&in) && is_complete(&message);
}
