/*
 * What the commands share: one request to the daemon, and what is around it.
 * Here: the command line, how to print for people, and why something failed.
 */
#ifndef JWKSD_CTL_CALL_CONTEXT_H
#define JWKSD_CTL_CALL_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "ctl/out/text.h"

#define CTL_INTERFACE "org.jwksd.keys."

struct json_t;

enum {
	CALL_ARGUMENTS_MAX = 20, /* of a command */
	CALL_WORDS_MAX = 24,     /* with its name and one too many */
	CALL_OPTIONS_MAX = 32,
};

/* The command line; the strings are those of main()'s argv. */
struct call_arguments {
	const char *words[CALL_WORDS_MAX]; /* those that are no option */
	size_t count;
	struct {
		const char *name;
		const char *value; /* "" for a flag */
	} options[CALL_OPTIONS_MAX];
	size_t noptions;
};

struct ctl {
	struct call_arguments arguments;
	struct out_text text;
	const char *socket;
	bool json, quiet, yes;
	bool declined;    /* the operator said no: exit 1, nothing was done */
	bool reader_gone; /* standard output is a pipe without a reader */
	struct jw_why why;
};

/* The first argument, or NULL. */
const char *call_argument(const struct ctl *ctl);
/* The value of an option, "" for a flag; NULL when it was not given. */
const char *call_option(const struct ctl *ctl, const char *name);
bool call_flag(const struct ctl *ctl, const char *name);
/* For json_pack()'s "o*": true, or NULL. */
struct json_t *call_flag_json(const struct ctl *ctl, const char *name);

/* JW_USAGE with ctl->why: json_pack() failed, an argument is not UTF-8. */
enum jw_err call_not_utf8(struct ctl *ctl);

/* Write a value on one line of standard output, and flush it. */
enum jw_err call_print_json(struct ctl *ctl, const struct json_t *value);

/*
 * The value of a time option in seconds since the epoch; *ret_when stays as it
 * was without that option.  JW_USAGE with ctl->why, also for a time that is
 * over.
 */
enum jw_err call_coming_time(
    struct ctl *ctl, const char *name, int64_t *ret_when);

/*
 * Read a file ("-": standard input), at most as much as a message holds, with
 * a NUL behind it; the caller frees *ret_text in any case.  JW_IO with
 * ctl->why.
 */
enum jw_err call_read_file(
    struct ctl *ctl, const char *path, char **ret_text, size_t *ret_len);

/*
 * Parse a JSON object; the caller drops it.  JW_USAGE with ctl->why, which
 * calls it by its name ("the claims") and shows an example.
 */
enum jw_err call_parse_object(struct ctl *ctl, const char *text, size_t len,
    const char *name, const char *example, struct json_t **ret_object);

/*
 * Between these a failed request leaves no trace: neither in ctl->why, nor (as
 * without --json) on standard output.
 */
struct call_quiet {
	bool json;
	struct jw_why why;
};
struct call_quiet call_quiet_begin(struct ctl *ctl);
void call_quiet_end(struct ctl *ctl, const struct call_quiet *quiet);

/*
 * Flush standard output.  JW_IO with ctl->why when it failed; a pipe without a
 * reader also sets ctl->reader_gone: then the program exits without a message.
 */
enum jw_err call_flush(struct ctl *ctl);

#endif
