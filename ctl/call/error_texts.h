/*
 * The daemon's errors as sentences.
 */
#ifndef JWKSD_CTL_CALL_ERROR_TEXTS_H
#define JWKSD_CTL_CALL_ERROR_TEXTS_H

#include "common/base/err.h"

struct json_t;
struct out_text;

/*
 * The value for a qualified error of a qualified method, with why (and a hint
 * where one helps) made of its parameters; a parameter that is missing reads
 * "?".  PermissionDenied has none: its hint shows what the caller has put
 * there as "group".  JW_PROTOCOL for an unknown error.
 */
enum jw_err call_explain_error(const struct out_text *text, const char *method,
    const char *error, const struct json_t *parameters, struct jw_why *why);

#endif
