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
	PIECE_MAX =
	    200, /* key sets of a call; under 256 KiB at their longest */
	QUICK_MS = 2000, /* then the next call may have twice as many */
	ROUNDS = 5,
};

/* Of a line; MISSING is 0. */
enum state { MISSING, THERE, ADDED, DIFFERENT, FAILED };

/* The key sets of one call. */
struct piece {
	struct cmd_keyset_line *lines[PIECE_MAX];
	size_t count;
	json_t *sets; /* of these lines, as the call has them */
};

struct bulk {
	struct ctl *ctl;
	struct cmd_keyset_file file;
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

	call_policy_text(policy, param, is, NULL);
	call_policy_text(line->policy, param, wanted, NULL);
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

/* A refusal is reported for its line, with --json as well. */
static enum jw_err
call_quietly(struct ctl *ctl, const char *method, json_t *take_parameters)
{
	json_t *reply = NULL;
	bool json = ctl->json;
	enum jw_err err;

	ctl->json = false;
	err = call_method_surely(ctl, method, take_parameters, &reply);
	ctl->json = json;
	json_decref(take_parameters);
	json_decref(reply);
	return err;
}

static enum jw_err
try_policy(struct bulk *bulk, const struct cmd_keyset_line *line)
{
	enum jw_err err = call_quietly(bulk->ctl, CTL_INTERFACE "AddKeySet",
	    json_pack("{s:s, s:O, s:b}", "name", line->name, "policy",
		line->policy, "dryRun", 1));

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

/* ---- pieces ---- */

/* The next missing lines from *at on, which moves behind them. */
static void
take_piece(struct bulk *bulk, size_t *at, size_t most, struct piece *piece)
{
	piece->count = 0;
	piece->sets = json_array();
	for (; *at < bulk->file.count && piece->count < most; ++*at) {
		struct cmd_keyset_line *line = &bulk->file.lines[*at];

		if (line->state != MISSING)
			continue;
		json_array_append_new(
		    piece->sets, json_pack("{s:s, s:O}", "name", line->name,
				     "policy", line->policy));
		piece->lines[piece->count++] = line;
	}
}

static enum jw_err
send_piece(struct ctl *ctl, struct piece *piece)
{
	json_t *parameters = json_pack("{s:o}", "keySets", piece->sets);
	enum jw_err err = call_change_take_options(ctl, parameters);

	if (err == JW_OK)
		err = call_change_add_id(ctl, parameters);
	if (err == JW_OK && piece->count > 0)
		return call_quietly(ctl, ADD, parameters);
	json_decref(parameters);
	return err;
}

/* One that is there by now is compared before the next round. */
static void
refuse_line(struct bulk *bulk, struct cmd_keyset_line *line, enum jw_err err)
{
	if (err == JW_CONFLICT)
		return;
	mark_line(bulk, line, FAILED, &bulk->ctl->why);
	if (bulk->first_fault == JW_OK)
		bulk->first_fault = err;
}

/* Of a piece that one key set spoils, each is tried alone. */
static enum jw_err
send_missing(struct bulk *bulk)
{
	size_t at = 0, most = 1, added = 0;
	enum jw_err err = JW_OK;

	out_progress_begin(&bulk->progress, count(bulk, MISSING), "key sets",
	    bulk->ctl->quiet || bulk->ctl->json);
	while (err == JW_OK && at < bulk->file.count) {
		int64_t started = jw_clock_monotonic_ms();
		size_t begin = at;
		struct piece piece;

		take_piece(bulk, &at, most, &piece);
		err = send_piece(bulk->ctl, &piece);
		for (size_t i = 0; err == JW_OK && i < piece.count; i++)
			piece.lines[i]->state = ADDED;
		most = jw_clock_monotonic_ms() - started < QUICK_MS
			   ? most * 2
			   : (most + 1) / 2;
		if (most > PIECE_MAX)
			most = PIECE_MAX;
		if (err == JW_OK) {
			added += piece.count;
			out_progress_show(&bulk->progress, added);
		} else if (is_of_one(err)) {
			if (piece.count == 1)
				refuse_line(bulk, piece.lines[0], err);
			else
				at = begin;
			most = 1;
			bulk->ctl->why = (struct jw_why){"", ""};
			err = JW_OK;
		}
	}
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
	cmd_keyset_file_done(&bulk.file);
	return err;
}
