/*
 * call and introspect: the socket as it is, for any interface.
 *
 * Replies of `call` are always JSON, one on a line.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/varlink.h"
#include "ctl/call/context.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/out/fields.h"
#include "ctl/reply/reply.h"

/* ---- call ---- */

static enum jw_err
read_parameters(struct ctl *ctl, json_t **ret_parameters)
{
	const char *text =
	    ctl->arguments.count > 1 ? ctl->arguments.words[1] : "{}";
	char *input = NULL;
	size_t len = strlen(text);
	enum jw_err err = JW_OK;

	if (strcmp(text, "-") == 0)
		err = call_read_file(ctl, "-", &input, &len);
	if (err == JW_OK)
		err = call_parse_object(ctl, input != NULL ? input : text, len,
		    "the parameters", "'{\"keySet\": \"default\"}'",
		    ret_parameters);
	free(input);
	return err;
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
	err = read_parameters(ctl, &parameters);
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
print_info(struct ctl *ctl, const struct json_t *reply)
{
	static const struct out_field rows[] = {
	    {"vendor", "vendor", FIELD_STRING},
	    {"product", "product", FIELD_STRING},
	    {"version", "version", FIELD_STRING},
	    {"url", "url", FIELD_STRING},
	    {"interface", "interfaces", FIELD_STRINGS},
	    {NULL, NULL, 0},
	};

	return out_fields(&ctl->text, rows, reply, &ctl->why);
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
