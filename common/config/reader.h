/*
 * The lines of a configuration file: "[section]", "name = value", and comments
 * that begin with # or ;.  A line has any length, is indented as one likes and
 * continues no other.
 */
#ifndef JWKSD_COMMON_CONFIG_READER_H
#define JWKSD_COMMON_CONFIG_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct jw_config_reader {
	char *at;
	char *end;
	int line; /* the number of the last line that was read; 0: none */
};

struct jw_config_line {
	char *section; /* of a section's line, else NULL */
	char *name;    /* of an assignment, else NULL */
	char *value;
	bool is_section; /* also a mistaken one */
};

/* text has room for a NUL behind its len octets; lines are cut in place. */
void jw_config_reader_init(
    struct jw_config_reader *ret_reader, char *text, size_t len);

/*
 * The next line that is neither empty nor a comment; false: there is none.
 * For a mistake section and name are NULL, and why has its words.
 */
bool jw_config_reader_next(struct jw_config_reader *reader,
    struct jw_config_line *ret_line, struct jw_why *why);

#endif
