/*
 * Who may sign for which key set: [access] sign_rules, with the groups looked
 * up.  Without rules, each client that the socket admits may sign for all.
 */
#ifndef JWKSD_DAEMON_VERBS_RIGHTS_H
#define JWKSD_DAEMON_VERBS_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/base/err.h"

struct verbs_rights;

/*
 * rules is what the configuration has accepted: words GROUP:KEYSET, where a
 * star ends a KEYSET that stands for several; NULL: no rules.  JW_BAD_CONFIG
 * with why for a group that does not exist.
 */
enum jw_err verbs_rights_new(
    const char *rules, struct verbs_rights **ret_rights, struct jw_why *why);
void verbs_rights_free(struct verbs_rights *rights);

/* is_member: does the client belong to the group? */
typedef bool verbs_rights_member_fn(gid_t group, void *arg);
bool verbs_rights_allow(const struct verbs_rights *rights, const char *key_set,
    verbs_rights_member_fn *is_member, void *arg);

#endif
