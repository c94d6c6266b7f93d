/*
 * Key sets, for commands that are about something else.
 *
 * Must never let a note that cannot be had change what a command prints
 * otherwise, nor its exit status.
 */
#include "ctl/call/key_sets.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/wire/varlink.h"
#include "ctl/call/context.h"
#include "ctl/call/request.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

enum { NOTES_MAX = 8 };

/* ---- one key set ---- */

struct search {
	const char *name;
	json_t *found; /* NULL: not yet */
};

static enum jw_err
search_reply(struct ctl *ctl, const struct json_t *reply, void *arg)
{
	struct search *search = arg;
	const json_t *sets, *set;
	size_t i;
	enum jw_err err = reply_array(reply, "keySets", &sets, &ctl->why);

	if (err != JW_OK || search->found != NULL)
		return err;
	json_array_foreach (sets, i, set) {
		const char *name =
		    json_string_value(json_object_get(set, "name"));

		if (name != NULL && strcmp(name, search->name) == 0)
			search->found = json_incref((json_t *)(uintptr_t)set);
	}
	return JW_OK;
}

static enum jw_err
no_such_key_set(struct ctl *ctl, const char *name)
{
	char *wire = (char *)(uintptr_t)jw_err_wire(JW_NO_SUCH_KEY_SET);
	struct varlink_reply reply = {
	    .error = wire,
	    .parameters = json_pack("{s:s}", "keySet", name),
	};
	enum jw_err err = reply.parameters != NULL
			      ? call_report(ctl, "ListKeySets", &reply)
			      : call_not_utf8(ctl);

	json_decref(reply.parameters);
	return err;
}

enum jw_err
call_key_sets_find(
    struct ctl *ctl, const char *name, struct json_t **ret_key_set)
{
	struct search search = {.name = name};
	enum jw_err err = call_method_each(
	    ctl, CTL_INTERFACE "ListKeySets", NULL, search_reply, &search);

	if (err != JW_OK) {
		json_decref(search.found);
		return err;
	}
	if (search.found == NULL)
		return no_such_key_set(ctl, name);
	*ret_key_set = search.found;
	return JW_OK;
}

bool
call_key_sets_parameter(struct ctl *ctl, const char *key_set,
    const char *parameter, int64_t *ret_value)
{
	struct call_quiet quiet = call_quiet_begin(ctl);
	int64_t value = REPLY_NONE;
	json_t *found = NULL;

	if (call_key_sets_find(ctl, key_set, &found) == JW_OK &&
	    reply_number(json_object_get(found, "policy"), parameter, &value,
		&ctl->why) == JW_OK &&
	    value != REPLY_NONE)
		*ret_value = value;
	json_decref(found);
	call_quiet_end(ctl, &quiet);
	return value != REPLY_NONE;
}

/* ---- notes ---- */

struct notes {
	const char *key_set; /* NULL: any */
	size_t count;
};

/* A stream of key sets may be long; a screen is not. */
static void __attribute__((format(printf, 2, 3)))
note(struct notes *notes, const char *fmt, ...)
{
	va_list ap;

	notes->count++;
	if (notes->count == NOTES_MAX + 1)
		fputs("note: and more: `jwksctl keyset list`\n", stderr);
	if (notes->count > NOTES_MAX)
		return;
	fputs("note: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void
note_set(struct notes *notes, const struct reply_key_set *set)
{
	const char *name = set->name, *mode = set->mode;

	if (notes->key_set != NULL && strcmp(notes->key_set, name) != 0)
		return;
	if (set->frozen)
		note(notes, "%s is frozen; `jwksctl thaw %s` takes it back",
		    name, name);
	else if (mode != NULL && strcmp(mode, "frozen") == 0)
		note(notes,
		    "%s has mode frozen; `jwksctl keyset set %s mode=auto` "
		    "lets keys rotate again",
		    name, name);
	else if (mode != NULL && strcmp(mode, "manual") == 0)
		note(notes,
		    "%s has mode manual: what is due waits for `jwksctl "
		    "rotate %s`",
		    name, name);
}

static enum jw_err
note_sets(struct ctl *ctl, const struct json_t *reply, void *arg)
{
	json_t *shown = out_visible(&ctl->text, reply);
	struct reply_key_set set;
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(shown, "keySets"), i, item)
		if (reply_key_set(item, &set, &ctl->why) == JW_OK)
			note_set(arg, &set);
	json_decref(shown);
	return JW_OK;
}

/* "default: a rotation is due and waits: ..." belongs to default. */
static bool
is_about(const struct notes *notes, const char *warning)
{
	size_t len;

	if (strstr(warning, "waits: ") == NULL)
		return false;
	if (notes->key_set == NULL)
		return true;
	len = strlen(notes->key_set);
	return strncmp(warning, notes->key_set, len) == 0 &&
	       warning[len] == ':';
}

static void
note_status(const json_t *status, struct notes *notes)
{
	const char *mode = json_string_value(json_object_get(status, "mode"));
	const json_t *warning;
	size_t i;

	if (mode != NULL && strcmp(mode, "frozen") == 0)
		fputs("note: every key set is frozen; `jwksctl thaw` takes it "
		      "back\n",
		    stderr);
	if (json_is_false(json_object_get(status, "clockTrusted")))
		fputs("note: the clock is not trusted; `jwksctl clock` says "
		      "what that stops\n",
		    stderr);
	json_array_foreach (json_object_get(status, "warnings"), i, warning) {
		const char *text = json_string_value(warning);

		if (text != NULL && is_about(notes, text))
			note(notes, "%s", text);
	}
}

static void
note_daemon(struct ctl *ctl, struct notes *notes)
{
	json_t *status = NULL, *shown = NULL;

	if (call_method(ctl, CTL_INTERFACE "Status", NULL, &status) != JW_OK)
		return;
	shown = out_visible(&ctl->text, status);
	note_status(shown, notes);
	json_decref(shown);
	json_decref(status);
}

void
call_key_sets_note(struct ctl *ctl, const char *key_set)
{
	struct notes notes = {.key_set = key_set};
	struct call_quiet quiet;

	if (ctl->json || ctl->quiet)
		return;
	quiet = call_quiet_begin(ctl);
	note_daemon(ctl, &notes);
	call_method_each(
	    ctl, CTL_INTERFACE "ListKeySets", NULL, note_sets, &notes);
	call_quiet_end(ctl, &quiet);
}
