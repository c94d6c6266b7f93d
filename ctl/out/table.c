/*
 * A table for people.
 *
 * Cells are already fit for a terminal (out_visible()); nothing unchecked may
 * come here.  Without a terminal nothing is cut or wrapped: the reader may be
 * a program.
 */
#include "ctl/out/table.h"

#include <assert.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/out/text.h"

enum { COLUMNS_MAX = 8, GAP = 2, WRAP_LEAST = 16 };

struct out_table {
	const struct out_table_column *columns;
	size_t ncolumns;
	size_t widths[COLUMNS_MAX];
	size_t limit;                 /* columns of the terminal; 0: none */
	struct out_table_cell *cells; /* row after row; the texts are ours */
	size_t ncells;
};

/* Characters; near enough for names and sentences. */
static size_t
width_of(const char *s)
{
	size_t width = 0;

	for (; *s != '\0'; s++)
		width += (*s & 0xc0) != 0x80;
	return width;
}

/* Octets of the first characters, at most `width` of them. */
static size_t
octets_of(const char *s, size_t width)
{
	size_t n = 0;

	while (s[n] != '\0' && (width > 0 || (s[n] & 0xc0) == 0x80)) {
		width -= (s[n] & 0xc0) != 0x80;
		n++;
	}
	return n;
}

static void
widen(struct out_table *table, size_t column, const char *s)
{
	size_t width = width_of(s), most = table->columns[column].most;

	if (most > 0 && width > most)
		width = most;
	if (width > table->widths[column])
		table->widths[column] = width;
}

enum jw_err
out_table_new(const struct out_text *text,
    const struct out_table_column *columns, struct out_table **ret_table)
{
	struct out_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return JW_NO_MEMORY;
	table->columns = columns;
	table->limit = (size_t)text->width;
	for (; columns[table->ncolumns].name != NULL; table->ncolumns++) {
		assert(table->ncolumns < COLUMNS_MAX);
		widen(table, table->ncolumns, columns[table->ncolumns].name);
	}
	*ret_table = table;
	return JW_OK;
}

void
out_table_free(struct out_table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->ncells; i++)
		free((char *)(uintptr_t)table->cells[i].text);
	free(table->cells);
	free(table);
}

enum jw_err
out_table_add(struct out_table *table, const struct out_table_cell *cells)
{
	size_t n = table->ncells + table->ncolumns;
	struct out_table_cell *grown =
	    reallocarray(table->cells, n, sizeof(*grown));

	if (grown == NULL)
		return JW_NO_MEMORY;
	table->cells = grown;
	for (size_t i = 0; i < table->ncolumns; i++) {
		struct out_table_cell *cell = &grown[table->ncells];

		*cell = cells[i];
		cell->text = strdup(cells[i].text);
		if (cell->text == NULL)
			return JW_NO_MEMORY;
		table->ncells++;
		widen(table, i, cell->text);
	}
	return JW_OK;
}

/* ---- to the width of the terminal ---- */

static bool
is_wrapped(const struct out_table *table, size_t column)
{
	return table->limit > 0 &&
	       (table->columns[column].flags & TABLE_WRAP) != 0;
}

/* What all columns but the wrapped one take, gaps included. */
static size_t
total_width(const struct out_table *table, size_t gap)
{
	size_t total = gap * (table->ncolumns - 1);

	for (size_t i = 0; i < table->ncolumns; i++)
		total += is_wrapped(table, i) ? 0 : table->widths[i];
	return total;
}

/* One character less for the widest column that may lose its end. */
static bool
narrow(struct out_table *table)
{
	size_t *widest = NULL;

	for (size_t i = 0; i < table->ncolumns; i++)
		if ((table->columns[i].flags & TABLE_CUT) != 0 &&
		    table->widths[i] > 1 &&
		    (widest == NULL || table->widths[i] > *widest))
			widest = &table->widths[i];
	if (widest != NULL)
		*widest -= 1;
	return widest != NULL;
}

/* The gap between columns that fits; a wrapped one gets what is left. */
static size_t
fit(struct out_table *table)
{
	size_t last = table->ncolumns - 1, gap = GAP, used;
	size_t least = is_wrapped(table, last) ? WRAP_LEAST : 0;

	if (table->limit == 0)
		return gap;
	/* Narrow gaps first, before a cell loses its end. */
	if (total_width(table, gap) + least > table->limit)
		gap = 1;
	while (total_width(table, gap) + least > table->limit && narrow(table))
		continue;
	used = total_width(table, gap);
	if (least > 0)
		table->widths[last] =
		    used + least > table->limit ? least : table->limit - used;
	return gap;
}

/*
 * Octets of s that go on this line: whole words of a cell that is wrapped,
 * or the one that is too long.
 */
static size_t
line_of(const char *s, size_t width)
{
	size_t n = octets_of(s, width), end = n;

	if (s[n] == '\0')
		return n;
	while (end > 0 && s[end] != ' ')
		end--;
	return end > 0 ? end : strcspn(s, " ");
}

static void
print_padding(size_t width, FILE *out)
{
	fprintf(out, "%*s", (int)width, "");
}

static void
print_cell(const struct out_table *table, size_t column,
    const struct out_table_cell *cell, FILE *out)
{
	size_t width = table->widths[column];
	size_t n = octets_of(cell->text, width), used = width_of(cell->text);
	size_t padding = used < width ? width - used : 0;

	if (table->columns[column].flags & TABLE_RIGHT)
		print_padding(padding, out);
	fprintf(out, "%s%.*s%s", cell->colour != NULL ? cell->colour : "",
	    (int)n, cell->text, cell->colour != NULL ? "\033[0m" : "");
	if (!(table->columns[column].flags & TABLE_RIGHT) &&
	    column + 1 < table->ncolumns)
		print_padding(padding, out);
}

static void
print_wrapped(
    const struct out_table *table, const char *s, size_t indent, FILE *out)
{
	size_t width = table->widths[table->ncolumns - 1], n;

	for (; n = line_of(s, width), s[n] != '\0'; s += n + 1)
		fprintf(out, "%.*s\n%*s", (int)n, s, (int)indent, "");
	fputs(s, out);
}

static void
print_row(const struct out_table *table, const struct out_table_cell *cells,
    size_t gap, FILE *out)
{
	for (size_t i = 0; i < table->ncolumns; i++) {
		if (i > 0)
			print_padding(gap, out);
		if (is_wrapped(table, i))
			print_wrapped(
			    table, cells[i].text, total_width(table, gap), out);
		else
			print_cell(table, i, &cells[i], out);
	}
	fputc('\n', out);
}

void
out_table_print(struct out_table *table, FILE *out)
{
	struct out_table_cell heading[COLUMNS_MAX] = {{NULL, NULL}};
	size_t gap = fit(table);

	if (table->ncells == 0)
		return;
	for (size_t i = 0; i < table->ncolumns; i++)
		heading[i].text = table->columns[i].name;
	print_row(table, heading, gap, out);
	for (size_t i = 0; i < table->ncells; i += table->ncolumns)
		print_row(table, &table->cells[i], gap, out);
}

enum jw_err
out_table_array(const struct out_text *text,
    const struct out_table_column *columns, const struct json_t *array,
    out_table_row_fn *row, FILE *out, struct jw_why *why)
{
	struct out_table *table = NULL;
	const json_t *item;
	size_t i;
	enum jw_err err = out_table_new(text, columns, &table);

	json_array_foreach (array, i, item)
		if (err == JW_OK)
			err = row(table, text, item, why);
	if (err == JW_OK)
		out_table_print(table, out);
	out_table_free(table);
	return err;
}
