/*
 * Writes refused calls to the audit: those of methods that change something,
 * whatever the error, and those that the caller may not make.
 *
 * They are collected in memory (refusals.h), and a timer writes them once a
 * second: no call waits for the disk.  While it is full none is written.
 */
#ifndef JWKSD_DAEMON_VERBS_REFUSED_H
#define JWKSD_DAEMON_VERBS_REFUSED_H

#include "common/base/err.h"

struct serve_call;
struct event_base;
struct keeper;
struct verbs_refused;

/* keeper outlives it. */
enum jw_err verbs_refused_new(struct event_base *base, struct keeper *keeper,
    struct verbs_refused **ret_refused);
/* Writes the calls that are left; NULL is fine. */
void verbs_refused_free(struct verbs_refused *refused);

/* A serve_refused_fn; refused is a struct verbs_refused. */
void verbs_refused_note(
    const struct serve_call *call, const char *error, void *refused);

#endif
