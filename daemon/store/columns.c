/*
 * The columns of a key set and of a generation: one table for each, from which
 * follow the lists in statements and the order in which values are bound and
 * read.  The policy's columns come from the table that declares its parameters.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "daemon/store/internal.h"

enum column_kind {
	COLUMN_TIME, /* int64_t; 0 is NULL */
	COLUMN_INT64,
	COLUMN_INT32,
	COLUMN_BOOL,
	COLUMN_ALGORITHM, /* int32_t, stored by its name; and so is the mode */
	COLUMN_MODE,
};

struct column {
	const char *name;
	enum column_kind kind;
	size_t offset; /* of the member in the struct of the row */
};

#define SET(member, kind)                                                      \
	{                                                                      \
#member, COLUMN_##kind, offsetof(struct key_set_facts, member) \
	}
#define KEY(member, kind)                                                   \
	{                                                                   \
#member, COLUMN_##kind, offsetof(struct generation, member) \
	}

/* The policy's columns come first. */
static const struct column set_columns[] = {
    SET(next_number, INT64),
    SET(version, INT64),
    SET(version_at, TIME),
    SET(wanted_at, TIME),
    SET(copies_until, TIME),
    SET(tokens_until, TIME),
    SET(cached_until, TIME),
    SET(polled_until, TIME),
    SET(removed_at, TIME),
    SET(withdrawn_at, TIME),
    SET(follows_at, TIME),
    SET(frozen, BOOL),
};

static const struct column key_columns[] = {
    KEY(created_at, TIME),
    KEY(published_at, TIME),
    KEY(ready_at, TIME),
    KEY(activated_at, TIME),
    KEY(retired_at, TIME),
    KEY(removed_at, TIME),
    KEY(revoked_at, TIME),
    KEY(destroyed_at, TIME),
    KEY(absent_until, TIME),
    KEY(max_exp, TIME),
    KEY(publish_due, TIME),
    KEY(ready_due, TIME),
    KEY(rotate_due, TIME),
    KEY(destroy_due, TIME),
    KEY(remove_due, TIME),
    KEY(activations, INT32),
    KEY(retirements, INT32),
    KEY(verify_only, BOOL),
};

static const enum column_kind param_columns[] = {
    [JW_PARAM_ALGORITHM] = COLUMN_ALGORITHM,
    [JW_PARAM_BITS] = COLUMN_INT32,
    [JW_PARAM_MODE] = COLUMN_MODE,
    [JW_PARAM_DURATION] = COLUMN_INT32,
    [JW_PARAM_NUMBER] = COLUMN_INT32,
};

/* False behind the last. */
static bool
column_at(enum store_table table, size_t i, struct column *ret_column)
{
	size_t nparams;
	const struct jw_param *params = jw_policy_params(&nparams);

	if (table == STORE_KEY) {
		if (i < COUNT(key_columns))
			*ret_column = key_columns[i];
		return i < COUNT(key_columns);
	}
	if (i < nparams) {
		ret_column->name = params[i].snake;
		ret_column->kind = param_columns[params[i].kind];
		ret_column->offset =
		    offsetof(struct key_set_facts, policy) + params[i].offset;
		return true;
	}
	i -= nparams;
	if (i < COUNT(set_columns))
		*ret_column = set_columns[i];
	return i < COUNT(set_columns);
}

/* ---- statements ---- */

static void
put_columns(FILE *f, enum store_table table, const char *prefix)
{
	struct column column;

	for (size_t i = 0; column_at(table, i, &column); i++)
		fprintf(f, "%s%s%s", i == 0 ? "" : ", ", prefix, column.name);
}

char *
store_expand(const char *text)
{
	char *expanded = NULL;
	size_t size;
	FILE *f = open_memstream(&expanded, &size);

	if (f == NULL)
		jw_out_of_memory(0);
	for (; *text != '\0'; text++) {
		const char *prefix = text[1] == ':' ? ":" : "";

		if (*text != '{') {
			fputc(*text, f);
			continue;
		}
		text += 1 + strlen(prefix);
		put_columns(f,
		    strncmp(text, "set", 3) == 0 ? STORE_SET : STORE_KEY,
		    prefix);
		text += strcspn(text, "}");
	}
	if (fclose(f) != 0)
		jw_out_of_memory(0);
	return expanded;
}

/* ---- values ---- */

static void
bind_value(
    sqlite3_stmt *st, int at, const struct column *column, const void *value)
{
	enum column_kind kind = column->kind;
	int64_t time;
	int32_t number;

	if (kind == COLUMN_BOOL) {
		sqlite3_bind_int(st, at, *(const bool *)value);
		return;
	}
	if (kind == COLUMN_TIME || kind == COLUMN_INT64) {
		memcpy(&time, value, sizeof(time));
		if (time != 0 || kind == COLUMN_INT64)
			sqlite3_bind_int64(st, at, time);
		return;
	}
	memcpy(&number, value, sizeof(number));
	if (kind == COLUMN_ALGORITHM)
		store_bind_text(st, at, jw_alg_name(number));
	else if (kind == COLUMN_MODE)
		store_bind_text(st, at, jw_mode_name(number));
	else
		sqlite3_bind_int(st, at, number);
}

int
store_bind_columns(sqlite3_stmt *st, enum store_table table, const void *row)
{
	struct column column;
	size_t i = 0;

	for (; column_at(table, i, &column); i++)
		bind_value(
		    st, (int)i + 1, &column, (const char *)row + column.offset);
	return (int)i + 1;
}

/* -1: not a word of the enum. */
static int32_t
read_word(sqlite3_stmt *st, int at, enum column_kind kind)
{
	const char *text = store_peek_text(st, at);

	if (text == NULL)
		return -1;
	return kind == COLUMN_MODE ? jw_mode_parse(text) : jw_alg_parse(text);
}

static bool
read_value(
    sqlite3_stmt *st, int at, const struct column *column, void *ret_value)
{
	enum column_kind kind = column->kind;
	int64_t time;
	int32_t number;

	if (kind == COLUMN_BOOL) {
		*(bool *)ret_value = sqlite3_column_int(st, at) != 0;
		return true;
	}
	if (kind == COLUMN_TIME || kind == COLUMN_INT64) {
		time = sqlite3_column_int64(st, at);
		memcpy(ret_value, &time, sizeof(time));
		return true;
	}
	number = kind == COLUMN_INT32 ? sqlite3_column_int(st, at)
				      : read_word(st, at, kind);
	memcpy(ret_value, &number, sizeof(number));
	return number >= 0;
}

bool
store_read_columns(
    sqlite3_stmt *st, int at, enum store_table table, void *ret_row)
{
	struct column column;
	bool ok = true;

	for (size_t i = 0; column_at(table, i, &column); i++)
		ok &= read_value(
		    st, at + (int)i, &column, (char *)ret_row + column.offset);
	return ok;
}
