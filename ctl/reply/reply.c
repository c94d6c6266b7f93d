/*
 * The types of the daemon's replies, one table of members each.
 */
#include "ctl/reply/reply.h"

#include <jansson.h>

#define KEY(member) offsetof(struct reply_key, member)
#define KEY_SET(member) offsetof(struct reply_key_set, member)
#define EXPOSURE(member) offsetof(struct reply_exposure, member)
#define CHANGE(member) offsetof(struct reply_change, member)

enum jw_err
reply_key(
    const struct json_t *object, struct reply_key *ret_key, struct jw_why *why)
{
	static const struct reply_member members[] = {
	    {"kid", REPLY_STRING, true, KEY(kid)},
	    {"keySet", REPLY_STRING, true, KEY(key_set)},
	    {"alg", REPLY_STRING, true, KEY(alg)},
	    {"state", REPLY_STRING, true, KEY(state)},
	    {"generation", REPLY_NUMBER, true, KEY(generation)},
	    {"createdAt", REPLY_NUMBER, false, KEY(at[REPLY_CREATED])},
	    {"publishedAt", REPLY_NUMBER, false, KEY(at[REPLY_PUBLISHED])},
	    {"readyAt", REPLY_NUMBER, false, KEY(at[REPLY_READY])},
	    {"activatedAt", REPLY_NUMBER, false, KEY(at[REPLY_ACTIVATED])},
	    {"rotateAt", REPLY_NUMBER, false, KEY(at[REPLY_ROTATE])},
	    {"signsAt", REPLY_NUMBER, false, KEY(at[REPLY_SIGNS])},
	    {"retiredAt", REPLY_NUMBER, false, KEY(at[REPLY_RETIRED])},
	    {"removeAt", REPLY_NUMBER, false, KEY(at[REPLY_REMOVE])},
	    {"removedAt", REPLY_NUMBER, false, KEY(at[REPLY_REMOVED])},
	    {"revokedAt", REPLY_NUMBER, false, KEY(at[REPLY_REVOKED])},
	    {"reason", REPLY_STRING, false, KEY(reason)},
	    {"jwk", REPLY_OBJECT, false, KEY(jwk)},
	    {NULL, REPLY_STRING, false, 0},
	};

	return reply_read(object, members, ret_key, why);
}

enum jw_err
reply_key_set(const struct json_t *object, struct reply_key_set *ret_set,
    struct jw_why *why)
{
	static const struct reply_member members[] = {
	    {"name", REPLY_STRING, true, KEY_SET(name)},
	    {"alg", REPLY_STRING, true, KEY_SET(alg)},
	    {"path", REPLY_STRING, true, KEY_SET(path)},
	    {"version", REPLY_NUMBER, true, KEY_SET(version)},
	    {"activeGeneration", REPLY_NUMBER, false,
		KEY_SET(active_generation)},
	    {"scheduledFor", REPLY_NUMBER, false, KEY_SET(scheduled_for)},
	    {"signsAt", REPLY_NUMBER, false, KEY_SET(signs_at)},
	    {"frozen", REPLY_BOOL, false, KEY_SET(frozen)},
	    {"policy", REPLY_OBJECT, false, KEY_SET(policy)},
	    {"urls", REPLY_ARRAY, false, KEY_SET(urls)},
	    {NULL, REPLY_STRING, false, 0},
	};
	enum jw_err err = reply_read(object, members, ret_set, why);

	if (err == JW_OK)
		err =
		    reply_string(ret_set->policy, "mode", &ret_set->mode, why);
	return err;
}

const char *
reply_url(const struct reply_key_set *set, size_t at)
{
	const char *url = json_string_value(json_array_get(set->urls, at));

	return url == NULL && at == 0 ? set->path : url;
}

const char *
reply_any_host_path(const struct reply_key_set *set)
{
	const char *url;

	for (size_t i = 0; (url = reply_url(set, i)) != NULL; i++)
		if (url[0] == '/')
			return url;
	return set->path;
}

enum jw_err
reply_exposure(const struct json_t *object, struct reply_exposure *ret_exposure,
    struct jw_why *why)
{
	static const char *const verifiers[REPLY_VERIFIERS] = {
	    [REPLY_HONOUR_CACHE_CONTROL] = "honoursCacheControl",
	    [REPLY_POLL_WITHIN_MAX_AGE] = "pollsWithinMaxAge",
	    [REPLY_NEVER_EXPIRE] = "neverExpires",
	};
	static const struct reply_member members[] = {
	    {"until", REPLY_NUMBER, false, EXPOSURE(until)},
	    {"acceptOldTokens", REPLY_OBJECT, false, EXPOSURE(accept)},
	    {"rejectNewTokens", REPLY_OBJECT, false, EXPOSURE(reject)},
	    {NULL, REPLY_STRING, false, 0},
	};
	enum jw_err err = reply_read(object, members, ret_exposure, why);

	ret_exposure->given = object != NULL;
	for (size_t i = 0; i < REPLY_VERIFIERS && err == JW_OK; i++) {
		err = reply_number(ret_exposure->accept, verifiers[i],
		    &ret_exposure->accept_old_tokens[i], why);
		if (err == JW_OK)
			err = reply_number(ret_exposure->reject, verifiers[i],
			    &ret_exposure->reject_new_tokens[i], why);
	}
	return err;
}

enum jw_err
reply_change(const struct json_t *object, struct reply_change *ret_change,
    struct jw_why *why)
{
	static const struct reply_member members[] = {
	    {"time", REPLY_NUMBER, true, CHANGE(time)},
	    {"generation", REPLY_NUMBER, false, CHANGE(generation)},
	    {"keySet", REPLY_STRING, true, CHANGE(key_set)},
	    {"kid", REPLY_STRING, false, CHANGE(kid)},
	    {"from", REPLY_STRING, false, CHANGE(from)},
	    {"to", REPLY_STRING, true, CHANGE(to)},
	    {"cause", REPLY_STRING, true, CHANGE(cause)},
	    {NULL, REPLY_STRING, false, 0},
	};

	return reply_read(object, members, ret_change, why);
}
