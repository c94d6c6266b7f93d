/*
 * A file of key sets: one a line, NAME [PARAM=VALUE...].
 *
 * Blanks separate words, "" hold them together, # begins a comment.
 */
#ifndef JWKSD_CTL_COMMANDS_KEYSET_FILE_H
#define JWKSD_CTL_COMMANDS_KEYSET_FILE_H

#include <stddef.h>

#include "common/base/err.h"

struct json_t;

struct set_line {
	char *name;
	struct json_t *policy; /* its members are those that were given */
	long number;           /* of the line */
};

struct set_file {
	const char *path; /* as people are told: "standard input" for "-" */
	struct set_line *lines;
	size_t count, room;
	size_t mistakes;
};

/* Told of each mistake: line by line, then of names that are there twice. */
typedef void set_file_mistake_fn(
    const struct set_file *file, long number, const struct jw_why *why);

/*
 * Read a whole file ("-": standard input).  JW_USAGE with why when there is
 * a mistake in it or no key set; JW_IO with why; JW_NO_MEMORY.  Release with
 * set_file_done() whatever is returned.
 */
enum jw_err set_file_read(const char *path, set_file_mistake_fn *tell,
    struct set_file *ret_file, struct jw_why *why);
void set_file_done(struct set_file *file);

#endif
