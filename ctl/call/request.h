/*
 * Requests to the daemon, and their replies or the reason for none.
 *
 * `method` is qualified.  parameters may be NULL and stay the caller's; a reply
 * is the caller's to json_decref().  With --json an error of the daemon is
 * printed on standard output as {"error": …, "parameters": …}.  Blocks; each
 * reply may take CLIENT_PATIENCE_MS.
 */
#ifndef JWKSD_CTL_CALL_REQUEST_H
#define JWKSD_CTL_CALL_REQUEST_H

#include <stdbool.h>

#include "common/base/err.h"

struct ctl;
struct json_t;

struct varlink_reply;

/*
 * call_explain_error() of an error that came from ctl->socket, into ctl->why;
 * call_report() prints it with --json as well.
 */
enum jw_err call_explain(
    struct ctl *ctl, const char *method, const struct varlink_reply *reply);
enum jw_err call_report(
    struct ctl *ctl, const char *method, const struct varlink_reply *reply);

enum jw_err call_method(struct ctl *ctl, const char *method,
    const struct json_t *parameters, struct json_t **ret_reply);

/*
 * The same for a request that carries requestId: when the connection breaks or
 * the daemon does not know the outcome, it is repeated a few times within
 * CLIENT_PATIENCE_MS.  JW_OUTCOME_UNKNOWN when that did not help: then the
 * caller hints how to repeat it.
 */
enum jw_err call_method_surely(struct ctl *ctl, const char *method,
    const struct json_t *parameters, struct json_t **ret_reply);

/*
 * A list that may come in several replies (called with `more`): one reply
 * whose array `list` has the items of all.
 */
enum jw_err call_method_all(struct ctl *ctl, const char *method,
    const struct json_t *parameters, const char *list,
    struct json_t **ret_reply);

/*
 * Each reply of a stream is handed to fn, which returns JW_OK to go on.  JW_OK
 * after the last reply, on SIGINT or SIGTERM, and when standard output has no
 * reader any more; JW_UNREACHABLE when the daemon hangs up.
 */
typedef enum jw_err call_reply_fn(
    struct ctl *ctl, const struct json_t *reply, void *arg);
enum jw_err call_method_stream(struct ctl *ctl, const char *method,
    const struct json_t *parameters, call_reply_fn *fn, void *arg);

/*
 * The same for a stream with a last reply, and CLIENT_PATIENCE_MS for each;
 * signals do what they always do.
 */
enum jw_err call_method_each(struct ctl *ctl, const char *method,
    const struct json_t *parameters, call_reply_fn *fn, void *arg);

/*
 * Print a reply: with --json as it came, else by print(), which gets a copy
 * whose strings are fit for a terminal.  Flushes standard output.
 */
typedef enum jw_err call_print_fn(struct ctl *ctl, const struct json_t *reply);
enum jw_err call_print(
    struct ctl *ctl, const struct json_t *reply, call_print_fn *print);

/*
 * Ask, and print the reply.  `list` is as for call_method_all(); NULL: the
 * reply comes at once.  take_parameters NULL means that json_pack() failed,
 * because an argument is not UTF-8: JW_USAGE.
 */
enum jw_err call_query(struct ctl *ctl, const char *method,
    struct json_t *take_parameters, const char *list, call_print_fn *print);

#endif
