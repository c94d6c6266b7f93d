/*
 * Labels and names as in DNS (RFC 1035 2.3.1), and names of key sets, which
 * are made of them: APP, or APP/NAME.  APP is the first label of a host name,
 * NAME a part of a path.
 */
#ifndef JWKSD_COMMON_BASE_LABEL_H
#define JWKSD_COMMON_BASE_LABEL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum jw_label_kind {
	JW_LABEL_LOWER, /* a-z, 0-9 and inner hyphens */
	JW_LABEL_HOST,  /* also A-Z and _, which host names of requests have */
};

/* 1 to 253 octets: labels of 1 to 63 octets with a dot between each two. */
bool jw_is_host_name(const char *text, size_t len, enum jw_label_kind kind);

/* JW_INVALID_PARAMETER with why: which part, and what would be right. */
enum jw_err jw_key_set_name_check(const char *name, struct jw_why *why);

#endif
