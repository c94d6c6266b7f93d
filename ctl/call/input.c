/*
 * Files and JSON objects that an operator gives.
 */
#include "ctl/call/input.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/varlink.h"
#include "ctl/call/context.h"

enum jw_err
call_read_file(
    struct ctl *ctl, const char *path, char **ret_text, size_t *ret_len)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	char *text = malloc(VARLINK_MESSAGE_MAX + 1);
	enum jw_err err = text != NULL ? JW_OK : JW_NO_MEMORY;

	if (err == JW_OK && file != NULL)
		*ret_len = fread(text, 1, VARLINK_MESSAGE_MAX, file);
	if (err == JW_OK && (file == NULL || ferror(file))) {
		jw_why_set(&ctl->why, "cannot read %s: %s",
		    is_stdin ? "standard input" : path, strerror(errno));
		err = JW_IO;
	}
	if (file != NULL && !is_stdin)
		fclose(file);
	if (err != JW_OK) {
		free(text);
		return err;
	}
	text[*ret_len] = '\0';
	*ret_text = text;
	return JW_OK;
}

enum jw_err
call_parse_object(struct ctl *ctl, const char *text, size_t len,
    const char *name, const char *example, struct json_t **ret_object)
{
	json_error_t error = {.text = ""};
	json_t *value = json_loadb(
	    text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

	if (json_is_object(value)) {
		*ret_object = value;
		return JW_OK;
	}
	json_decref(value);
	jw_why_set(&ctl->why, "%s are not a JSON object: %s", name,
	    error.text[0] != '\0' ? error.text : "some other value");
	jw_why_hint(&ctl->why, "like %s", example);
	return JW_USAGE;
}
