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

/* The next start may give key sets URLs at which other ones answer now. */
static enum jw_err
print_exposure(struct ctl *ctl, const json_t *reply)
{
	if (json_object_get(reply, "exposure") != NULL)
		puts(
		    "With the other domain, key sets get URLs that answer "
		    "with another one today;\nif the daemon is restarted now:");
	return call_exposure_print(ctl, reply, stdout);
}

static enum jw_err
print_reload(struct ctl *ctl, const struct json_t *reply)
{
	const json_t *changed, *restart;
	enum jw_err err = reply_array(reply, "changed", &changed, &ctl->why);

	if (err == JW_OK)
		err = reply_array(reply, "restart", &restart, &ctl->why);
	if (err != JW_OK)
		return err;
	if (json_array_size(changed) + json_array_size(restart) == 0)
		puts("nothing differs from what is in force");
	print_keys("in force now:", changed);
	print_keys("at the next start:", restart);
	err = print_exposure(ctl, reply);
	if (err == JW_OK)
		err = call_flush(ctl);
	if (err == JW_OK && json_array_size(restart) > 0)
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
