/*
 * Checks the names of key sets, for the daemon and for jwksctl alike.  What
 * passes here can stand in a host name, a path and a log line as it is.
 */
#include "common/base/label.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { LABEL_MAX = 63 };

static bool
is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* What is wrong with a label; NULL: nothing. */
static const char *
label_fault(const char *label, size_t len)
{
	if (len == 0)
		return "is empty";
	if (len > LABEL_MAX)
		return "is longer than 63 characters";
	for (size_t i = 0; i < len; i++)
		if (!is_label_char(label[i]))
			return "may have only a-z, 0-9 and '-'";
	if (label[0] == '-' || label[len - 1] == '-')
		return "may not begin or end with '-'";
	return NULL;
}

enum jw_err
jw_key_set_name_check(const char *name, struct jw_why *why)
{
	const char *slash = strchr(name, '/');
	size_t len = slash == NULL ? strlen(name) : (size_t)(slash - name);
	const char *part = "APP", *fault = label_fault(name, len);

	if (fault == NULL && slash != NULL) {
		part = "NAME";
		fault = label_fault(slash + 1, strlen(slash + 1));
	}
	if (fault == NULL)
		return JW_OK;
	jw_why_set(
	    why, "a key set is named APP or APP/NAME: %s %s", part, fault);
	return JW_INVALID_PARAMETER;
}
