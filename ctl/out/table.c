/*
 * A table for people, by libsmartcols.
 *
 * Cells are already fit for a terminal (out_visible()), so the library's own
 * escaping is off; nothing unchecked may come here.
 */
#include <assert.h>
#include <libsmartcols/libsmartcols.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/out/table.h"
#include "ctl/out/text.h"

enum { COLUMNS_MAX = 8, GAP = 2, WRAP_LEAST = 16 };

struct out_table {
	struct libscols_table *scols;
	size_t ncolumns;
	size_t widths[COLUMNS_MAX]; /* the widest text of each column */
	size_t limit;               /* columns of the terminal; 0: none */
	size_t wrapped;             /* index of that column */
	bool wraps;
};

static int
column_flags(const struct out_text *text, unsigned flags)
{
	int result = 0;

	if (flags & TABLE_RIGHT)
		result |= SCOLS_FL_RIGHT;
	if ((flags & TABLE_CUT) && text->width > 0)
		result |= SCOLS_FL_TRUNC;
	return result;
}

static enum jw_err
configure(struct libscols_table *scols, const struct out_text *text)
{
	int failed = scols_table_enable_noencoding(scols, 1) != 0 ||
		     scols_table_enable_colors(scols, text->colour) != 0 ||
		     scols_table_enable_ascii(scols, !text->utf8) != 0 ||
		     scols_table_set_column_separator(scols, "  ") != 0;

	/* Without a terminal nothing is cut: the reader may be a program. */
	failed |= scols_table_set_termforce(
		      scols, text->width > 0 ? SCOLS_TERMFORCE_ALWAYS
					     : SCOLS_TERMFORCE_NEVER) != 0;
	if (text->width > 0)
		failed |=
		    scols_table_set_termwidth(scols, (size_t)text->width) != 0;
	return failed ? JW_NO_MEMORY : JW_OK;
}

/* Characters; near enough for names and sentences. */
static size_t
width_of(const char *s)
{
	size_t width = 0;

	for (; s != NULL && *s != '\0'; s++)
		width += (*s & 0xc0) != 0x80;
	return width;
}

static void
widen(struct out_table *table, size_t column, const char *s)
{
	size_t width = width_of(s);

	if (width > table->widths[column])
		table->widths[column] = width;
}

static enum jw_err
add_column(struct out_table *table, const struct out_text *text,
    const struct out_table_column *column)
{
	struct libscols_column *made = scols_table_new_column(
	    table->scols, column->name, 0, column_flags(text, column->flags));

	if (made == NULL)
		return JW_NO_MEMORY;
	assert(table->ncolumns < COLUMNS_MAX);
	widen(table, table->ncolumns, column->name);
	if ((column->flags & TABLE_WRAP) && text->width > 0) {
		table->wraps = true;
		table->wrapped = table->ncolumns;
		scols_column_set_flags(made, SCOLS_FL_WRAP);
		scols_column_set_wrapfunc(
		    made, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL);
	}
	table->ncolumns++;
	return JW_OK;
}

enum jw_err
out_table_new(const struct out_text *text,
    const struct out_table_column *columns, struct out_table **ret_table)
{
	struct out_table *table = calloc(1, sizeof(*table));
	enum jw_err err = JW_NO_MEMORY;

	if (table == NULL)
		return JW_NO_MEMORY;
	table->limit = (size_t)text->width;
	table->scols = scols_new_table();
	if (table->scols != NULL)
		err = configure(table->scols, text);
	for (; err == JW_OK && columns->name != NULL; columns++)
		err = add_column(table, text, columns);
	if (err != JW_OK) {
		out_table_free(table);
		return err;
	}
	*ret_table = table;
	return JW_OK;
}

void
out_table_free(struct out_table *table)
{
	if (table == NULL)
		return;
	scols_unref_table(table->scols);
	free(table);
}

enum jw_err
out_table_add(struct out_table *table, const struct out_table_cell *cells)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	if (line == NULL)
		return JW_NO_MEMORY;
	for (size_t i = 0; i < table->ncolumns; i++) {
		struct libscols_cell *cell = scols_line_get_cell(line, i);

		if (scols_cell_set_data(cell, cells[i].text) != 0)
			return JW_NO_MEMORY;
		widen(table, i, cells[i].text);
		if (cells[i].colour != NULL &&
		    scols_cell_set_color(cell, cells[i].colour) != 0)
			return JW_NO_MEMORY;
	}
	return JW_OK;
}

/* What all columns (but the one that wraps) take, gaps included. */
static size_t
total_width(const struct out_table *table)
{
	size_t total = GAP * (table->ncolumns - 1);

	for (size_t i = 0; i < table->ncolumns; i++) {
		if (!table->wraps || i != table->wrapped)
			total += table->widths[i];
	}
	return total;
}

static size_t
room_to_wrap(const struct out_table *table)
{
	size_t used = total_width(table);

	return used + WRAP_LEAST > table->limit ? WRAP_LEAST
						: table->limit - used;
}

/* Turn blanks into newlines so that no line is longer than room. */
static void
break_lines(char *s, size_t room)
{
	char *blank = NULL;
	size_t column = 0;

	for (; *s != '\0'; s++) {
		column += (*s & 0xc0) != 0x80;
		if (column > room && blank != NULL) {
			*blank = '\n';
			column = width_of(blank + 1) - width_of(s) + 1;
			blank = NULL;
		}
		if (*s == ' ')
			blank = s;
	}
}

static enum jw_err
wrap(struct out_table *table)
{
	size_t room = room_to_wrap(table);
	size_t lines = scols_table_get_nlines(table->scols);

	for (size_t i = 0; i < lines; i++) {
		struct libscols_cell *cell = scols_line_get_cell(
		    scols_table_get_line(table->scols, i), table->wrapped);
		const char *data = scols_cell_get_data(cell);
		char *copy = strdup(data != NULL ? data : "");
		int failed;

		if (copy == NULL)
			return JW_NO_MEMORY;
		break_lines(copy, room);
		failed = scols_cell_set_data(cell, copy);
		free(copy);
		if (failed != 0)
			return JW_NO_MEMORY;
	}
	return JW_OK;
}

/* A table that the library prints to a string lacks its last newline. */
static char *
take_whole_lines(char *text)
{
	size_t len = strlen(text);
	char *longer;

	if (len > 0 && text[len - 1] == '\n')
		return text;
	longer = realloc(text, len + 2);
	if (longer == NULL) {
		free(text);
		return NULL;
	}
	memcpy(longer + len, "\n", 2);
	return longer;
}

enum jw_err
out_table_render(struct out_table *table, char **ret_text)
{
	char *text = NULL;

	if (table->wraps && wrap(table) != JW_OK)
		return JW_NO_MEMORY;
	/* Narrow gaps first, before a cell loses its end. */
	if (table->limit > 0 && total_width(table) > table->limit)
		scols_table_set_column_separator(table->scols, " ");
	if (scols_table_is_empty(table->scols))
		text = strdup("");
	else if (scols_print_table_to_string(table->scols, &text) == 0)
		text = take_whole_lines(text);
	if (text == NULL)
		return JW_NO_MEMORY;
	*ret_text = text;
	return JW_OK;
}
