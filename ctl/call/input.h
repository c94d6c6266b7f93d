/*
 * Files and JSON objects that an operator gives.
 */
#ifndef JWKSD_CTL_CALL_INPUT_H
#define JWKSD_CTL_CALL_INPUT_H

#include <stddef.h>

#include "common/base/err.h"

struct ctl;
struct json_t;

/*
 * Read a file ("-": standard input), at most as much as a message holds, with
 * a NUL behind it; the caller frees it.  JW_IO with ctl->why.
 */
enum jw_err call_read_file(
    struct ctl *ctl, const char *path, char **ret_text, size_t *ret_len);

/*
 * Parse a JSON object; the caller drops it.  JW_USAGE with ctl->why, which
 * calls it by its name ("the claims") and shows an example.
 */
enum jw_err call_parse_object(struct ctl *ctl, const char *text, size_t len,
    const char *name, const char *example, struct json_t **ret_object);

#endif
