/*
 * keyset list, show, set: the key sets and what governs them.
 *
 * Parameters are those of the one table in common/policy; whether they fit
 * together is the daemon's to say, which knows the others.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/duration.h"
#include "common/config/policy.h"
#include "ctl/call/change.h"
#include "ctl/call/context.h"
#include "ctl/commands/commands.h"
#include "ctl/call/key_sets.h"
#include "ctl/call/policy_words.h"
#include "ctl/call/request.h"
#include "ctl/out/table.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

enum { NUMBER_SIZE = 24 };

/* Takes text. */
static enum jw_err
keyset_put(struct ctl *ctl, char *text)
{
	fputs(text, stdout);
	free(text);
	return call_flush(ctl);
}

/* ---- list ---- */

static const char *
mode_in_force(const struct reply_key_set *set)
{
	if (set->frozen)
		return "frozen";
	return set->mode != NULL ? set->mode : "-";
}

static enum jw_err
add_set(struct out_table *table, const struct reply_key_set *set)
{
	char active[NUMBER_SIZE] = "-", version[NUMBER_SIZE];
	const struct out_table_cell cells[] = {
	    {set->name, NULL},
	    {set->alg, NULL},
	    {mode_in_force(set), NULL},
	    {active, NULL},
	    {version, NULL},
	    {reply_any_host_path(set), NULL},
	};

	if (set->active_generation != REPLY_NONE)
		snprintf(
		    active, sizeof(active), "%" PRId64, set->active_generation);
	snprintf(version, sizeof(version), "%" PRId64, set->version);
	return out_table_add(table, cells);
}

static enum jw_err
render_sets(struct ctl *ctl, const json_t *sets, char **ret_text)
{
	static const struct out_table_column columns[] = {
	    {"NAME", TABLE_CUT},
	    {"ALG", 0},
	    {"MODE", 0},
	    {"ACTIVE", TABLE_RIGHT},
	    {"VERSION", TABLE_RIGHT},
	    {"PATH", TABLE_CUT},
	    {NULL, 0},
	};
	struct reply_key_set set;
	struct out_table *table = NULL;
	const json_t *item;
	size_t i;
	enum jw_err err = out_table_new(&ctl->text, columns, &table);

	json_array_foreach (sets, i, item) {
		if (err == JW_OK)
			err = reply_key_set(item, &set, &ctl->why);
		if (err == JW_OK)
			err = add_set(table, &set);
	}
	if (err == JW_OK)
		err = out_table_render(table, ret_text);
	out_table_free(table);
	return err;
}

static enum jw_err
keyset_put_names(struct ctl *ctl, const json_t *sets)
{
	const json_t *item;
	const char *name;
	enum jw_err err = JW_OK;
	size_t i;

	json_array_foreach (sets, i, item) {
		if (err == JW_OK)
			err = reply_name(item, "name", &name, &ctl->why);
		if (err == JW_OK)
			printf("%s\n", name);
	}
	return err == JW_OK ? call_flush(ctl) : err;
}

static enum jw_err
keyset_print_list(struct ctl *ctl, const json_t *reply)
{
	const json_t *sets;
	char *text;
	enum jw_err err = reply_array(reply, "keySets", &sets, &ctl->why);

	if (err != JW_OK)
		return err;
	if (ctl->quiet)
		return keyset_put_names(ctl, sets);
	err = render_sets(ctl, sets, &text);
	return err == JW_OK ? keyset_put(ctl, text) : err;
}

/* Print a reply as it came, or what it means. */
static enum jw_err
print(struct ctl *ctl, const json_t *reply,
    enum jw_err (*fn)(struct ctl *ctl, const json_t *shown))
{
	json_t *shown;
	enum jw_err err;

	if (ctl->json)
		return call_print_json(ctl, reply);
	shown = out_visible(&ctl->text, reply);
	err = shown != NULL ? fn(ctl, shown) : JW_NO_MEMORY;
	json_decref(shown);
	return err;
}

enum jw_err
cmd_keyset_list(struct ctl *ctl)
{
	json_t *reply = NULL;
	enum jw_err err = call_method_all(
	    ctl, CTL_INTERFACE "ListKeySets", NULL, "keySets", &reply);

	if (err == JW_OK)
		err = print(ctl, reply, keyset_print_list);
	json_decref(reply);
	return err;
}

/* ---- show ---- */

static enum jw_err
render_policy(struct ctl *ctl, const json_t *policy, char **ret_text)
{
	static const struct out_table_column columns[] = {
	    {"PARAMETER", 0},
	    {"VALUE", 0},
	    {"MEANING", TABLE_WRAP},
	    {NULL, 0},
	};
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);
	struct out_table *table = NULL;
	enum jw_err err = out_table_new(&ctl->text, columns, &table);

	for (size_t i = 0; i < count && err == JW_OK; i++) {
		char value[JW_DURATION_SIZE];
		const struct out_table_cell cells[] = {
		    {params[i].snake, NULL},
		    {value, NULL},
		    {params[i].help, NULL},
		};

		err = call_policy_text(policy, &params[i], value, &ctl->why);
		if (err == JW_OK)
			err = out_table_add(table, cells);
	}
	if (err == JW_OK)
		err = out_table_render(table, ret_text);
	out_table_free(table);
	return err;
}

static void
put_set(const struct ctl *ctl, const struct reply_key_set *set)
{
	char when[TEXT_TIME_SIZE];

	printf("key set    %s\n", set->name);
	printf("algorithm  %s\n", set->alg);
	for (size_t i = 0; reply_url(set, i) != NULL; i++)
		printf("%-11s%s\n", i == 0 ? "url" : "", reply_url(set, i));
	printf("version    %" PRId64 "\n", set->version);
	if (set->active_generation != REPLY_NONE)
		printf("active     generation %" PRId64 "\n",
		    set->active_generation);
	else if (set->signs_at == REPLY_NONE)
		puts("active     no generation yet");
	else
		printf("active     no generation yet: the first one signs from "
		       "%s\n",
		    out_text_moment(&ctl->text, set->signs_at, when));
	if (set->scheduled_for != REPLY_NONE)
		printf("scheduled  a rotation for %s\n",
		    out_text_moment(&ctl->text, set->scheduled_for, when));
	if (set->frozen)
		puts("frozen     by an operator: nothing rotates or is "
		     "removed until it is thawed");
}

static enum jw_err
keyset_print_show(struct ctl *ctl, const json_t *reply)
{
	struct reply_key_set set;
	char *text;
	enum jw_err err =
	    reply_key_set(json_object_get(reply, "keySet"), &set, &ctl->why);

	if (err != JW_OK)
		return err;
	if (ctl->quiet) {
		printf("%s\n", set.name);
		return call_flush(ctl);
	}
	err = render_policy(ctl, set.policy, &text);
	if (err != JW_OK)
		return err;
	put_set(ctl, &set);
	putchar('\n');
	return keyset_put(ctl, text);
}

enum jw_err
cmd_keyset_show(struct ctl *ctl)
{
	json_t *found = NULL, *reply = NULL;
	enum jw_err err = call_key_sets_find(ctl, call_argument(ctl), &found);

	if (err != JW_OK)
		return err;
	reply = json_pack("{s:o}", "keySet", found);
	err =
	    reply != NULL ? print(ctl, reply, keyset_print_show) : JW_NO_MEMORY;
	json_decref(reply);
	return err;
}

/* ---- set ---- */

static void
put_setting(FILE *out, const char *key_set, const struct jw_param *param,
    const char *value, bool dry)
{
	fprintf(out, "%s: %s %s %s%s\n", key_set, param->snake,
	    dry ? "would be" : "is", value,
	    param->kind == JW_PARAM_ALGORITHM
		? ", of new keys: it takes over through the standby"
		: "");
}

/* What was asked for, as it is now. */
static enum jw_err
tell_set(struct ctl *ctl, const struct json_t *reply, bool dry, FILE *out)
{
	struct reply_key_set set;
	enum jw_err err =
	    reply_key_set(json_object_get(reply, "keySet"), &set, &ctl->why);

	for (size_t i = 1; i < ctl->arguments.count && err == JW_OK; i++) {
		const struct jw_param *param =
		    call_policy_param(ctl->arguments.words[i]);
		char value[JW_DURATION_SIZE];

		err = call_policy_text(set.policy, param, value, &ctl->why);
		if (err == JW_OK)
			put_setting(out, set.name, param, value, dry);
	}
	return err;
}

enum jw_err
cmd_keyset_set(struct ctl *ctl)
{
	struct call_change change = {
	    .method = "SetPolicy", .command = "keyset set", .tell = tell_set};

	return call_change_run_policy(ctl, &change);
}
