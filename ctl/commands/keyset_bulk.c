/*
 * Add every key set of a file that is not there yet.
 *
 * The key sets of the daemon are listed first and last, and those of the file
 * that are missing are sent in pieces, each of which is added whole or not at
 * all.  So a run that was cut off, by whatever end, is simply repeated.  Must
 * never change a key set that is there.
 */
#include "ctl/commands/keyset_bulk.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

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

#define ADD CTL_INTERFACE "AddKeySets"

enum {
	SLOTS = 3,       /* calls under way: keys of one, commit of another */
	PIECE_MIN = 10,  /* key sets of a call; it grows while that is quick */
	PIECE_MAX = 200, /* of the longest name and policy: under 256 KiB */
	QUICK_MS = 2000,
	ROUNDS = 5,
	PAUSE_MS = 250,
	REPLY_MS = 60 * 1000, /* for two RSA-4096 key pairs */
};

/* Of a line; MISSING is 0. */
enum state { MISSING, THERE, ADDED, DIFFERENT, FAILED };

/* A connection, and the piece that was sent on it. */
struct slot {
	struct varlink_client *client;
	json_t *parameters; /* NULL: no call is under way */
	struct cmd_keyset_line *lines[PIECE_MAX];
	size_t count;
	int64_t sent_ms;
};

struct bulk {
	struct ctl *ctl;
	struct cmd_keyset_file file;
	struct slot slots[SLOTS];
	size_t piece;   /* key sets of the next call */
	size_t added;   /* in this round */
	size_t waiting; /* of the file, and there: they sign later */
	enum jw_err first_fault;
	struct out_progress progress;
};

/* ---- messages about lines ---- */

static void
mark_line(struct bulk *bulk, struct cmd_keyset_line *line, enum state state,
    const struct jw_why *why)
{
	line->state = state;
	out_progress_clear(&bulk->progress);
	cmd_keyset_file_report(
	    &bulk->file, line->number, bulk->ctl->text.utf8, why);
}

static size_t
count(const struct bulk *bulk, enum state state)
{
	size_t n = 0;

	for (size_t i = 0; i < bulk->file.count; i++)
		n += bulk->file.lines[i].state == (int)state;
	return n;
}

/* ---- which are there ---- */

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
mark_different(struct bulk *bulk, struct cmd_keyset_line *line,
    const json_t *policy, const char *member)
{
	const struct jw_param *param = jw_policy_param_camel(member);
	char is[JW_DURATION_SIZE] = "-", wanted[JW_DURATION_SIZE] = "-";
	struct jw_why why = {"", ""};

	(void)call_policy_text(policy, param, is, NULL);
	(void)call_policy_text(line->policy, param, wanted, NULL);
	jw_why_set(&why, "%s is there with another policy: %s is %s, not %s",
	    line->name, param->snake, is, wanted);
	mark_line(bulk, line, DIFFERENT, &why);
}

static void
compare_set(struct bulk *bulk, const struct reply_key_set *set)
{
	struct cmd_keyset_line *line =
	    cmd_keyset_file_find(&bulk->file, set->name);
	const char *member;

	if (line == NULL)
		return;
	line->seen = true;
	member = difference(line->policy, set->policy);
	if (member != NULL && line->state != DIFFERENT)
		mark_different(bulk, line, set->policy, member);
	else if (line->state == MISSING)
		line->state = THERE;
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
			compare_set(arg, &set);
	}
	return err;
}

/* Compare the file with the daemon's key sets.  One that was added, and that
 * another client has removed since, is missing again. */
static enum jw_err
list_sets(struct bulk *bulk)
{
	enum jw_err err;

	bulk->waiting = 0;
	for (size_t i = 0; i < bulk->file.count; i++)
		bulk->file.lines[i].seen = false;
	err = call_method_each(
	    bulk->ctl, CTL_INTERFACE "ListKeySets", NULL, on_sets, bulk);
	for (size_t i = 0; err == JW_OK && i < bulk->file.count; i++)
		if (bulk->file.lines[i].state == ADDED &&
		    !bulk->file.lines[i].seen)
			bulk->file.lines[i].state = MISSING;
	return err;
}

/* ---- bad policies, before anything is added ---- */

/* A fault of one key set: the others can go on. */
static bool
is_of_one(enum jw_err err)
{
	return err == JW_CONFLICT || err == JW_BAD_POLICY || err == JW_BAD_KEY;
}

static enum jw_err
try_policy(struct bulk *bulk, const struct cmd_keyset_line *line)
{
	struct ctl *ctl = bulk->ctl;
	json_t *parameters = json_pack("{s:s, s:O, s:b}", "name", line->name,
	    "policy", line->policy, "dryRun", 1);
	json_t *reply = NULL;
	bool json = ctl->json;
	enum jw_err err;

	ctl->json = false;
	err = call_method(ctl, CTL_INTERFACE "AddKeySet", parameters, &reply);
	ctl->json = json;
	json_decref(parameters);
	json_decref(reply);
	/* Another client has just added it. */
	return err == JW_CONFLICT ? JW_OK : err;
}

/* Each policy once, however many key sets have it. */
static enum jw_err
check_one(struct bulk *bulk, struct cmd_keyset_line *line, json_t *seen)
{
	char *text = json_dumps(line->policy, JSON_COMPACT | JSON_SORT_KEYS);
	enum jw_err err = JW_OK;

	if (json_object_get(seen, text) == NULL) {
		json_object_set_new(seen, text, json_true());
		err = try_policy(bulk, line);
	}
	free(text);
	if (!is_of_one(err))
		return err;
	bulk->file.mistakes++;
	mark_line(bulk, line, FAILED, &bulk->ctl->why);
	bulk->ctl->why = (struct jw_why){"", ""};
	return JW_OK;
}

static enum jw_err
check_policies(struct bulk *bulk)
{
	json_t *seen = json_object();
	enum jw_err err = JW_OK;

	for (size_t i = 0; i < bulk->file.count && err == JW_OK; i++)
		if (bulk->file.lines[i].state == MISSING)
			err = check_one(bulk, &bulk->file.lines[i], seen);
	json_decref(seen);
	if (err != JW_OK || bulk->file.mistakes == 0)
		return err;
	jw_why_set(&bulk->ctl->why, "%s has %zu bad polic%s: nothing was added",
	    bulk->file.path, bulk->file.mistakes,
	    bulk->file.mistakes == 1 ? "y" : "ies");
	return JW_BAD_POLICY;
}

/* ---- one piece ---- */

static void
slot_hang_up(struct slot *slot)
{
	varlink_client_close(slot->client);
	slot->client = NULL;
}

/* A request for the next missing lines from *at on, which moves behind them.
 * None is left: count is 0. */
static enum jw_err
slot_fill(struct bulk *bulk, struct slot *slot, size_t *at)
{
	json_t *sets = json_array();
	enum jw_err err;

	slot->count = 0;
	slot->sent_ms = jw_clock_monotonic_ms();
	for (; *at < bulk->file.count && slot->count < bulk->piece; ++*at) {
		struct cmd_keyset_line *line = &bulk->file.lines[*at];

		if (line->state != MISSING)
			continue;
		json_array_append_new(
		    sets, json_pack("{s:s, s:O}", "name", line->name, "policy",
			      line->policy));
		slot->lines[slot->count++] = line;
	}
	if (slot->count == 0) {
		json_decref(sets);
		return JW_OK;
	}
	slot->parameters = json_pack("{s:o}", "keySets", sets);
	err = call_change_take_options(bulk->ctl, slot->parameters);
	return err == JW_OK ? call_change_add_id(bulk->ctl, slot->parameters)
			    : err;
}

static enum jw_err
slot_send(struct bulk *bulk, struct slot *slot)
{
	struct jw_why *why = &bulk->ctl->why;
	int64_t deadline = jw_clock_monotonic_ms() + CLIENT_PATIENCE_MS;
	enum jw_err err = JW_OK;

	if (slot->client == NULL)
		err = varlink_client_open(
		    bulk->ctl->socket, deadline, &slot->client, why);
	if (err == JW_OK)
		err = varlink_client_send(
		    slot->client, ADD, slot->parameters, true, deadline, why);
	/* slot_finish() tries again. */
	return err == JW_UNREACHABLE ? JW_OK : err;
}

/* One key set of the piece is refused: the others go with the next round,
 * and one that is there is compared then. */
static enum jw_err
slot_refused(
    struct bulk *bulk, enum jw_err err, const struct varlink_reply *reply)
{
	const char *name =
	    json_string_value(json_object_get(reply->parameters, "keySet"));
	struct cmd_keyset_line *line =
	    name == NULL ? NULL : cmd_keyset_file_find(&bulk->file, name);

	if (!is_of_one(err) || line == NULL)
		return err;
	if (err != JW_CONFLICT) {
		mark_line(bulk, line, FAILED, &bulk->ctl->why);
		if (bulk->first_fault == JW_OK)
			bulk->first_fault = err;
	}
	bulk->ctl->why = (struct jw_why){"", ""};
	return JW_OK;
}

static void
slot_added(struct bulk *bulk, struct slot *slot)
{
	for (size_t i = 0; i < slot->count; i++)
		slot->lines[i]->state = ADDED;
	bulk->added += slot->count;
}

/* Replies of progress, and the last. */
static enum jw_err
slot_receive(struct bulk *bulk, struct slot *slot)
{
	struct ctl *ctl = bulk->ctl;
	bool continues = true;
	enum jw_err err = JW_OK;

	while (err == JW_OK && continues) {
		struct varlink_reply reply = {0};
		int64_t done = 0;

		err = varlink_client_receive(slot->client,
		    jw_clock_monotonic_ms() + REPLY_MS, &reply, &ctl->why);
		continues = reply.continues;
		if (err == JW_OK && reply.error != NULL)
			err = slot_refused(
			    bulk, call_explain(ctl, ADD, &reply), &reply);
		else if (err == JW_OK && continues)
			err = reply_number(
			    reply.parameters, "done", &done, &ctl->why);
		else if (err == JW_OK)
			slot_added(bulk, slot);
		if (err == JW_OK && done >= 0)
			out_progress_show(
			    &bulk->progress, bulk->added + (size_t)done);
		varlink_reply_done(&reply);
	}
	return err;
}

/* The daemon may come back: the same request has the same outcome. */
static enum jw_err
slot_receive_surely(struct bulk *bulk, struct slot *slot)
{
	int64_t deadline = 0;
	enum jw_err err;

	for (;;) {
		err = slot->client == NULL ? JW_UNREACHABLE
					   : slot_receive(bulk, slot);
		if (err != JW_UNREACHABLE && err != JW_OUTCOME_UNKNOWN)
			return err;
		slot_hang_up(slot);
		if (deadline == 0)
			deadline = jw_clock_monotonic_ms() + CLIENT_PATIENCE_MS;
		else if (jw_clock_monotonic_ms() >= deadline)
			return err;
		jw_clock_nap_ms(PAUSE_MS);
		err = slot_send(bulk, slot);
		if (err != JW_OK)
			return err;
	}
}

/* A piece that takes long would be much to repeat after a broken run. */
static void
adapt_piece(struct bulk *bulk, const struct slot *slot)
{
	bool quick = jw_clock_monotonic_ms() - slot->sent_ms < QUICK_MS;
	size_t piece = quick ? bulk->piece * 2 : bulk->piece / 2;

	bulk->piece = piece > PIECE_MAX   ? PIECE_MAX
		      : piece < PIECE_MIN ? PIECE_MIN
					  : piece;
}

static enum jw_err
slot_finish(struct bulk *bulk, struct slot *slot)
{
	enum jw_err err;

	if (slot->parameters == NULL)
		return JW_OK;
	err = slot_receive_surely(bulk, slot);
	json_decref(slot->parameters);
	slot->parameters = NULL;
	adapt_piece(bulk, slot);
	return err;
}

/* ---- all pieces ---- */

/* A ring: the answer to the oldest call makes room for the next. */
static enum jw_err
send_missing(struct bulk *bulk)
{
	enum jw_err err = JW_OK;
	size_t turn = 0, at = 0;

	bulk->added = 0;
	bulk->piece = PIECE_MIN;
	out_progress_begin(&bulk->progress, count(bulk, MISSING), "key sets",
	    bulk->ctl->quiet || bulk->ctl->json);
	while (err == JW_OK && at < bulk->file.count) {
		struct slot *slot = &bulk->slots[turn++ % SLOTS];

		err = slot_finish(bulk, slot);
		if (err == JW_OK)
			err = slot_fill(bulk, slot, &at);
		if (err == JW_OK && slot->count > 0)
			err = slot_send(bulk, slot);
	}
	for (size_t i = 0; i < SLOTS && err == JW_OK; i++)
		err = slot_finish(bulk, &bulk->slots[(turn + i) % SLOTS]);
	out_progress_clear(&bulk->progress);
	return err;
}

static enum jw_err
add_missing(struct bulk *bulk)
{
	enum jw_err err = JW_OK;

	for (int round = 0;
	     round < ROUNDS && err == JW_OK && count(bulk, MISSING) > 0;
	     round++) {
		err = send_missing(bulk);
		if (err == JW_OK)
			err = list_sets(bulk);
	}
	return err;
}

/* ---- what came of it ---- */

static enum jw_err
print_added_names(struct bulk *bulk)
{
	for (size_t i = 0; i < bulk->file.count; i++)
		if (bulk->file.lines[i].state == ADDED)
			printf("%s\n", bulk->file.lines[i].name);
	return call_flush(bulk->ctl);
}

static json_t *
names_of(const struct bulk *bulk, enum state state)
{
	json_t *names = json_array();

	for (size_t i = 0; i < bulk->file.count; i++)
		if (bulk->file.lines[i].state == (int)state)
			json_array_append_new(
			    names, json_string(bulk->file.lines[i].name));
	return names;
}

static enum jw_err
print_json(struct bulk *bulk)
{
	json_t *object = json_pack("{s:I, s:I, s:o, s:o, s:o}", "added",
	    (json_int_t)count(bulk, ADDED), "present",
	    (json_int_t)count(bulk, THERE), "different",
	    names_of(bulk, DIFFERENT), "failed", names_of(bulk, FAILED),
	    "missing", names_of(bulk, MISSING));
	enum jw_err err = call_print_json(bulk->ctl, object);

	json_decref(object);
	return err;
}

static enum jw_err
print_summary(struct bulk *bulk, bool dry)
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
		return print_json(bulk);
	if (bulk->ctl->quiet)
		return print_added_names(bulk);
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
		jw_why_set(why, "of the key sets of %s %zu could not be added",
		    bulk->file.path, count(bulk, FAILED));
		return bulk->first_fault;
	}
	if (different > 0) {
		jw_why_set(why,
		    "%zu of the key sets of %s: another policy, left as it is",
		    different, bulk->file.path);
		jw_why_hint(why, "`jwksctl keyset set` changes a policy");
		return JW_CONFLICT;
	}
	if (count(bulk, MISSING) == 0)
		return JW_OK;
	jw_why_set(why, "another client removes key sets of %s meanwhile",
	    bulk->file.path);
	return JW_CONFLICT;
}

/* Cut off: what has been done stands. */
static enum jw_err
give_up(struct bulk *bulk, enum jw_err err)
{
	if (!bulk->ctl->json && !bulk->ctl->quiet)
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

static void
bulk_done(struct bulk *bulk)
{
	for (size_t i = 0; i < SLOTS; i++) {
		slot_hang_up(&bulk->slots[i]);
		json_decref(bulk->slots[i].parameters);
	}
	cmd_keyset_file_done(&bulk->file);
}

enum jw_err
cmd_keyset_bulk_add(struct ctl *ctl, const char *path)
{
	bool dry = call_flag(ctl, "dry-run");
	struct bulk bulk = {.ctl = ctl};
	enum jw_err err = cmd_keyset_file_read(path, &bulk.file, &ctl->why);

	if (err == JW_OK)
		err = list_sets(&bulk);
	if (err == JW_OK)
		err = check_policies(&bulk);
	if (err == JW_OK && !dry) {
		err = add_missing(&bulk);
		if (err != JW_OK)
			err = give_up(&bulk, err);
	}
	if (err == JW_OK) {
		err = print_summary(&bulk, dry);
		if (err == JW_OK && !(dry && count(&bulk, DIFFERENT) == 0))
			err = verdict(&bulk);
	}
	bulk_done(&bulk);
	return err;
}
