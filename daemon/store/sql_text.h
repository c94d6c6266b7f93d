/*
 * The migrations of sql/, embedded at build: rows in the order of their
 * numbers, the last one with text == NULL.
 */
#ifndef JWKSD_DAEMON_STORE_SQL_TEXT_H
#define JWKSD_DAEMON_STORE_SQL_TEXT_H

struct store_sql_text {
	int number;
	const char *name; /* "001-initial" */
	const char *text;
};

extern const struct store_sql_text sql_texts[];

#endif
