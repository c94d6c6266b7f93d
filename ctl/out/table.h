/*
 * A table for people: aligned columns, cut or wrapped to the terminal.
 */
#ifndef JWKSD_CTL_OUT_TABLE_H
#define JWKSD_CTL_OUT_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"

struct out_table;
struct out_text;
struct json_t;

enum {
	TABLE_RIGHT = 1 << 0, /* numbers */
	TABLE_CUT = 1 << 1,   /* may lose its end on a narrow terminal */
	TABLE_WRAP = 1 << 2,  /* the last column: may go on in the next line */
};

struct out_table_column {
	const char *name;
	unsigned flags;
	size_t most; /* characters of a cell that are shown; 0: all */
};

struct out_table_cell {
	const char *text;
	const char *colour; /* an escape sequence; NULL: none */
};

/*
 * columns end with name == NULL, at most 8 of them; they stay the caller's.
 * Release with out_table_free().
 */
enum jw_err out_table_new(const struct out_text *text,
    const struct out_table_column *columns, struct out_table **ret_table);
void out_table_free(struct out_table *table);

/* One cell for each column; copied.  Their text is fit for a terminal. */
enum jw_err out_table_add(
    struct out_table *table, const struct out_table_cell *cells);

/* Print it, with a heading; nothing for a table without rows. */
void out_table_print(struct out_table *table, FILE *out);

/* Add the row of one item of a reply's array; JW_PROTOCOL with why. */
typedef enum jw_err out_table_row_fn(struct out_table *table,
    const struct out_text *text, const struct json_t *item, struct jw_why *why);

/* Print an array as a table, or (on an error) nothing. */
enum jw_err out_table_array(const struct out_text *text,
    const struct out_table_column *columns, const struct json_t *array,
    out_table_row_fn *row, FILE *out, struct jw_why *why);

#endif
