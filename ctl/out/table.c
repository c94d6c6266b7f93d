/*
 * A table for people.
 *
 * Rows are made twice: first for the widths of the columns, then to be
 * printed.  Without a terminal nothing is cut or wrapped: the reader may be a
 * program.
 */
#include "ctl/out/table.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "ctl/out/text.h"

enum { GAP = 2, WRAP_LEAST = 16 };

struct layout {
	const struct out_table_column *columns;
	size_t count;
	size_t widths[TABLE_COLUMNS_MAX];
	size_t gap;
	size_t limit; /* columns of the terminal; 0: none */
};

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

/* Octets of the first characters, at most `width` of them. */
static size_t
octets_of(const char *s, size_t width)
{
	size_t n = 0;

	while (s[n] != '\0' && (width > 0 || (s[n] & 0xc0) == 0x80))
		width -= (s[n++] & 0xc0) != 0x80;
	return n;
}

/* ---- widths ---- */

static void
widen(struct layout *layout, const char *const *cells)
{
	for (size_t i = 0; i < layout->count; i++) {
		size_t width = width_of(cells[i]);
		size_t most = layout->columns[i].most;

		if (most > 0 && width > most)
			width = most;
		if (width > layout->widths[i])
			layout->widths[i] = width;
	}
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
	size_t total = layout->gap * (layout->count - 1);

	for (size_t i = 0; i < layout->count; i++)
		total += is_wrapped(layout, i) ? 0 : layout->widths[i];
	return total;
}

/* One character less for the widest column that may lose its end. */
static bool
narrow(struct layout *layout)
{
	size_t *widest = NULL;

	for (size_t i = 0; i < layout->count; i++)
		if ((layout->columns[i].flags & TABLE_CUT) != 0 &&
		    layout->widths[i] > 1 &&
		    (widest == NULL || layout->widths[i] > *widest))
			widest = &layout->widths[i];
	if (widest != NULL)
		*widest -= 1;
	return widest != NULL;
}

/* Narrow gaps first, before a cell loses its end. */
static void
fit(struct layout *layout)
{
	size_t last = layout->count - 1;
	size_t least = is_wrapped(layout, last) ? WRAP_LEAST : 0, used;

	if (layout->limit == 0)
		return;
	if (total_width(layout) + least > layout->limit)
		layout->gap = 1;
	while (total_width(layout) + least > layout->limit && narrow(layout))
		continue;
	used = total_width(layout);
	if (least > 0)
		layout->widths[last] =
		    used + least > layout->limit ? least : layout->limit - used;
}

/* ---- lines ---- */

static void
print_blanks(size_t count, FILE *out)
{
	fprintf(out, "%*s", (int)count, "");
}

static void
print_cell(const struct layout *layout, size_t column, const char *cell,
    const char *colour, FILE *out)
{
	size_t width = layout->widths[column], used = width_of(cell);
	size_t blanks = used < width ? width - used : 0;
	bool right = (layout->columns[column].flags & TABLE_RIGHT) != 0;

	print_blanks(right ? blanks : 0, out);
	fprintf(out, "%s%.*s%s", colour != NULL ? colour : "",
	    (int)octets_of(cell, width), cell, colour != NULL ? "\033[0m" : "");
	if (!right && column + 1 < layout->count)
		print_blanks(blanks, out);
}

/* Whole words on each line, but for one that is longer than a line. */
static void
print_wrapped(const struct layout *layout, const char *s, FILE *out)
{
	size_t width = layout->widths[layout->count - 1];

	while (width_of(s) > width) {
		size_t n = octets_of(s, width);

		while (n > 0 && s[n] != ' ')
			n--;
		if (n == 0)
			n = strcspn(s, " ");
		if (s[n] == '\0')
			break;
		fprintf(out, "%.*s\n", (int)n, s);
		print_blanks(total_width(layout), out);
		s += n + 1;
	}
	fputs(s, out);
}

static void
print_line(
    const struct layout *layout, const struct out_table_row *row, FILE *out)
{
	for (size_t i = 0; i < layout->count; i++) {
		print_blanks(i > 0 ? layout->gap : 0, out);
		if (is_wrapped(layout, i))
			print_wrapped(layout, row->cells[i], out);
		else
			print_cell(
			    layout, i, row->cells[i], row->colours[i], out);
	}
	fputc('\n', out);
}

enum jw_err
out_table_print(const struct out_text *text, const struct out_table *table,
    FILE *out, struct jw_why *why)
{
	struct layout layout = {
	    .columns = table->columns,
	    .gap = GAP,
	    .limit = (size_t)text->width,
	};
	struct out_table_row heading = {{NULL}, {NULL}, {{0}}}, row;
	enum jw_err err = JW_OK;

	for (; table->columns[layout.count].name != NULL; layout.count++) {
		assert(layout.count < TABLE_COLUMNS_MAX);
		heading.cells[layout.count] = table->columns[layout.count].name;
	}
	widen(&layout, heading.cells);
	for (size_t i = 0; i < table->count && err == JW_OK; i++) {
		memset(&row, 0, sizeof(row));
		err = table->row(text, table->rows, i, &row, why);
		if (err == JW_OK)
			widen(&layout, row.cells);
	}
	if (err != JW_OK || table->count == 0)
		return err;
	fit(&layout);
	print_line(&layout, &heading, out);
	for (size_t i = 0; i < table->count && err == JW_OK; i++) {
		memset(&row, 0, sizeof(row));
		err = table->row(text, table->rows, i, &row, why);
		if (err == JW_OK)
			print_line(&layout, &row, out);
	}
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
