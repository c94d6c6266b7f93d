/*
 * Mistakes of a configuration in words and as JSON.  A file may have any
 * number of them, of any length: a reply has the first 65, each cut short.
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
		snprintf(buf, size, "%s", mistake->message);
	else
		snprintf(buf, size, "%s:%d: %s", mistake->file, mistake->line,
		    mistake->message);
}

json_t *
settings_mistakes_text(const char *text)
{
	size_t len = strnlen(text, TEXT_MAX);
	json_t *string;

	/* Up to three octets of the last character may be left of it. */
	for (size_t cut = 0; cut < 4 && cut <= len; cut++) {
		string = json_stringn(text, len - cut);
		if (string != NULL)
			return string;
	}
	return json_string("(not UTF-8)");
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
	for (size_t i = 1; i < mistakes->count && i <= OTHERS_MAX; i++)
		json_array_append_new(others, mistake_json(&mistakes->rows[i]));
	json_object_set_new(parameters, "others", others);
	return parameters;
}
