/*
 * A table for people, by libsmartcols.
 *
 * Cells are already fit for a terminal (out_visible()), so the library's own
 * escaping is off; nothing unchecked may come here.
 */
#include "ctl/out/table.h"

#include <assert.h>
#include <libsmartcols/libsmartcols.h>
#include <string.h>

#include "common/base/memory.h"
#include "ctl/out/text.h"

enum { GAP = 2, WRAP_LEAST = 16 };

struct layout {
	const struct out_table_column *columns;
	size_t count;
	size_t widths[TABLE_COLUMNS_MAX]; /* the widest text of each column */
	size_t limit;                     /* columns of the terminal; 0: none */
};

/* The library has no other reason to fail. */
static void
need(int failed)
{
	if (failed != 0)
		jw_out_of_memory(0);
}

/* Characters; near enough for names and sentences. */
static size_t
width_of(const char *s)
{
	size_t width = 0;

	assert(s != NULL);
	for (; *s != '\0'; s++)
		width += (*s & 0xc0) != 0x80;
	return width;
}

static bool
is_wrapped(const struct layout *layout, size_t column)
{
	return layout->limit > 0 &&
	       (layout->columns[column].flags & TABLE_WRAP) != 0;
}

/* What all columns but the wrapped one take, gaps included. */
static size_t
total_width(const struct layout *layout)
{
	size_t total = GAP * (layout->count - 1);

	for (size_t i = 0; i < layout->count; i++)
		total += is_wrapped(layout, i) ? 0 : layout->widths[i];
	return total;
}

/* ---- what the library is told ---- */

static void
add_column(struct libscols_table *scols, struct layout *layout)
{
	const struct out_table_column *column = &layout->columns[layout->count];
	struct libscols_column *made;
	int flags = 0;

	assert(layout->count < TABLE_COLUMNS_MAX);
	if ((column->flags & TABLE_RIGHT) != 0)
		flags |= SCOLS_FL_RIGHT;
	if ((column->flags & TABLE_CUT) != 0 && layout->limit > 0)
		flags |= SCOLS_FL_TRUNC;
	if (is_wrapped(layout, layout->count))
		flags |= SCOLS_FL_WRAP;
	made = scols_table_new_column(scols, column->name, 0, flags);
	need(made == NULL);
	if ((flags & SCOLS_FL_WRAP) != 0)
		need(scols_column_set_wrapfunc(made, scols_wrapnl_chunksize,
		    scols_wrapnl_nextchunk, NULL));
	layout->widths[layout->count++] = width_of(column->name);
}

static struct libscols_table *
new_table(const struct out_text *text, struct layout *layout, FILE *out)
{
	struct libscols_table *scols = scols_new_table();

	need(scols == NULL);
	need(scols_table_enable_noencoding(scols, 1));
	need(scols_table_enable_colors(scols, text->colour));
	need(scols_table_enable_ascii(scols, !text->utf8));
	need(scols_table_set_stream(scols, out));
	/* Without a terminal nothing is cut: the reader may be a program. */
	need(scols_table_set_termforce(scols, layout->limit > 0
						  ? SCOLS_TERMFORCE_ALWAYS
						  : SCOLS_TERMFORCE_NEVER));
	if (layout->limit > 0)
		need(scols_table_set_termwidth(scols, layout->limit));
	while (layout->columns[layout->count].name != NULL)
		add_column(scols, layout);
	return scols;
}

/* Octets of the first characters, at most `width` of them. */
static size_t
octets_of(const char *s, size_t width)
{
	size_t n = 0;

	while (s[n] != '\0' && (width > 0 || (s[n] & 0xc0) == 0x80))
		width -= (s[n++] & 0xc0) != 0x80;
	return n;
}

static void
add_line(struct libscols_table *scols, struct layout *layout,
    const struct out_table_row *row)
{
	struct libscols_line *line = scols_table_new_line(scols, NULL);

	need(line == NULL);
	for (size_t i = 0; i < layout->count; i++) {
		size_t most = layout->columns[i].most, width;
		char *text = jw_strdup(row->cells[i]);

		if (most > 0)
			text[octets_of(text, most)] = '\0';
		width = width_of(text);
		if (width > layout->widths[i])
			layout->widths[i] = width;
		need(scols_line_refer_data(line, i, text));
		need(scols_cell_set_color(
		    scols_line_get_cell(line, i), row->colours[i]));
	}
}

/* ---- words that go on in the next line ---- */

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

static void
wrap(struct libscols_table *scols, const struct layout *layout, size_t column)
{
	size_t used = total_width(layout), room = WRAP_LEAST;
	size_t lines = scols_table_get_nlines(scols);

	if (used + WRAP_LEAST < layout->limit)
		room = layout->limit - used;
	for (size_t i = 0; i < lines; i++) {
		struct libscols_line *line = scols_table_get_line(scols, i);
		char *copy = jw_strdup(
		    scols_cell_get_data(scols_line_get_cell(line, column)));

		break_lines(copy, room);
		need(scols_line_refer_data(line, column, copy));
	}
}

enum jw_err
out_table_print(const struct out_text *text, const struct out_table *table,
    FILE *out, struct jw_why *why)
{
	struct layout layout = {
	    .columns = table->columns, .limit = (size_t)text->width};
	struct libscols_table *scols = new_table(text, &layout, out);
	enum jw_err err = JW_OK;

	for (size_t i = 0; i < table->count && err == JW_OK; i++) {
		struct out_table_row row = {{NULL}, {NULL}, {{0}}};

		err = table->row(text, table->rows, i, &row, why);
		if (err == JW_OK)
			add_line(scols, &layout, &row);
	}
	if (err == JW_OK && table->count > 0) {
		if (is_wrapped(&layout, layout.count - 1))
			wrap(scols, &layout, layout.count - 1);
		/* Narrow gaps first, before a cell loses its end. */
		need(scols_table_set_column_separator(scols,
		    layout.limit > 0 && total_width(&layout) > layout.limit
			? " "
			: "  "));
		need(scols_print_table(scols));
	}
	scols_unref_table(scols);
	return err;
}

const char *
out_table_number(long long number, char buf[TABLE_CELL_SIZE])
{
	if (number < 0)
		return "-";
	snprintf(buf, TABLE_CELL_SIZE, "%lld", number);
	return buf;
}
