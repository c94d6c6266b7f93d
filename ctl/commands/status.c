/*
 * The commands that look and change nothing: status, list, show, plan, jwks.
 *
 * Each asks once and prints; with --json what came, else what it means.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/duration.h"
#include "ctl/call/context.h"
#include "ctl/call/key_sets.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/out/timeline.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

/* Takes text. */
static void
status_put(char *text)
{
	fputs(text, stdout);
	free(text);
}

static void
put_kids(const json_t *keys)
{
	const json_t *key;
	size_t i;

	json_array_foreach (keys, i, key) {
		const char *kid =
		    json_string_value(json_object_get(key, "kid"));

		if (kid != NULL)
			printf("%s\n", kid);
	}
}

/* ---- status ---- */

struct status {
	const char *version, *mode;
	bool ready, clock_trusted;
	int64_t started, key_sets, generations, fronts;
	const json_t *next, *warnings;
};

static enum jw_err
read_status(const json_t *reply, struct status *status, struct jw_why *why)
{
	enum jw_err err;

	err = reply_name(reply, "version", &status->version, why);
	if (err == JW_OK)
		err = reply_name(reply, "mode", &status->mode, why);
	if (err == JW_OK)
		err = reply_bool(reply, "ready", &status->ready, why);
	if (err == JW_OK)
		err = reply_bool(
		    reply, "clockTrusted", &status->clock_trusted, why);
	if (err == JW_OK)
		err = reply_number(reply, "started", &status->started, why);
	if (err == JW_OK)
		err = reply_number(reply, "keySets", &status->key_sets, why);
	if (err == JW_OK)
		err = reply_number(
		    reply, "generations", &status->generations, why);
	if (err == JW_OK)
		err = reply_number(reply, "fronts", &status->fronts, why);
	if (err == JW_OK)
		err = reply_object(reply, "nextChange", &status->next, why);
	if (err == JW_OK)
		err = reply_array(reply, "warnings", &status->warnings, why);
	return err;
}

static void
put_warnings(const json_t *warnings)
{
	const json_t *warning;
	size_t i;

	json_array_foreach (warnings, i, warning) {
		if (json_is_string(warning))
			printf("warning    %s\n", json_string_value(warning));
	}
}

static enum jw_err
put_next(struct ctl *ctl, const json_t *next)
{
	char step[TIMELINE_STEP_SIZE], when[TEXT_TIME_SIZE];
	struct reply_change change;
	enum jw_err err;

	if (next == NULL) {
		puts("next       nothing is planned");
		return JW_OK;
	}
	err = reply_change(next, &change, &ctl->why);
	if (err != JW_OK)
		return err;
	printf("next       %s", change.key_set);
	if (change.generation != REPLY_NONE)
		printf("#%" PRId64, change.generation);
	printf(" %s, %s\n", out_timeline_step(&ctl->text, &change, step),
	    out_text_moment(&ctl->text, change.time, when));
	printf("           %s\n", change.cause);
	return JW_OK;
}

static void
put_rotation(const struct status *status)
{
	printf("rotation   %s; the clock is %s\n", status->mode,
	    status->clock_trusted ? "trusted" : "not trusted");
	if (strcmp(status->mode, "frozen") == 0)
		puts("           nothing becomes ready, rotates or is removed "
		     "until `jwksctl thaw`");
	if (!status->clock_trusted)
		puts("           `jwksctl clock` says what that stops");
}

static enum jw_err
print_status(struct ctl *ctl, const json_t *reply)
{
	char when[TEXT_TIME_SIZE];
	struct status status = {0};
	enum jw_err err;

	err = read_status(reply, &status, &ctl->why);
	if (err != JW_OK)
		return err;
	printf("jwksd      %s, %s\n", status.version,
	    status.ready ? "ready" : "not ready");
	if (status.started != REPLY_NONE)
		printf("started    %s\n",
		    out_text_moment(&ctl->text, status.started, when));
	put_rotation(&status);
	printf("key sets   %" PRId64 "\n", status.key_sets);
	printf("keys       %" PRId64 "\n", status.generations);
	if (status.fronts != REPLY_NONE)
		printf("fronts     %" PRId64 "\n", status.fronts);
	err = put_next(ctl, status.next);
	if (err == JW_OK)
		put_warnings(status.warnings);
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
status_print_list(struct ctl *ctl, const json_t *reply)
{
	const json_t *keys;
	char *text;
	enum jw_err err = reply_array(reply, "keys", &keys, &ctl->why);

	if (err != JW_OK)
		return err;
	if (ctl->quiet) {
		put_kids(keys);
		return JW_OK;
	}
	err = out_timeline_keys(
	    &ctl->text, keys, call_flag(ctl, "long"), &text, &ctl->why);
	if (err == JW_OK)
		status_put(text);
	return err;
}

enum jw_err
cmd_list(struct ctl *ctl)
{
	json_t *all = call_flag(ctl, "all") ? json_true() : NULL;
	enum jw_err err = call_query(ctl, CTL_INTERFACE "ListKeys",
	    json_pack("{s:s*, s:o*}", "keySet", call_argument(ctl), "all", all),
	    "keys", status_print_list);

	if (err == JW_OK)
		call_key_sets_note(ctl, call_argument(ctl));
	return err;
}

/* ---- show ---- */

static void
put_moments(const struct out_text *text, const struct reply_key *key)
{
	static const char *const labels[REPLY_MOMENTS] = {
	    [REPLY_CREATED] = "created",
	    [REPLY_PUBLISHED] = "published",
	    [REPLY_READY] = "ready",
	    [REPLY_ACTIVATED] = "activated",
	    [REPLY_ROTATE] = "rotation",
	    [REPLY_SIGNS] = "signs",
	    [REPLY_RETIRED] = "retired",
	    [REPLY_REMOVE] = "removal",
	    [REPLY_REMOVED] = "removed",
	    [REPLY_REVOKED] = "revoked",
	};
	char when[TEXT_TIME_SIZE];

	for (size_t i = 0; i < REPLY_MOMENTS; i++) {
		if (key->at[i] != REPLY_NONE)
			printf("%-11s%s\n", labels[i],
			    out_text_moment(text, key->at[i], when));
	}
}

static enum jw_err
put_jwk(const json_t *jwk)
{
	char *text = json_dumps(jwk, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	if (text == NULL)
		return JW_NO_MEMORY;
	printf("jwk\n%s\n", text);
	free(text);
	return JW_OK;
}

/* Nothing waits for what is gone. */
static bool
is_living(const struct reply_key *key)
{
	return key->at[REPLY_REMOVED] == REPLY_NONE &&
	       key->at[REPLY_REVOKED] == REPLY_NONE;
}

static enum jw_err
status_print_show(struct ctl *ctl, const json_t *reply)
{
	const json_t *object;
	const char *colour;
	struct reply_key key;
	enum jw_err err;

	err = reply_object(reply, "key", &object, &ctl->why);
	if (err == JW_OK)
		err = reply_key(object, &key, &ctl->why);
	if (err != JW_OK)
		return err;
	if (ctl->quiet) {
		printf("%s\n", key.kid);
		return JW_OK;
	}
	colour = out_text_state_colour(&ctl->text, key.state);
	printf("kid        %s\n", key.kid);
	printf("key set    %s\n", key.key_set);
	printf("generation %" PRId64 "\n", key.generation);
	printf("algorithm  %s\n", key.alg);
	printf("state      %s%s%s\n", colour != NULL ? colour : "", key.state,
	    colour != NULL ? "\033[0m" : "");
	put_moments(&ctl->text, &key);
	if (key.reason != NULL)
		printf("reason     %s\n", key.reason);
	err = key.jwk != NULL ? put_jwk(key.jwk) : JW_OK;
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
	    json_pack("{s:s}", "key", key), NULL, status_print_show);
}

/* ---- plan ---- */

static enum jw_err
print_plan(struct ctl *ctl, const json_t *reply)
{
	const json_t *changes;
	char *text;
	enum jw_err err = reply_array(reply, "changes", &changes, &ctl->why);

	if (err != JW_OK)
		return err;
	if (json_array_size(changes) == 0) {
		fputs("nothing is planned\n", stderr);
		return JW_OK;
	}
	err = out_timeline_changes(&ctl->text, changes, &text, &ctl->why);
	if (err == JW_OK)
		status_put(text);
	return err;
}

/* keySet, and the time that the option of that name gives. */
static enum jw_err
query_at_time(struct ctl *ctl, const char *method, const char *option,
    const char *list, call_print_fn *print)
{
	int64_t when = 0;
	bool given;
	enum jw_err err = call_time_option(ctl, option, &given, &when);

	if (err == JW_OK && given)
		err = call_not_past(ctl, option, when);
	if (err != JW_OK)
		return err;
	return call_query(ctl, method,
	    json_pack("{s:s*, s:o*}", "keySet", call_argument(ctl), option,
		given ? json_integer(when) : NULL),
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
print_jwks(struct ctl *ctl, const json_t *reply)
{
	const json_t *jwks;
	size_t flags = ctl->text.width > 0 ? JSON_INDENT(2) | JSON_ENSURE_ASCII
					   : JSON_COMPACT;
	enum jw_err err = reply_object(reply, "jwks", &jwks, &ctl->why);

	if (err != JW_OK)
		return err;
	if (ctl->quiet) {
		put_kids(json_object_get(jwks, "keys"));
		return JW_OK;
	}
	if (jwks == NULL || json_dumpf(jwks, stdout, flags) != 0) {
		jw_why_set(&ctl->why, "the daemon's reply has no JWKSet");
		return JW_PROTOCOL;
	}
	putchar('\n');
	return JW_OK;
}

enum jw_err
cmd_jwks(struct ctl *ctl)
{
	return query_at_time(
	    ctl, CTL_INTERFACE "GetJwks", "at", NULL, print_jwks);
}
