/*
 * reload: the daemon reads its configuration again, all of it or nothing.
 */
#include <jansson.h>
#include <stdio.h>

#include "ctl/call/context.h"
#include "ctl/call/exposure.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/reply/reply.h"

static void
print_keys(const char *heading, const json_t *keys)
{
	const json_t *key;
	size_t i;

	if (json_array_size(keys) == 0)
		return;
	fputs(heading, stdout);
	json_array_foreach (keys, i, key)
		printf("%s %s", i > 0 ? "," : "",
		    json_is_string(key) ? json_string_value(key) : "?");
	putchar('\n');
}

struct reload {
	const json_t *changed, *restart;
	struct reply_exposure exposure;
};

static const struct reply_member reload_reply[] = {
    {"changed", REPLY_ARRAY, true, offsetof(struct reload, changed)},
    {"restart", REPLY_ARRAY, true, offsetof(struct reload, restart)},
    {"exposure", REPLY_EXPOSURE, false, offsetof(struct reload, exposure)},
    {NULL, REPLY_STRING, false, 0},
};

static enum jw_err
print_reload(struct ctl *ctl, const struct json_t *reply)
{
	struct reload reload;
	enum jw_err err = reply_read(reply, reload_reply, &reload, &ctl->why);

	if (err != JW_OK)
		return err;
	if (json_array_size(reload.changed) + json_array_size(reload.restart) ==
	    0)
		puts("nothing differs from what is in force");
	print_keys("in force now:", reload.changed);
	print_keys("at the next start:", reload.restart);
	/* The next start may give key sets URLs where others answer now. */
	if (reload.exposure.given)
		puts(
		    "With the other domain, key sets get URLs that answer "
		    "with another one today;\nif the daemon is restarted now:");
	call_exposure_print(ctl, &reload.exposure, stdout);
	err = call_flush(ctl);
	if (err == JW_OK && json_array_size(reload.restart) > 0)
		fputs("hint: systemctl restart jwksd jwksd-http: no client is "
		      "refused\n",
		    stderr);
	return err;
}

enum jw_err
cmd_reload(struct ctl *ctl)
{
	return call_query(
	    ctl, CTL_INTERFACE "Reload", json_object(), NULL, print_reload);
}
