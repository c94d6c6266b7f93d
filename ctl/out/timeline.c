/*
 * Keys and coming changes as tables.
 *
 * The moments at which a state began and ends are one row of a table here; the
 * daemon alone decides what happens.
 */
#include "ctl/out/timeline.h"

#include <jansson.h>
#include <string.h>

#include "ctl/out/table.h"
#include "ctl/out/text.h"
#include "ctl/reply/reply.h"

enum { KID_SHORT = 12 };

static const struct state_row {
	const char *state;
	enum reply_moment since;
	enum reply_moment next; /* REPLY_MOMENTS: nothing of its own */
	const char *verb;       /* "in 29d" follows, or ": due" */
} state_rows[] = {
    {"pending", REPLY_CREATED, REPLY_MOMENTS, NULL},
    {"published", REPLY_PUBLISHED, REPLY_READY, "ready"},
    {"ready", REPLY_READY, REPLY_SIGNS, "signs"},
    {"active", REPLY_ACTIVATED, REPLY_ROTATE, "rotates"},
    {"retired", REPLY_RETIRED, REPLY_REMOVE, "removed"},
    {"removed", REPLY_REMOVED, REPLY_MOMENTS, NULL},
    {"revoked", REPLY_REVOKED, REPLY_MOMENTS, NULL},
};

static const struct state_row *
state_row(const char *state)
{
	for (size_t i = 0; i < sizeof(state_rows) / sizeof(*state_rows); i++)
		if (strcmp(state_rows[i].state, state) == 0)
			return &state_rows[i];
	return NULL;
}

static const char *
since_cell(const struct out_text *text, const struct reply_key *key, char *buf)
{
	const struct state_row *row = state_row(key->state);

	if (row == NULL || key->at[row->since] == REPLY_NONE)
		return "-";
	return out_text_time(text, key->at[row->since], buf);
}

/* Only relative times leave room for the verb; the state implies it. */
static const char *
next_cell(const struct out_text *text, const struct reply_key *key, char *buf)
{
	const struct state_row *row = state_row(key->state);
	char when[TEXT_TIME_SIZE];
	int64_t at = REPLY_NONE;

	if (row != NULL && row->next != REPLY_MOMENTS)
		at = key->at[row->next];
	if (at == REPLY_NONE)
		return "-";
	if (text->times != TEXT_RELATIVE)
		return out_text_time(text, at, buf);
	if (at <= text->now)
		snprintf(buf, TABLE_CELL_SIZE, "%s: due", row->verb);
	else
		snprintf(buf, TABLE_CELL_SIZE, "%s %s", row->verb,
		    out_text_time(text, at, when));
	return buf;
}

static enum jw_err
key_row(const struct out_text *text, const void *keys, size_t index,
    struct out_table_row *ret_row, struct jw_why *why)
{
	struct reply_key key;
	enum jw_err err = reply_key(json_array_get(keys, index), &key, why);

	if (err != JW_OK)
		return err;
	ret_row->cells[0] = key.key_set;
	ret_row->cells[1] = out_table_number(key.generation, ret_row->made[1]);
	ret_row->cells[2] = key.kid;
	ret_row->cells[3] = key.alg;
	ret_row->cells[4] = key.state;
	ret_row->colours[4] = out_text_state_colour(text, key.state);
	ret_row->cells[5] = since_cell(text, &key, ret_row->made[5]);
	ret_row->cells[6] = next_cell(text, &key, ret_row->made[6]);
	return JW_OK;
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
	const struct out_table table = {
	    columns, keys, json_array_size(keys), key_row};

	return out_table_print(text, &table, out, why);
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
change_row(const struct out_text *text, const void *changes, size_t index,
    struct out_table_row *ret_row, struct jw_why *why)
{
	struct reply_change change;
	enum jw_err err =
	    reply_change(json_array_get(changes, index), &change, why);

	if (err != JW_OK)
		return err;
	ret_row->cells[0] = out_text_time(text, change.time, ret_row->made[0]);
	ret_row->cells[1] = change.key_set;
	ret_row->cells[2] =
	    out_table_number(change.generation, ret_row->made[2]);
	ret_row->cells[3] = out_timeline_step(text, &change, ret_row->made[3]);
	ret_row->colours[3] = out_text_state_colour(text, change.to);
	ret_row->cells[4] = change.cause;
	return JW_OK;
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
	const struct out_table table = {
	    columns, changes, json_array_size(changes), change_row};

	return out_table_print(text, &table, out, why);
}
