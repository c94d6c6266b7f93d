/*
 * watch: follow the changes, one line each.
 *
 * Lines are flushed as they come.  Ends with 0 when interrupted or when nobody
 * reads any more; a daemon that goes away is an error, for scripts that wait.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/base/duration.h"
#include "ctl/call/context.h"
#include "ctl/commands/commands.h"
#include "ctl/call/request.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

/* Now: a reply does not say when, but comes at once. */
static void
put_time(const struct ctl *ctl)
{
	char when[JW_TIME_SIZE];
	int64_t now = out_text_clock();

	if (ctl->text.times == TEXT_UNIX)
		printf("%" PRId64, now);
	else
		fputs(jw_time_format(now, when), stdout);
}

static enum jw_err
put_key(struct ctl *ctl, const char *event, const json_t *object)
{
	struct reply_key key;
	const char *colour;
	enum jw_err err = reply_key(object, &key, &ctl->why);

	if (err != JW_OK)
		return err;
	if (ctl->quiet) {
		printf("%s\n", key.kid);
		return JW_OK;
	}
	colour = out_text_state_colour(&ctl->text, key.state);
	put_time(ctl);
	printf("  %-9s  %s#%" PRId64 "  %s  %s%s%s\n", event, key.key_set,
	    key.generation, key.kid, colour != NULL ? colour : "", key.state,
	    colour != NULL ? "\033[0m" : "");
	return JW_OK;
}

static enum jw_err
put_event(struct ctl *ctl, const json_t *reply)
{
	const json_t *keys, *key;
	const char *event, *key_set = NULL;
	size_t i;
	enum jw_err err = reply_name(reply, "event", &event, &ctl->why);

	if (err == JW_OK)
		err = reply_string(reply, "keySet", &key_set, &ctl->why);
	if (err == JW_OK)
		err = reply_array(reply, "keys", &keys, &ctl->why);
	if (err != JW_OK)
		return err;
	json_array_foreach (keys, i, key) {
		if (err == JW_OK)
			err = put_key(ctl, event, key);
	}
	if (err == JW_OK && json_array_size(keys) == 0 && !ctl->quiet) {
		put_time(ctl);
		if (key_set != NULL)
			printf("  %-9s  %s\n", event, key_set);
		else
			printf("  %s\n", event);
	}
	return err;
}

static bool
is_lagged(const json_t *reply)
{
	const char *event = json_string_value(json_object_get(reply, "event"));

	return event != NULL && strcmp(event, "lagged") == 0;
}

static enum jw_err
take_event(struct ctl *ctl, const struct json_t *reply, void *arg)
{
	bool *lagged = arg;
	json_t *shown;
	enum jw_err err;

	*lagged = is_lagged(reply);
	if (ctl->json)
		return call_print_json(ctl, reply);
	shown = out_visible(&ctl->text, reply);
	if (shown == NULL)
		return JW_NO_MEMORY;
	err = put_event(ctl, shown);
	json_decref(shown);
	return err == JW_OK ? call_flush(ctl) : err;
}

enum jw_err
cmd_watch(struct ctl *ctl)
{
	json_t *parameters = json_pack("{s:s*}", "keySet", call_argument(ctl));
	bool lagged = false;
	enum jw_err err;

	if (parameters == NULL)
		return JW_NO_MEMORY;
	err = call_method_stream(
	    ctl, CTL_INTERFACE "Monitor", parameters, take_event, &lagged);
	if (lagged && (err == JW_OK || err == JW_UNREACHABLE)) {
		jw_why_set(&ctl->why,
		    "changes came faster than they were read; the daemon "
		    "closed the stream");
		jw_why_hint(&ctl->why, "start again: the snapshot has it all");
		err = JW_UNREACHABLE;
	}
	json_decref(parameters);
	return err;
}
