/*
 * A file of key sets: one a line, NAME [PARAM=VALUE...].
 *
 * Blanks separate words, "" hold them together, # begins a comment.
 */
#ifndef JWKSD_CTL_COMMANDS_KEYSET_FILE_H
#define JWKSD_CTL_COMMANDS_KEYSET_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

struct json_t;

struct cmd_keyset_line {
	char *name;
	struct json_t *policy; /* its members are those that were given */
	long number;           /* of the line */
	int state;             /* the caller's own, as are these: */
	bool seen;
};

struct cmd_keyset_file {
	const char *path; /* for messages: "standard input" for "-" */
	struct cmd_keyset_line *lines;
	struct cmd_keyset_line **by_name;
	size_t count, room;
	size_t mistakes;
};

/* Write "FILE:LINE: text (hint)" to standard error. */
void cmd_keyset_file_report(const struct cmd_keyset_file *file, long number,
    bool utf8, const struct jw_why *why);

/*
 * Read a whole file ("-": standard input).  Each mistake is written to standard
 * error, line by line, then for names given twice.  JW_USAGE with why when
 * there is one or no key set; JW_IO with why.  Release with
 * cmd_keyset_file_done() whatever is returned.
 */
enum jw_err cmd_keyset_file_read(
    const char *path, struct cmd_keyset_file *ret_file, struct jw_why *why);
/* NULL: no line has that name. */
struct cmd_keyset_line *cmd_keyset_file_find(
    const struct cmd_keyset_file *file, const char *name);
void cmd_keyset_file_done(struct cmd_keyset_file *file);

#endif
