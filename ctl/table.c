/*
 * A table for people, by libsmartcols.
 *
 * Cells are already fit for a terminal (reply_visible()), so the library's own
 * escaping is off; nothing unchecked may come here.
 */
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"
#include "ctl/text.h"

struct table {
	struct libscols_table *scols;
	size_t ncolumns;
};

static int
column_flags(const struct text *text, unsigned flags)
{
	int result = 0;

	if (flags & TABLE_RIGHT)
		result |= SCOLS_FL_RIGHT;
	if ((flags & TABLE_CUT) && text->width > 0)
		result |= SCOLS_FL_TRUNC;
	if ((flags & TABLE_WRAP) && text->width > 0)
		result |= SCOLS_FL_WRAP;
	return result;
}

static enum jw_err
configure(struct libscols_table *scols, const struct text *text)
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

enum jw_err
table_new(const struct text *text, const struct table_column *columns,
    struct table **ret_table)
{
	struct table *table = calloc(1, sizeof(*table));
	enum jw_err err = JW_NO_MEMORY;

	if (table == NULL)
		return JW_NO_MEMORY;
	table->scols = scols_new_table();
	if (table->scols != NULL)
		err = configure(table->scols, text);
	for (; err == JW_OK && columns->name != NULL; columns++) {
		if (scols_table_new_column(table->scols, columns->name, 0,
			column_flags(text, columns->flags)) == NULL)
			err = JW_NO_MEMORY;
		table->ncolumns++;
	}
	if (err != JW_OK) {
		table_free(table);
		return err;
	}
	*ret_table = table;
	return JW_OK;
}

void
table_free(struct table *table)
{
	if (table == NULL)
		return;
	scols_unref_table(table->scols);
	free(table);
}

enum jw_err
table_add(struct table *table, const struct table_cell *cells)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	if (line == NULL)
		return JW_NO_MEMORY;
	for (size_t i = 0; i < table->ncolumns; i++) {
		struct libscols_cell *cell = scols_line_get_cell(line, i);

		if (scols_cell_set_data(cell, cells[i].text) != 0)
			return JW_NO_MEMORY;
		if (cells[i].colour != NULL &&
		    scols_cell_set_color(cell, cells[i].colour) != 0)
			return JW_NO_MEMORY;
	}
	return JW_OK;
}

enum jw_err
table_render(struct table *table, char **ret_text)
{
	char *text = NULL;

	if (scols_table_is_empty(table->scols))
		text = strdup("");
	else if (scols_print_table_to_string(table->scols, &text) != 0)
		text = NULL;
	if (text == NULL)
		return JW_NO_MEMORY;
	*ret_text = text;
	return JW_OK;
}
