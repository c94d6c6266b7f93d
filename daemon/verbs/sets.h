/*
 * The methods that add and remove key sets.
 */
#ifndef JWKSD_DAEMON_VERBS_SETS_H
#define JWKSD_DAEMON_VERBS_SETS_H

struct serve_call;

void verbs_add_key_set(
    struct serve_call *call, const void *request, void *context);
void verbs_remove_key_set(
    struct serve_call *call, const void *request, void *context);

#endif
