/*
 * Keys and coming changes as tables.
 *
 * What follows from a state (since when, what next) is one row of a table
 * here; the daemon alone decides what happens.
 */
#include "ctl/out/timeline.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/out/table.h"
#include "ctl/out/text.h"
#include "ctl/reply/reply.h"

enum { KID_SHORT = 12, NUMBER_SIZE = 24, CELL_SIZE = TEXT_TIME_SIZE + 16 };

static const struct state_row {
	const char *state;
	enum reply_moment since;
	enum reply_moment next; /* REPLY_MOMENTS: nothing of its own */
	const char *verb;       /* "in 29d" follows */
	const char *due;        /* when the moment has passed */
} state_rows[] = {
    {"pending", REPLY_CREATED, REPLY_MOMENTS, NULL, NULL},
    {"published", REPLY_PUBLISHED, REPLY_READY, "ready", "ready: due"},
    {"ready", REPLY_READY, REPLY_SIGNS, "signs", "signs: due"},
    {"active", REPLY_ACTIVATED, REPLY_ROTATE, "rotates", "rotates: due"},
    {"retired", REPLY_RETIRED, REPLY_REMOVE, "removed", "removed: due"},
    {"removed", REPLY_REMOVED, REPLY_MOMENTS, NULL, NULL},
    {"revoked", REPLY_REVOKED, REPLY_MOMENTS, NULL, NULL},
};

static const struct state_row *
state_row(const char *state)
{
	for (size_t i = 0; i < sizeof(state_rows) / sizeof(*state_rows); i++) {
		if (strcmp(state_rows[i].state, state) == 0)
			return &state_rows[i];
	}
	return NULL;
}

static const char *
number_cell(int64_t number, char *buf)
{
	if (number == REPLY_NONE)
		return "-";
	snprintf(buf, NUMBER_SIZE, "%" PRId64, number);
	return buf;
}

static const char *
since_cell(const struct out_text *text, const struct state_row *row,
    const struct reply_key *key, char *buf)
{
	if (row == NULL || key->at[row->since] == REPLY_NONE)
		return "-";
	return out_text_time(text, key->at[row->since], buf);
}

/* Only relative times leave room for the verb; the state implies it. */
static const char *
next_cell(const struct out_text *text, const struct state_row *row,
    const struct reply_key *key, char *buf)
{
	char when[TEXT_TIME_SIZE];
	int64_t at;

	if (row == NULL || row->next == REPLY_MOMENTS)
		return "-";
	at = key->at[row->next];
	if (at == REPLY_NONE)
		return "-";
	if (text->times != TEXT_RELATIVE)
		return out_text_time(text, at, buf);
	if (at <= text->now)
		return row->due;
	snprintf(
	    buf, CELL_SIZE, "%s %s", row->verb, out_text_time(text, at, when));
	return buf;
}

static enum jw_err
add_key(struct out_table *table, const struct out_text *text,
    const struct json_t *item, struct jw_why *why)
{
	char number[NUMBER_SIZE], since[CELL_SIZE], next[CELL_SIZE];
	struct reply_key key;
	const struct state_row *row;
	enum jw_err err = reply_key(item, &key, why);

	if (err != JW_OK)
		return err;
	row = state_row(key.state);
	return out_table_add(
	    table, (const struct out_table_cell[]){
		       {key.key_set, NULL},
		       {number_cell(key.generation, number), NULL},
		       {key.kid, NULL},
		       {key.alg, NULL},
		       {key.state, out_text_state_colour(text, key.state)},
		       {since_cell(text, row, &key, since), NULL},
		       {next_cell(text, row, &key, next), NULL},
		   });
}

enum jw_err
out_timeline_keys(const struct out_text *text, const struct json_t *keys,
    bool whole_kids, FILE *out, struct jw_why *why)
{
	const struct out_table_column columns[] = {
	    {"KEYSET", 0, 0},
	    {"GEN", TABLE_RIGHT, 0},
	    /* The beginning of a kid still names it. */
	    {"KID", whole_kids ? 0 : TABLE_CUT, whole_kids ? 0 : KID_SHORT},
	    {"ALG", 0, 0},
	    {"STATE", 0, 0},
	    {"SINCE", 0, 0},
	    {"NEXT", 0, 0},
	    {NULL, 0, 0},
	};

	return out_table_array(text, columns, keys, add_key, out, why);
}

char *
out_timeline_step(
    const struct out_text *text, const struct reply_change *change, char *buf)
{
	snprintf(buf, TIMELINE_STEP_SIZE, "%.16s%s%.16s",
	    change->from != NULL ? change->from : "new", out_text_arrow(text),
	    change->to);
	return buf;
}

static enum jw_err
add_change(struct out_table *table, const struct out_text *text,
    const struct json_t *item, struct jw_why *why)
{
	char when[TEXT_TIME_SIZE], number[NUMBER_SIZE];
	char step[TIMELINE_STEP_SIZE];
	struct reply_change change;
	enum jw_err err = reply_change(item, &change, why);

	if (err != JW_OK)
		return err;
	return out_table_add(
	    table, (const struct out_table_cell[]){
		       {out_text_time(text, change.time, when), NULL},
		       {change.key_set, NULL},
		       {number_cell(change.generation, number), NULL},
		       {out_timeline_step(text, &change, step),
			   out_text_state_colour(text, change.to)},
		       {change.cause, NULL},
		   });
}

enum jw_err
out_timeline_changes(const struct out_text *text, const struct json_t *changes,
    FILE *out, struct jw_why *why)
{
	static const struct out_table_column columns[] = {
	    {"TIME", 0, 0},
	    {"KEYSET", TABLE_CUT, 0},
	    {"GEN", TABLE_RIGHT, 0},
	    {"CHANGE", 0, 0},
	    {"CAUSE", TABLE_WRAP, 0},
	    {NULL, 0, 0},
	};

	return out_table_array(text, columns, changes, add_change, out, why);
}
