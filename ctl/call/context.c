/*
 * What every command is handed: the command line, checked output and input.
 */
#include "ctl/call/context.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/duration.h"
#include "common/base/memory.h"
#include "common/wire/varlink.h"

const char *
call_argument(const struct ctl *ctl)
{
	return ctl->arguments.count > 0 ? ctl->arguments.words[0] : NULL;
}

const char *
call_option(const struct ctl *ctl, const char *name)
{
	for (size_t i = 0; i < ctl->arguments.noptions; i++)
		if (strcmp(ctl->arguments.options[i].name, name) == 0)
			return ctl->arguments.options[i].value;
	return NULL;
}

bool
call_flag(const struct ctl *ctl, const char *name)
{
	return call_option(ctl, name) != NULL;
}

struct json_t *
call_flag_json(const struct ctl *ctl, const char *name)
{
	return call_flag(ctl, name) ? json_true() : NULL;
}

enum jw_err
call_not_utf8(struct ctl *ctl)
{
	jw_why_set(&ctl->why, "an argument is not UTF-8");
	return JW_USAGE;
}

enum jw_err
call_print_json(struct ctl *ctl, const struct json_t *value)
{
	size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;

	/* Control characters would steer a terminal. */
	if (isatty(STDOUT_FILENO))
		flags |= JSON_ENSURE_ASCII;
	if (json_dumpf(value, stdout, flags) == 0)
		putchar('\n');
	return call_flush(ctl);
}

enum jw_err
call_coming_time(struct ctl *ctl, const char *name, int64_t *ret_when)
{
	const char *value = call_option(ctl, name);
	struct jw_why why = {"", ""};
	int64_t when;

	if (value == NULL)
		return JW_OK;
	if (jw_time_parse(value, ctl->text.now, &when, &why) != JW_OK) {
		jw_why_set(&ctl->why, "--%s: %s", name, why.text);
		jw_why_hint(&ctl->why, "%s", why.hint);
		return JW_USAGE;
	}
	if (when < ctl->text.now) {
		jw_why_set(&ctl->why, "--%s: %s is over", name, value);
		jw_why_hint(&ctl->why,
		    "name a time to come, such as +2h or \"tomorrow 09:00\"; "
		    "`date` shows the time now");
		return JW_USAGE;
	}
	*ret_when = when;
	return JW_OK;
}

struct call_quiet
call_quiet_begin(struct ctl *ctl)
{
	struct call_quiet quiet = {.json = ctl->json, .why = ctl->why};

	ctl->json = false;
	return quiet;
}

void
call_quiet_end(struct ctl *ctl, const struct call_quiet *quiet)
{
	ctl->json = quiet->json;
	ctl->why = quiet->why;
}

enum jw_err
call_flush(struct ctl *ctl)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return JW_OK;
	ctl->reader_gone = errno == EPIPE;
	jw_why_set(
	    &ctl->why, "cannot write to standard output: %s", strerror(errno));
	return JW_IO;
}

/* ---- input ---- */

enum jw_err
call_read_file(
    struct ctl *ctl, const char *path, char **ret_text, size_t *ret_len)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	char *text = NULL;
	enum jw_err err = JW_OK;

	if (file != NULL) {
		text = jw_zalloc(VARLINK_MESSAGE_MAX + 1);
		*ret_len = fread(text, 1, VARLINK_MESSAGE_MAX, file);
	}
	if (file == NULL || ferror(file)) {
		jw_why_set(&ctl->why, "cannot read %s: %s",
		    is_stdin ? "standard input" : path, strerror(errno));
		err = JW_IO;
	}
	if (file != NULL && !is_stdin)
		fclose(file);
	*ret_text = text;
	return err;
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
