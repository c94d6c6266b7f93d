/*
 * Memory for libraries that ignore a failed allocation: they would then leave
 * a part out of a reply, a request or a document without an error.  The process
 * exits instead, and is started again by its supervisor.
 */
#ifndef JWKSD_COMMON_BASE_MEMORY_H
#define JWKSD_COMMON_BASE_MEMORY_H

#include <stddef.h>

/* Jansson gets its memory here from now on; called once, before it is used. */
void varlink_json_init(void);

/*
 * As malloc(3) and realloc(3), to be freed with free(3), but they never fail:
 * without memory one line is written to standard error and the process exits
 * with the status of JW_NO_MEMORY, at once and without any handler.  Safe in
 * every thread.
 */
void *jw_alloc(size_t size);
void *jw_realloc(void *old, size_t size);
/* Filled with zeros. */
void *jw_zalloc(size_t size);
/* The same for strdup(3); s may be NULL, which comes back. */
char *jw_strdup(const char *s);
/* The same for asprintf(3). */
char *jw_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For memory that something else did not get; size 0: it does not say how
 * much. */
void jw_out_of_memory(size_t size) __attribute__((noreturn));

#endif
