/*
 * Labels, host names and names of key sets, for the programs alike.  A name
 * that passes the check of key sets can be a part of a host name, a path and
 * a log line as it is.
 */
#include "common/base/label.h"

#include <string.h>

enum { LABEL_MAX = 63, HOST_NAME_LENGTH_MAX = 253 };

static bool
is_label_char(char c, enum jw_label_kind kind)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       (kind == JW_LABEL_HOST && ((c >= 'A' && c <= 'Z') || c == '_'));
}

/* What is wrong with a label; NULL: nothing. */
static const char *
label_fault(const char *label, size_t len, enum jw_label_kind kind)
{
	if (len == 0)
		return "is empty";
	if (len > LABEL_MAX)
		return "is longer than 63 characters";
	for (size_t i = 0; i < len; i++)
		if (!is_label_char(label[i], kind))
			return "may have only a-z, 0-9 and '-'";
	if (label[0] == '-' || label[len - 1] == '-')
		return "may not begin or end with '-'";
	return NULL;
}

bool
jw_is_host_name(const char *text, size_t len, enum jw_label_kind kind)
{
	const char *end = text + len, *dot;

	if (len > HOST_NAME_LENGTH_MAX)
		return false;
	while ((dot = memchr(text, '.', (size_t)(end - text))) != NULL) {
		if (label_fault(text, (size_t)(dot - text), kind) != NULL)
			return false;
		text = dot + 1;
	}
	return label_fault(text, (size_t)(end - text), kind) == NULL;
}

enum jw_err
jw_key_set_name_check(const char *name, struct jw_why *why)
{
	const char *slash = strchr(name, '/');
	size_t len = slash == NULL ? strlen(name) : (size_t)(slash - name);
	const char *part = "APP";
	const char *fault = label_fault(name, len, JW_LABEL_LOWER);

	if (fault == NULL && slash != NULL) {
		part = "NAME";
		fault =
		    label_fault(slash + 1, strlen(slash + 1), JW_LABEL_LOWER);
	}
	if (fault == NULL)
		return JW_OK;
	return jw_fail(JW_INVALID_PARAMETER, why,
	    "a key set is named APP or APP/NAME: %s %s", part, fault);
}
