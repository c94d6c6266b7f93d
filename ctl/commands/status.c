/*
 * The commands that change nothing: status, list, show, plan, jwks.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/call/context.h"
#include "ctl/call/key_sets.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/out/fields.h"
#include "ctl/out/timeline.h"
#include "ctl/reply/reply.h"

/* ---- status ---- */

struct status {
	const char *version, *mode;
	bool ready, clock_trusted;
	int64_t started, key_sets, generations, fronts;
	const json_t *next, *warnings;
};

#define STATUS(member) offsetof(struct status, member)

static const struct reply_member status_reply[] = {
    {"version", REPLY_STRING, true, STATUS(version)},
    {"mode", REPLY_STRING, true, STATUS(mode)},
    {"ready", REPLY_BOOL, false, STATUS(ready)},
    {"clockTrusted", REPLY_BOOL, false, STATUS(clock_trusted)},
    {"started", REPLY_NUMBER, false, STATUS(started)},
    {"keySets", REPLY_NUMBER, false, STATUS(key_sets)},
    {"generations", REPLY_NUMBER, false, STATUS(generations)},
    {"fronts", REPLY_NUMBER, false, STATUS(fronts)},
    {"nextChange", REPLY_OBJECT, false, STATUS(next)},
    {"warnings", REPLY_ARRAY, true, STATUS(warnings)},
    {NULL, REPLY_STRING, false, 0},
};

static enum jw_err
print_next(struct ctl *ctl, const json_t *next)
{
	char step[TIMELINE_STEP_SIZE], when[TEXT_TIME_SIZE], number[32] = "";
	struct reply_change change;
	enum jw_err err;

	if (next == NULL) {
		out_field("next", "nothing is planned");
		return JW_OK;
	}
	err = reply_change(next, &change, &ctl->why);
	if (err != JW_OK)
		return err;
	if (change.generation != REPLY_NONE)
		snprintf(
		    number, sizeof(number), "#%" PRId64, change.generation);
	out_field("next", "%s%s %s, %s", change.key_set, number,
	    out_timeline_step(&ctl->text, &change, step),
	    out_text_moment(&ctl->text, change.time, when));
	out_field("", "%s", change.cause);
	return JW_OK;
}

static void
print_mode(const struct status *status)
{
	out_field("rotation", "%s; the clock is %s", status->mode,
	    status->clock_trusted ? "trusted" : "not trusted");
	if (strcmp(status->mode, "frozen") == 0)
		out_field("",
		    "nothing becomes ready, rotates or is removed until "
		    "`jwksctl thaw`");
	if (!status->clock_trusted)
		out_field("", "`jwksctl clock` says what that stops");
}

static enum jw_err
print_status(struct ctl *ctl, const struct json_t *reply)
{
	char when[TEXT_TIME_SIZE];
	struct status status;
	const json_t *warning;
	size_t i;
	enum jw_err err = reply_read(reply, status_reply, &status, &ctl->why);

	if (err != JW_OK)
		return err;
	out_field("jwksd", "%s, %s", status.version,
	    status.ready ? "ready" : "not ready");
	if (status.started != REPLY_NONE)
		out_field("started", "%s",
		    out_text_moment(&ctl->text, status.started, when));
	print_mode(&status);
	out_field("key sets", "%" PRId64, status.key_sets);
	out_field("keys", "%" PRId64, status.generations);
	if (status.fronts != REPLY_NONE)
		out_field("fronts", "%" PRId64, status.fronts);
	err = print_next(ctl, status.next);
	json_array_foreach (status.warnings, i, warning)
		if (err == JW_OK && json_is_string(warning))
			out_field("warning", "%s", json_string_value(warning));
	return err;
}

enum jw_err
cmd_status(struct ctl *ctl)
{
	return call_query(
	    ctl, CTL_INTERFACE "Status", json_object(), NULL, print_status);
}

/* ---- list ---- */

static enum jw_err
print_keys(struct ctl *ctl, const struct json_t *reply)
{
	const json_t *keys;
	enum jw_err err = reply_array(reply, "keys", &keys, &ctl->why);

	if (err == JW_OK && ctl->quiet)
		out_members(keys, "kid");
	else if (err == JW_OK)
		err = out_timeline_keys(&ctl->text, keys,
		    call_flag(ctl, "long"), stdout, &ctl->why);
	return err;
}

enum jw_err
cmd_list(struct ctl *ctl)
{
	enum jw_err err = call_query(ctl, CTL_INTERFACE "ListKeys",
	    json_pack("{s:s*, s:o*}", "keySet", call_argument(ctl), "all",
		call_flag_json(ctl, "all")),
	    "keys", print_keys);

	if (err == JW_OK)
		call_key_sets_note(ctl, call_argument(ctl));
	return err;
}

/* ---- show ---- */

/* Nothing waits for a key that is removed or revoked. */
static bool
is_living(const struct reply_key *key)
{
	return key->at[REPLY_REMOVED] == REPLY_NONE &&
	       key->at[REPLY_REVOKED] == REPLY_NONE;
}

static enum jw_err
print_key(struct ctl *ctl, const struct json_t *reply)
{
	static const struct out_field rows[] = {
	    {"kid", "kid", FIELD_STRING},
	    {"key set", "keySet", FIELD_STRING},
	    {"generation", "generation", FIELD_NUMBER},
	    {"algorithm", "alg", FIELD_STRING},
	    {"state", "state", FIELD_STATE},
	    {"created", "createdAt", FIELD_MOMENT},
	    {"published", "publishedAt", FIELD_MOMENT},
	    {"ready", "readyAt", FIELD_MOMENT},
	    {"activated", "activatedAt", FIELD_MOMENT},
	    {"rotation", "rotateAt", FIELD_MOMENT},
	    {"signs", "signsAt", FIELD_MOMENT},
	    {"retired", "retiredAt", FIELD_MOMENT},
	    {"removal", "removeAt", FIELD_MOMENT},
	    {"removed", "removedAt", FIELD_MOMENT},
	    {"revoked", "revokedAt", FIELD_MOMENT},
	    {"reason", "reason", FIELD_STRING},
	    {NULL, NULL, 0},
	};
	const json_t *object = json_object_get(reply, "key");
	struct reply_key key;
	enum jw_err err = reply_key(object, &key, &ctl->why);

	if (err != JW_OK)
		return err;
	if (ctl->quiet) {
		printf("%s\n", key.kid);
		return JW_OK;
	}
	err = out_fields(&ctl->text, rows, object, &ctl->why);
	if (err == JW_OK && key.jwk != NULL) {
		puts("jwk");
		json_dumpf(key.jwk, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	}
	if (err == JW_OK)
		err = call_flush(ctl);
	if (err == JW_OK && is_living(&key))
		call_key_sets_note(ctl, key.key_set);
	return err;
}

enum jw_err
cmd_show(struct ctl *ctl)
{
	const char *key = call_argument(ctl);

	if (key[0] == '#' || key[0] == '\0') {
		jw_why_set(&ctl->why, "\"%s\" names no key set", key);
		jw_why_hint(&ctl->why, "a key is named by a unique prefix of "
				       "its kid or like default#2");
		return JW_USAGE;
	}
	return call_query(ctl, CTL_INTERFACE "ShowKey",
	    json_pack("{s:s}", "key", key), NULL, print_key);
}

/* ---- plan ---- */

static enum jw_err
print_plan(struct ctl *ctl, const struct json_t *reply)
{
	const json_t *changes;
	enum jw_err err = reply_array(reply, "changes", &changes, &ctl->why);

	if (err == JW_OK && json_array_size(changes) == 0)
		fputs("nothing is planned\n", stderr);
	else if (err == JW_OK)
		err = out_timeline_changes(
		    &ctl->text, changes, stdout, &ctl->why);
	return err;
}

/* keySet, and the time that the option of that name gives. */
static enum jw_err
query_at_time(struct ctl *ctl, const char *method, const char *option,
    const char *list, call_print_fn *print)
{
	int64_t when = REPLY_NONE;
	enum jw_err err = call_coming_time(ctl, option, &when);

	if (err != JW_OK)
		return err;
	return call_query(ctl, method,
	    json_pack("{s:s*, s:o*}", "keySet", call_argument(ctl), option,
		when != REPLY_NONE ? json_integer(when) : NULL),
	    list, print);
}

enum jw_err
cmd_plan(struct ctl *ctl)
{
	enum jw_err err = query_at_time(
	    ctl, CTL_INTERFACE "Plan", "until", "changes", print_plan);

	if (err == JW_OK)
		call_key_sets_note(ctl, call_argument(ctl));
	return err;
}

/* ---- jwks ---- */

static enum jw_err
print_jwks(struct ctl *ctl, const struct json_t *reply)
{
	const json_t *jwks = json_object_get(reply, "jwks");
	size_t flags = ctl->text.width > 0 ? JSON_INDENT(2) | JSON_ENSURE_ASCII
					   : JSON_COMPACT;

	if (!json_is_object(jwks)) {
		jw_why_set(&ctl->why, "the daemon's reply has no JWKSet");
		return JW_PROTOCOL;
	}
	if (ctl->quiet)
		out_members(json_object_get(jwks, "keys"), "kid");
	else if (json_dumpf(jwks, stdout, flags) == 0)
		putchar('\n');
	return JW_OK;
}

enum jw_err
cmd_jwks(struct ctl *ctl)
{
	return query_at_time(
	    ctl, CTL_INTERFACE "GetJwks", "at", NULL, print_jwks);
}
