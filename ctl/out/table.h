/*
 * A table for people: aligned columns, cut or wrapped to the terminal.  The
 * only user of libsmartcols.
 */
#ifndef JWKSD_CTL_OUT_TABLE_H
#define JWKSD_CTL_OUT_TABLE_H

#include <stddef.h>

#include "common/base/err.h"

struct out_table;
struct out_text;

enum {
	TABLE_RIGHT = 1 << 0, /* numbers */
	TABLE_CUT = 1 << 1,   /* may lose its end on a narrow terminal */
	TABLE_WRAP = 1 << 2,  /* may go on in the next line */
};

struct out_table_column {
	const char *name;
	unsigned flags;
};

struct out_table_cell {
	const char *text;   /* NULL: empty */
	const char *colour; /* an escape sequence; NULL: none */
};

/*
 * columns end with name == NULL, at most 8 of them; one may wrap. JW_NO_MEMORY.
 * Release with out_table_free().
 */
enum jw_err out_table_new(const struct out_text *text,
    const struct out_table_column *columns, struct out_table **ret_table);
void out_table_free(struct out_table *table);

/* One cell for each column; copied.  Their text is fit for a terminal. */
enum jw_err out_table_add(
    struct out_table *table, const struct out_table_cell *cells);

/*
 * The whole as text with a heading; "" for a table without rows.  The caller
 * frees it.
 */
enum jw_err out_table_render(struct out_table *table, char **ret_text);

#endif
