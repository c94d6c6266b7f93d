/*
 * Add every key set of a file that is not there yet.
 *
 * What is there is asked first and last; a request goes out under an id that
 * follows from what it asks for.  So a run that was cut off, or whose daemon
 * was, is repeated as it stands.  Never changes a key set that is there.
 */
#include "ctl/commands/keyset_bulk.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/duration.h"
#include "common/config/policy.h"
#include "common/wire/client.h"
#include "common/wire/varlink.h"
#include "ctl/call/change.h"
#include "ctl/call/context.h"
#include "ctl/call/policy_words.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/keyset_file.h"
#include "ctl/out/progress.h"
#include "ctl/reply/reply.h"

#define ADD CTL_INTERFACE "AddKeySet"

enum {
	SLOTS = 8, /* requests under way; a uid may have 16 connections */
	ROUNDS = 2,
	PAUSE_MS = 250,
	REPLY_MS = 60 * 1000, /* two RSA-4096 key pairs, behind 14 others */
	ID_SIZE = 40,
};

enum state { MISSING, THERE, ADDED, DIFFERENT, FAILED, STATES };

/* One request on its way; its connection stays for the next one. */
struct slot {
	struct varlink_client *client;
	json_t *parameters; /* NULL: nothing is under way */
	size_t at;
};

struct bulk {
	struct ctl *ctl;
	struct cmd_keyset_file file;
	enum state *states; /* of each line */
	const struct cmd_keyset_line **by_name;
	struct slot slots[SLOTS];
	size_t answered;
	size_t waiting; /* of the file, and there: they sign later */
	enum jw_err first_fault;
	struct out_progress progress;
};

/* ---- telling ---- */

static void
tell_line(const struct ctl *ctl, const struct cmd_keyset_file *file,
    long number, const struct jw_why *why)
{
	unsigned flags = ctl->text.utf8 ? TEXT_UTF8 : 0;
	char *text = out_text_visible(why->text, flags);
	char *hint = out_text_visible(why->hint, flags);

	fprintf(stderr, "jwksctl: %s:%ld: %s%s%s%s\n", file->path, number,
	    text != NULL ? text : "", why->hint[0] != '\0' ? " (" : "",
	    hint != NULL ? hint : "", why->hint[0] != '\0' ? ")" : "");
	free(text);
	free(hint);
}

static void
on_mistake(
    const struct cmd_keyset_file *file, long number, const struct jw_why *why)
{
	struct ctl plain = {.text.utf8 = false};

	tell_line(&plain, file, number, why);
}

static void
note(struct bulk *bulk, size_t at, enum state state, const struct jw_why *why)
{
	bulk->states[at] = state;
	out_progress_clear(&bulk->progress);
	tell_line(bulk->ctl, &bulk->file, bulk->file.lines[at].number, why);
}

static size_t
count(const struct bulk *bulk, enum state state)
{
	size_t n = 0;

	for (size_t i = 0; i < bulk->file.count; i++)
		n += bulk->states[i] == state;
	return n;
}

/* ---- what is there ---- */

static int
compare_lines(const void *a, const void *b)
{
	const struct cmd_keyset_line *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int
compare_name(const void *name, const void *line)
{
	const struct cmd_keyset_line *const *y = line;

	return strcmp(name, (*y)->name);
}

/* The first member that is another; NULL: none is. */
static const char *
difference(const json_t *wanted, const json_t *there)
{
	const char *member;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)wanted, member, value) {
		if (!json_equal(value, json_object_get(there, member)))
			return member;
	}
	return NULL;
}

static void
note_difference(
    struct bulk *bulk, size_t at, const json_t *policy, const char *member)
{
	const struct cmd_keyset_line *line = &bulk->file.lines[at];
	const struct jw_param *param = jw_policy_param_camel(member);
	char is[JW_DURATION_SIZE] = "-", wanted[JW_DURATION_SIZE] = "-";
	struct jw_why why = {"", ""};

	(void)call_policy_text(policy, param, is, NULL);
	(void)call_policy_text(line->policy, param, wanted, NULL);
	jw_why_set(&why, "%s is there with another policy: %s is %s, not %s",
	    line->name, param->snake, is, wanted);
	note(bulk, at, DIFFERENT, &why);
}

static void
meet(struct bulk *bulk, const struct reply_key_set *set)
{
	const struct cmd_keyset_line *const *found = bsearch(set->name,
	    bulk->by_name, bulk->file.count, sizeof(*found), compare_name);
	const char *member;
	size_t at;

	if (found == NULL)
		return;
	at = (size_t)(*found - bulk->file.lines);
	member = difference((*found)->policy, set->policy);
	if (member != NULL && bulk->states[at] != DIFFERENT)
		note_difference(bulk, at, set->policy, member);
	else if (bulk->states[at] == MISSING)
		bulk->states[at] = THERE;
	bulk->answered++;
	bulk->waiting += set->signs_at != REPLY_NONE;
}

static enum jw_err
on_sets(struct ctl *ctl, const struct json_t *reply, void *arg)
{
	const json_t *sets, *item;
	struct reply_key_set set;
	enum jw_err err = reply_array(reply, "keySets", &sets, &ctl->why);
	size_t i;

	json_array_foreach (sets, i, item) {
		if (err == JW_OK)
			err = reply_key_set(item, &set, &ctl->why);
		if (err == JW_OK)
			meet(arg, &set);
	}
	return err;
}

/* Which of the file are there, and as it says?  *ret_all: every one is. */
static enum jw_err
keyset_bulk_look(struct bulk *bulk, bool *ret_all)
{
	struct ctl *ctl = bulk->ctl;
	enum jw_err err;

	bulk->answered = bulk->waiting = 0;
	err = call_method_each(
	    ctl, CTL_INTERFACE "ListKeySets", NULL, on_sets, bulk);
	*ret_all = bulk->answered == bulk->file.count;
	return err;
}

/* ---- requests ---- */

/* FNV-1a: the daemon compares what is asked for, so this need not be more. */
static uint64_t
digest(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

/*
 * The same request has the same id in every run.  A key set that has been
 * removed since needs another one: its round, and what time it is.
 */
static enum jw_err
add_id(json_t *parameters, int round)
{
	char id[ID_SIZE], *text;

	text = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);
	if (text == NULL)
		return JW_NO_MEMORY;
	if (round == 0)
		snprintf(id, sizeof(id), "add-%016" PRIx64, digest(text));
	else
		snprintf(id, sizeof(id), "add-%016" PRIx64 "-%" PRIx64,
		    digest(text), (uint64_t)jw_clock_monotonic_ms());
	free(text);
	return json_object_set_new(parameters, "requestId", json_string(id)) ==
		       0
		   ? JW_OK
		   : JW_NO_MEMORY;
}

static enum jw_err
request_of(struct bulk *bulk, size_t at, json_t **ret_parameters)
{
	const struct cmd_keyset_line *line = &bulk->file.lines[at];
	json_t *parameters =
	    json_pack("{s:s, s:O}", "name", line->name, "policy", line->policy);
	enum jw_err err = JW_NO_MEMORY;

	if (parameters != NULL)
		err = call_change_take_options(bulk->ctl, parameters);
	if (err == JW_OK)
		*ret_parameters = parameters;
	else
		json_decref(parameters);
	return err;
}

/* ---- what is wrong with a policy, before anything is made ---- */

/* A fault of one key set: the others can go on. */
static bool
is_of_one(enum jw_err err)
{
	return err == JW_CONFLICT || err == JW_BAD_POLICY ||
	       err == JW_BAD_KEY || err == JW_INVALID_PARAMETER;
}

static enum jw_err
try_policy(struct bulk *bulk, size_t at)
{
	struct ctl *ctl = bulk->ctl;
	json_t *parameters = NULL, *reply = NULL;
	bool json = ctl->json;
	enum jw_err err = request_of(bulk, at, &parameters);

	if (err != JW_OK)
		return err;
	ctl->json = false;
	if (json_object_set_new(parameters, "dryRun", json_true()) != 0)
		err = JW_NO_MEMORY;
	else
		err = call_method(ctl, ADD, parameters, &reply);
	ctl->json = json;
	json_decref(parameters);
	json_decref(reply);
	/* Somebody else has just added it. */
	return err == JW_CONFLICT ? JW_OK : err;
}

/* Each policy once, however many key sets have it. */
static enum jw_err
check_one(struct bulk *bulk, size_t at, json_t *seen)
{
	char *text = json_dumps(
	    bulk->file.lines[at].policy, JSON_COMPACT | JSON_SORT_KEYS);
	enum jw_err err = text != NULL ? JW_OK : JW_NO_MEMORY;

	if (err == JW_OK && json_object_get(seen, text) == NULL) {
		json_object_set_new(seen, text, json_true());
		err = try_policy(bulk, at);
	}
	free(text);
	if (!is_of_one(err))
		return err;
	bulk->file.mistakes++;
	note(bulk, at, FAILED, &bulk->ctl->why);
	bulk->ctl->why = (struct jw_why){"", ""};
	return JW_OK;
}

static enum jw_err
check_policies(struct bulk *bulk)
{
	json_t *seen = json_object();
	size_t n = bulk->file.count;
	enum jw_err err = seen != NULL ? JW_OK : JW_NO_MEMORY;

	for (size_t i = 0; i < n && err == JW_OK; i++)
		if (bulk->states[i] == MISSING)
			err = check_one(bulk, i, seen);
	json_decref(seen);
	if (err != JW_OK || bulk->file.mistakes == 0)
		return err;
	jw_why_set(&bulk->ctl->why,
	    "%s has %zu polic%s that will not do: nothing was added",
	    bulk->file.path, bulk->file.mistakes,
	    bulk->file.mistakes == 1 ? "y" : "ies");
	return JW_BAD_POLICY;
}

/* ---- sending ---- */

static void
slot_hang_up(struct slot *slot)
{
	varlink_client_close(slot->client);
	slot->client = NULL;
}

/* The daemon may come back: what has been asked is asked again. */
static enum jw_err
ask_until_known(struct bulk *bulk, struct slot *slot)
{
	int64_t deadline = jw_clock_monotonic_ms() + CLIENT_PATIENCE_MS;
	struct ctl *ctl = bulk->ctl;
	json_t *reply = NULL;
	bool json = ctl->json;
	enum jw_err err;

	ctl->json = false;
	for (;;) {
		err = call_method_surely(ctl, ADD, slot->parameters, &reply);
		if ((err != JW_UNREACHABLE && err != JW_OUTCOME_UNKNOWN) ||
		    jw_clock_monotonic_ms() >= deadline)
			break;
		jw_clock_nap_ms(PAUSE_MS);
	}
	ctl->json = json;
	json_decref(reply);
	return err;
}

static enum jw_err
cmd_receive(struct bulk *bulk, struct slot *slot)
{
	struct varlink_reply reply = {0};
	struct ctl *ctl = bulk->ctl;
	enum jw_err err;

	if (slot->client == NULL)
		return ask_until_known(bulk, slot);
	err = varlink_client_receive(slot->client,
	    jw_clock_monotonic_ms() + REPLY_MS, &reply, &ctl->why);
	if (err == JW_OK && reply.error != NULL)
		err = call_explain(ctl, ADD, &reply);
	varlink_reply_done(&reply);
	if (err != JW_UNREACHABLE && err != JW_OUTCOME_UNKNOWN)
		return err;
	slot_hang_up(slot);
	return ask_until_known(bulk, slot);
}

/* A conflict is looked into when all have been sent. */
static enum jw_err
cmd_finish(struct bulk *bulk, struct slot *slot)
{
	size_t at = slot->at;
	enum jw_err err;

	if (slot->parameters == NULL)
		return JW_OK;
	err = cmd_receive(bulk, slot);
	json_decref(slot->parameters);
	slot->parameters = NULL;
	if (err == JW_OK)
		bulk->states[at] = ADDED;
	if (err != JW_OK && !is_of_one(err))
		return err;
	if (err != JW_OK && err != JW_CONFLICT) {
		if (bulk->first_fault == JW_OK)
			bulk->first_fault = err;
		note(bulk, at, FAILED, &bulk->ctl->why);
	}
	bulk->ctl->why = (struct jw_why){"", ""};
	out_progress_tell(&bulk->progress, ++bulk->answered);
	return JW_OK;
}

static enum jw_err
send_one(struct bulk *bulk, struct slot *slot, size_t at, int round)
{
	struct jw_why *why = &bulk->ctl->why;
	int64_t deadline = jw_clock_monotonic_ms() + CLIENT_PATIENCE_MS;
	enum jw_err err = request_of(bulk, at, &slot->parameters);

	if (err == JW_OK)
		err = add_id(slot->parameters, round);
	if (err != JW_OK)
		return err;
	slot->at = at;
	if (slot->client == NULL && varlink_client_open(bulk->ctl->socket,
					deadline, &slot->client, why) != JW_OK)
		return JW_OK; /* cmd_receive() asks on, and says why not */
	return varlink_client_send(
	    slot->client, ADD, slot->parameters, false, deadline, why);
}

/* A ring: the answer to the oldest request makes room for the next. */
static enum jw_err
send_missing(struct bulk *bulk, int round)
{
	enum jw_err err = JW_OK;
	size_t turn = 0;

	bulk->answered = 0;
	out_progress_begin(&bulk->progress, count(bulk, MISSING), "key sets",
	    bulk->ctl->quiet || bulk->ctl->json);
	for (size_t i = 0; i < bulk->file.count && err == JW_OK; i++) {
		struct slot *slot = &bulk->slots[turn % SLOTS];

		if (bulk->states[i] != MISSING)
			continue;
		err = cmd_finish(bulk, slot);
		if (err == JW_OK)
			err = send_one(bulk, slot, i, round);
		turn++;
	}
	for (size_t i = 0; i < SLOTS && err == JW_OK; i++)
		err = cmd_finish(bulk, &bulk->slots[(turn + i) % SLOTS]);
	out_progress_clear(&bulk->progress);
	return err;
}

/* An answer from before a removal: those are not there after all. */
static void
forget_vanished(struct bulk *bulk, const enum state *claimed)
{
	for (size_t i = 0; i < bulk->file.count; i++) {
		if (claimed[i] == ADDED && bulk->states[i] == THERE)
			bulk->states[i] = ADDED;
	}
}

static enum jw_err
look_again(struct bulk *bulk, bool *ret_all)
{
	size_t size = bulk->file.count * sizeof(*bulk->states);
	enum state *claimed = malloc(size);
	enum jw_err err;

	if (claimed == NULL)
		return JW_NO_MEMORY;
	memcpy(claimed, bulk->states, size);
	for (size_t i = 0; i < bulk->file.count; i++)
		if (claimed[i] == ADDED)
			bulk->states[i] = MISSING;
	err = keyset_bulk_look(bulk, ret_all);
	forget_vanished(bulk, claimed);
	free(claimed);
	return err;
}

static enum jw_err
add_missing(struct bulk *bulk)
{
	bool all = count(bulk, MISSING) == 0;
	enum jw_err err = JW_OK;

	for (int round = 0; round < ROUNDS && err == JW_OK && !all; round++) {
		err = send_missing(bulk, round);
		if (err == JW_OK)
			err = look_again(bulk, &all);
	}
	return err;
}

/* ---- what came of it ---- */

static enum jw_err
keyset_bulk_put_names(struct bulk *bulk)
{
	for (size_t i = 0; i < bulk->file.count; i++)
		if (bulk->states[i] == ADDED)
			printf("%s\n", bulk->file.lines[i].name);
	return call_flush(bulk->ctl);
}

static json_t *
names_of(const struct bulk *bulk, enum state state)
{
	json_t *names = json_array();

	for (size_t i = 0; i < bulk->file.count; i++)
		if (bulk->states[i] == state)
			json_array_append_new(
			    names, json_string(bulk->file.lines[i].name));
	return names;
}

static enum jw_err
put_json(struct bulk *bulk)
{
	json_t *object = json_pack("{s:I, s:I, s:o, s:o, s:o}", "added",
	    (json_int_t)count(bulk, ADDED), "present",
	    (json_int_t)count(bulk, THERE), "different",
	    names_of(bulk, DIFFERENT), "failed", names_of(bulk, FAILED),
	    "missing", names_of(bulk, MISSING));
	enum jw_err err = JW_NO_MEMORY;

	if (object != NULL)
		err = call_print_json(bulk->ctl, object);
	json_decref(object);
	return err;
}

static enum jw_err
put_summary(struct bulk *bulk, bool dry)
{
	static const struct {
		enum state state;
		const char *words;
	} parts[] = {
	    {THERE, "there already"},
	    {DIFFERENT, "there with another policy"},
	    {FAILED, "refused"},
	    {MISSING, "not there"},
	};
	size_t n = bulk->file.count;

	if (bulk->ctl->json)
		return put_json(bulk);
	if (bulk->ctl->quiet)
		return keyset_bulk_put_names(bulk);
	printf("%zu key set%s: %zu %s", n, n == 1 ? "" : "s",
	    count(bulk, dry ? MISSING : ADDED),
	    dry ? "would be added" : "added");
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		size_t some = count(bulk, parts[i].state);

		if (some > 0 && !(dry && parts[i].state == MISSING))
			printf(", %zu %s", some, parts[i].words);
	}
	if (bulk->waiting > 0)
		printf(", %zu of them sign later (`jwksctl status`)",
		    bulk->waiting);
	putchar('\n');
	return call_flush(bulk->ctl);
}

/* All of them are there, or why not. */
static enum jw_err
verdict(struct bulk *bulk)
{
	struct jw_why *why = &bulk->ctl->why;
	size_t different = count(bulk, DIFFERENT);

	if (bulk->first_fault != JW_OK) {
		jw_why_set(why, "%zu of the key sets of %s %s refused",
		    count(bulk, FAILED), bulk->file.path,
		    count(bulk, FAILED) == 1 ? "was" : "were");
		return bulk->first_fault;
	}
	if (different > 0) {
		jw_why_set(why,
		    "%zu key set%s of %s %s another policy; %s left as %s",
		    different, different == 1 ? "" : "s", bulk->file.path,
		    different == 1 ? "has" : "have",
		    different == 1 ? "it was" : "they were",
		    different == 1 ? "it is" : "they are");
		jw_why_hint(why, "`jwksctl keyset set` changes a policy");
		return JW_CONFLICT;
	}
	if (count(bulk, MISSING) == 0)
		return JW_OK;
	jw_why_set(
	    why, "somebody removes key sets of %s meanwhile", bulk->file.path);
	return JW_CONFLICT;
}

/* Cut off: what has been done stands. */
static enum jw_err
give_up(struct bulk *bulk, enum jw_err err)
{
	if (bulk->answered > 0 && !bulk->ctl->json && !bulk->ctl->quiet)
		fprintf(stderr,
		    "jwksctl: cut off: %zu of %zu key sets are known to be "
		    "there\n",
		    count(bulk, ADDED) + count(bulk, THERE), bulk->file.count);
	if (err == JW_UNREACHABLE || err == JW_OUTCOME_UNKNOWN)
		jw_why_hint(&bulk->ctl->why,
		    "give the same command again: what is there counts");
	return err;
}

/* ---- the whole ---- */

static enum jw_err
cmd_prepare(struct bulk *bulk, const char *path)
{
	struct jw_why *why = &bulk->ctl->why;
	size_t n;
	enum jw_err err =
	    cmd_keyset_file_read(path, on_mistake, &bulk->file, why);

	if (err != JW_OK)
		return err;
	n = bulk->file.count;
	bulk->states = calloc(n, sizeof(*bulk->states));
	bulk->by_name = calloc(n, sizeof(*bulk->by_name));
	if (bulk->states == NULL || bulk->by_name == NULL)
		return JW_NO_MEMORY;
	for (size_t i = 0; i < n; i++)
		bulk->by_name[i] = &bulk->file.lines[i];
	qsort(bulk->by_name, n, sizeof(*bulk->by_name), compare_lines);
	return JW_OK;
}

static void
bulk_done(struct bulk *bulk)
{
	for (size_t i = 0; i < SLOTS; i++) {
		slot_hang_up(&bulk->slots[i]);
		json_decref(bulk->slots[i].parameters);
	}
	free(bulk->states);
	free(bulk->by_name);
	cmd_keyset_file_done(&bulk->file);
}

enum jw_err
cmd_keyset_bulk_add(struct ctl *ctl, const char *path)
{
	bool dry = call_flag(ctl, "dry-run"), all;
	struct bulk bulk = {.ctl = ctl};
	enum jw_err err = cmd_prepare(&bulk, path);

	if (err == JW_OK)
		err = keyset_bulk_look(&bulk, &all);
	if (err == JW_OK)
		err = check_policies(&bulk);
	if (err == JW_OK && !dry) {
		err = add_missing(&bulk);
		if (err != JW_OK)
			err = give_up(&bulk, err);
	}
	if (err == JW_OK) {
		err = put_summary(&bulk, dry);
		if (err == JW_OK && !(dry && count(&bulk, DIFFERENT) == 0))
			err = verdict(&bulk);
	}
	bulk_done(&bulk);
	return err;
}
