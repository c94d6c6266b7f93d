/*
 * How far a long command has come: one line on standard error, written over
 * again and again.  Nothing is written unless that is a terminal.
 */
#ifndef JWKSD_CTL_OUT_PROGRESS_H
#define JWKSD_CTL_OUT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out_progress {
	bool on;
	int shown; /* columns of the line that is written; 0: none */
	size_t total;
	const char *counted; /* "key sets" */
	int64_t started_ms, shown_ms;
};

/* `counted` stays the caller's. */
void out_progress_begin(struct out_progress *ret_progress, size_t total,
    const char *counted, bool quiet);

/* At most ten times a second. */
void out_progress_show(struct out_progress *progress, size_t done);

/* Before anything else is written to standard error; and at the end. */
void out_progress_clear(struct out_progress *progress);

#endif
