/*
 * A table for people: aligned columns, cut or wrapped to the terminal.  The
 * only user of libsmartcols.
 */
#ifndef JWKSD_CTL_OUT_TABLE_H
#define JWKSD_CTL_OUT_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"

struct out_text;

enum {
	TABLE_RIGHT = 1 << 0, /* numbers */
	TABLE_CUT = 1 << 1,   /* may lose its end on a narrow terminal */
	TABLE_WRAP = 1 << 2,  /* the last column: may go on in the next line */
};

enum { TABLE_COLUMNS_MAX = 8, TABLE_CELL_SIZE = 128 };

struct out_table_column {
	const char *name;
	unsigned flags;
	size_t most; /* characters of a cell that are shown; 0: all */
};

/* The texts are fit for a terminal. */
struct out_table_row {
	const char *cells[TABLE_COLUMNS_MAX];
	const char *colours[TABLE_COLUMNS_MAX]; /* NULL: none */
	/* Room for texts that are made for the row. */
	char made[TABLE_COLUMNS_MAX][TABLE_CELL_SIZE];
};

/*
 * Fill the row of that index; ret_row is zeroes.  JW_PROTOCOL with why.
 */
typedef enum jw_err out_table_row_fn(const struct out_text *text,
    const void *rows, size_t index, struct out_table_row *ret_row,
    struct jw_why *why);

struct out_table {
	const struct out_table_column *columns; /* end with name == NULL */
	const void *rows;
	size_t count;
	out_table_row_fn *row;
};

/*
 * Print a table with its heading; nothing when it has no row, or when a row
 * has an error.
 */
enum jw_err out_table_print(const struct out_text *text,
    const struct out_table *table, FILE *out, struct jw_why *why);

/* "-" for a number below 0, else made in buf. */
const char *out_table_number(long long number, char buf[TABLE_CELL_SIZE]);

#endif
