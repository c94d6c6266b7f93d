/*
 * call and introspect: the socket as it is, for any interface.
 *
 * Replies of `call` are always JSON, one on a line.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/wire/varlink.h"
#include "ctl/call/context.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

/* ---- call ---- */

static enum jw_err
not_an_object(struct ctl *ctl, const json_error_t *error)
{
	jw_why_set(&ctl->why, "the parameters are no JSON object: %s",
	    error->text[0] != '\0' ? error->text : "some other value");
	jw_why_hint(&ctl->why, "like '{\"keySet\": \"default\"}'");
	return JW_USAGE;
}

/* At most a message's worth; the caller frees it. */
static enum jw_err
read_stdin(struct ctl *ctl, char **ret_data, size_t *ret_len)
{
	char *data = malloc(VARLINK_MESSAGE_MAX);
	size_t len;

	if (data == NULL)
		return JW_NO_MEMORY;
	len = fread(data, 1, VARLINK_MESSAGE_MAX, stdin);
	if (ferror(stdin)) {
		jw_why_set(&ctl->why, "cannot read standard input: %s",
		    strerror(errno));
		free(data);
		return JW_IO;
	}
	*ret_data = data;
	*ret_len = len;
	return JW_OK;
}

static enum jw_err
cmd_read_parameters(struct ctl *ctl, json_t **ret_parameters)
{
	const char *text =
	    ctl->arguments.count > 1 ? ctl->arguments.words[1] : "{}";
	json_error_t error = {0};
	char *data = NULL;
	size_t len = strlen(text);
	json_t *value;
	enum jw_err err = JW_OK;

	if (strcmp(text, "-") == 0)
		err = read_stdin(ctl, &data, &len);
	if (err != JW_OK)
		return err;
	value = json_loadb(data != NULL ? data : text, len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	free(data);
	if (!json_is_object(value)) {
		json_decref(value);
		return not_an_object(ctl, &error);
	}
	*ret_parameters = value;
	return JW_OK;
}

static enum jw_err
print_one(struct ctl *ctl, const struct json_t *reply, void *arg)
{
	(void)arg;
	return call_print_json(ctl, reply);
}

static enum jw_err
call_once(struct ctl *ctl, const char *method, const json_t *parameters)
{
	json_t *reply = NULL;
	enum jw_err err = call_method(ctl, method, parameters, &reply);

	if (err == JW_OK)
		err = call_print_json(ctl, reply);
	json_decref(reply);
	return err;
}

enum jw_err
cmd_call(struct ctl *ctl)
{
	const char *name = call_argument(ctl);
	char method[VARLINK_NAME_SIZE];
	json_t *parameters = NULL;
	enum jw_err err;
	int len;

	len = snprintf(method, sizeof(method), "%s%s",
	    strchr(name, '.') == NULL ? CTL_INTERFACE : "", name);
	if (len >= (int)sizeof(method)) {
		jw_why_set(&ctl->why, "no method has such a long name");
		return JW_USAGE;
	}
	err = cmd_read_parameters(ctl, &parameters);
	if (err != JW_OK)
		return err;
	if (call_flag(ctl, "more"))
		err = call_method_stream(
		    ctl, method, parameters, print_one, NULL);
	else
		err = call_once(ctl, method, parameters);
	json_decref(parameters);
	return err;
}

/* ---- introspect ---- */

static enum jw_err
print_info(struct ctl *ctl, const json_t *info)
{
	static const char *const names[] = {
	    "vendor", "product", "version", "url"};
	const json_t *interfaces, *item;
	const char *value;
	enum jw_err err = JW_OK;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names) && err == JW_OK; i++) {
		err = reply_string(info, names[i], &value, &ctl->why);
		if (err == JW_OK && value != NULL)
			printf("%-10s %s\n", names[i], value);
	}
	if (err == JW_OK)
		err = reply_array(info, "interfaces", &interfaces, &ctl->why);
	if (err != JW_OK)
		return err;
	json_array_foreach (interfaces, i, item) {
		if (json_is_string(item))
			printf(
			    "%-10s %s\n", "interface", json_string_value(item));
	}
	return JW_OK;
}

static enum jw_err
print_description(struct ctl *ctl, const json_t *reply)
{
	unsigned flags = TEXT_LINES | (ctl->text.utf8 ? TEXT_UTF8 : 0);
	const char *text;
	char *shown;
	enum jw_err err = reply_name(reply, "description", &text, &ctl->why);

	if (err != JW_OK)
		return err;
	shown = out_text_visible(text, flags);
	if (shown == NULL)
		return JW_NO_MEMORY;
	fputs(shown, stdout);
	if (*shown != '\0' && shown[strlen(shown) - 1] != '\n')
		putchar('\n');
	free(shown);
	return call_flush(ctl);
}

/* A description keeps its lines; so it does not pass through call_print(). */
static enum jw_err
introspect_interface(struct ctl *ctl, const char *interface)
{
	json_t *parameters = json_pack("{s:s}", "interface", interface);
	json_t *reply = NULL;
	enum jw_err err;

	if (parameters == NULL)
		return call_not_utf8(ctl);
	err = call_method(ctl, "org.varlink.service.GetInterfaceDescription",
	    parameters, &reply);
	if (err == JW_OK)
		err = ctl->json ? call_print_json(ctl, reply)
				: print_description(ctl, reply);
	json_decref(reply);
	json_decref(parameters);
	return err;
}

enum jw_err
cmd_introspect(struct ctl *ctl)
{
	const char *interface = call_argument(ctl);

	if (interface != NULL)
		return introspect_interface(ctl, interface);
	return call_query(ctl, "org.varlink.service.GetInfo", json_object(),
	    NULL, print_info);
}
