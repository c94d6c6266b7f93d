/*
 * Mistakes of a configuration in words and as JSON.  A file may have any
 * number of them, of any length: a reply takes some.
 */
#include "daemon/settings/mistakes.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/config/config.h"

enum { OTHERS_MAX = 64, TEXT_MAX = 512 };

void
settings_mistakes_format(
    const struct jw_config_error *mistake, char *buf, size_t size)
{
	if (mistake->line == 0 && mistake->file[0] == '\0')
		(void)snprintf(buf, size, "%s", mistake->message);
	else
		(void)snprintf(buf, size, "%s:%d: %s", mistake->file,
		    mistake->line, mistake->message);
}

json_t *
settings_mistakes_text(const char *text)
{
	size_t len = strnlen(text, TEXT_MAX);
	json_t *string;

	/* At most three octets of a character that was cut. */
	for (size_t cut = 0; cut < 4 && cut <= len; cut++) {
		string = json_stringn(text, len - cut);
		if (string != NULL)
			return string;
	}
	return json_string("(no UTF-8)");
}

static json_t *
mistake_json(const struct jw_config_error *mistake)
{
	return json_pack("{s:o, s:i, s:o}", "file",
	    settings_mistakes_text(mistake->file), "line", mistake->line,
	    "message", settings_mistakes_text(mistake->message));
}

json_t *
settings_mistakes_json(const struct jw_config_errors *mistakes)
{
	json_t *parameters, *others;

	if (mistakes->count == 0)
		return NULL;
	parameters = mistake_json(&mistakes->rows[0]);
	if (mistakes->count == 1)
		return parameters;
	others = json_array();
	for (size_t i = 1; i < mistakes->count && i <= OTHERS_MAX; i++) {
		if (json_array_append_new(
			others, mistake_json(&mistakes->rows[i])) != 0)
			break;
	}
	if (json_object_set_new(parameters, "others", others) != 0) {
		json_decref(parameters);
		return NULL;
	}
	return parameters;
}
