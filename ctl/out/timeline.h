/*
 * Keys and coming changes as tables.
 */
#ifndef JWKSD_CTL_OUT_TIMELINE_H
#define JWKSD_CTL_OUT_TIMELINE_H

#include <stdbool.h>
#include <stdio.h>

#include "common/base/err.h"

struct json_t;
struct reply_change;
struct out_text;

/*
 * Print arrays of Key and of Change, fit for a terminal.  JW_PROTOCOL with why
 * for one that is none, and nothing is printed.
 */
enum jw_err out_timeline_keys(const struct out_text *text,
    const struct json_t *keys, bool whole_kids, FILE *out, struct jw_why *why);
enum jw_err out_timeline_changes(const struct out_text *text,
    const struct json_t *changes, FILE *out, struct jw_why *why);

enum { TIMELINE_STEP_SIZE = 64 };

/* "published -> ready", "new -> pending"; returns buf. */
char *out_timeline_step(
    const struct out_text *text, const struct reply_change *change, char *buf);

#endif
