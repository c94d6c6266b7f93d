/*
 * watch: follow the changes, one line each.
 *
 * Lines are flushed as they come.  The exit status is 0 after an interrupt and
 * when standard output has no reader any more; a daemon that goes away is an
 * error, for scripts that wait.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/duration.h"
#include "ctl/call/context.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/reply/reply.h"

/* A reply does not say when, but comes at once. */
static void
print_now(const struct ctl *ctl)
{
	char when[JW_TIME_SIZE];
	int64_t now = jw_clock_wall_s();

	if (ctl->text.times == TEXT_UNIX)
		printf("%" PRId64, now);
	else
		fputs(jw_time_format(now, when), stdout);
}

static enum jw_err
print_changed_key(struct ctl *ctl, const char *event, const json_t *object)
{
	struct reply_key key;
	char state[TEXT_STATE_SIZE];
	enum jw_err err = reply_key(object, &key, &ctl->why);

	if (err != JW_OK)
		return err;
	if (ctl->quiet) {
		printf("%s\n", key.kid);
		return JW_OK;
	}
	print_now(ctl);
	printf("  %-9s  %s#%" PRId64 "  %s  %s\n", event, key.key_set,
	    key.generation, key.kid,
	    out_text_state(&ctl->text, key.state, state));
	return JW_OK;
}

struct event {
	const char *event, *key_set; /* key_set NULL: none */
	const json_t *keys;
};

static enum jw_err
print_event(struct ctl *ctl, const struct json_t *reply)
{
	static const struct reply_member members[] = {
	    {"event", REPLY_STRING, true, offsetof(struct event, event)},
	    {"keySet", REPLY_STRING, false, offsetof(struct event, key_set)},
	    {"keys", REPLY_ARRAY, true, offsetof(struct event, keys)},
	    {NULL, REPLY_STRING, false, 0},
	};
	struct event event;
	const json_t *key;
	size_t i;
	enum jw_err err = reply_read(reply, members, &event, &ctl->why);

	if (err != JW_OK)
		return err;
	json_array_foreach (event.keys, i, key)
		if (err == JW_OK)
			err = print_changed_key(ctl, event.event, key);
	if (json_array_size(event.keys) > 0 || ctl->quiet)
		return err;
	print_now(ctl);
	if (event.key_set != NULL)
		printf("  %-9s  %s\n", event.event, event.key_set);
	else
		printf("  %s\n", event.event);
	return JW_OK;
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

	*lagged = is_lagged(reply);
	return call_print(ctl, reply, print_event);
}

enum jw_err
cmd_watch(struct ctl *ctl)
{
	json_t *parameters = json_pack("{s:s*}", "keySet", call_argument(ctl));
	bool lagged = false;
	enum jw_err err;

	if (parameters == NULL)
		return call_not_utf8(ctl);
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
