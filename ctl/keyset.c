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

#include "common/duration.h"
#include "common/policy.h"
#include "ctl/ask.h"
#include "ctl/change.h"
#include "ctl/ctl.h"
#include "ctl/key_sets.h"
#include "ctl/nearest.h"
#include "ctl/reply.h"
#include "ctl/table.h"

enum { NUMBER_SIZE = 24, PARAM_SIZE = 48 };

/* Takes text. */
static enum jw_err
put(struct ctl *ctl, char *text)
{
	fputs(text, stdout);
	free(text);
	return ctl_flush(ctl);
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
add_set(struct table *table, const struct reply_key_set *set)
{
	char active[NUMBER_SIZE] = "-", version[NUMBER_SIZE];
	const struct table_cell cells[] = {
	    {set->name, NULL},
	    {set->alg, NULL},
	    {mode_in_force(set), NULL},
	    {active, NULL},
	    {version, NULL},
	    {set->path, NULL},
	};

	if (set->active_generation != REPLY_NONE)
		snprintf(
		    active, sizeof(active), "%" PRId64, set->active_generation);
	snprintf(version, sizeof(version), "%" PRId64, set->version);
	return table_add(table, cells);
}

static enum jw_err
render_sets(struct ctl *ctl, const json_t *sets, char **ret_text)
{
	static const struct table_column columns[] = {
	    {"NAME", TABLE_CUT},
	    {"ALG", 0},
	    {"MODE", 0},
	    {"ACTIVE", TABLE_RIGHT},
	    {"VERSION", TABLE_RIGHT},
	    {"PATH", TABLE_CUT},
	    {NULL, 0},
	};
	struct reply_key_set set;
	struct table *table = NULL;
	const json_t *item;
	size_t i;
	enum jw_err err = table_new(&ctl->text, columns, &table);

	json_array_foreach (sets, i, item) {
		if (err == JW_OK)
			err = reply_key_set(item, &set, &ctl->why);
		if (err == JW_OK)
			err = add_set(table, &set);
	}
	if (err == JW_OK)
		err = table_render(table, ret_text);
	table_free(table);
	return err;
}

static enum jw_err
put_names(struct ctl *ctl, const json_t *sets)
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
	return err == JW_OK ? ctl_flush(ctl) : err;
}

static enum jw_err
print_list(struct ctl *ctl, const json_t *reply)
{
	const json_t *sets;
	char *text;
	enum jw_err err = reply_array(reply, "keySets", &sets, &ctl->why);

	if (err != JW_OK)
		return err;
	if (ctl->quiet)
		return put_names(ctl, sets);
	err = render_sets(ctl, sets, &text);
	return err == JW_OK ? put(ctl, text) : err;
}

/* Print a reply as it came, or what it means. */
static enum jw_err
print(struct ctl *ctl, const json_t *reply,
    enum jw_err (*fn)(struct ctl *ctl, const json_t *shown))
{
	json_t *shown;
	enum jw_err err;

	if (ctl->json)
		return ctl_print_json(ctl, reply);
	shown = reply_visible(reply, ctl->text.utf8 ? TEXT_UTF8 : 0);
	err = shown != NULL ? fn(ctl, shown) : JW_NO_MEMORY;
	json_decref(shown);
	return err;
}

enum jw_err
ctl_keyset_list(struct ctl *ctl)
{
	json_t *reply = NULL;
	enum jw_err err =
	    ask_all(ctl, CTL_INTERFACE "ListKeySets", NULL, "keySets", &reply);

	if (err == JW_OK)
		err = print(ctl, reply, print_list);
	json_decref(reply);
	return err;
}

/* ---- show ---- */

/* A parameter as the configuration file writes it; "-" when it is absent. */
static enum jw_err
param_text(struct ctl *ctl, const json_t *policy, const struct jw_param *param,
    char *ret_text)
{
	const json_t *value = json_object_get(policy, param->camel);
	int64_t number;
	enum jw_err err;

	if (json_is_string(value)) {
		snprintf(ret_text, JW_DURATION_SIZE, "%.48s",
		    json_string_value(value));
		return JW_OK;
	}
	err = reply_number(policy, param->camel, &number, &ctl->why);
	if (err != JW_OK)
		return err;
	if (number == REPLY_NONE)
		strncpy(ret_text, "-", 2);
	else if (param->kind == JW_PARAM_DURATION)
		jw_duration_format(number, ret_text);
	else
		snprintf(ret_text, JW_DURATION_SIZE, "%" PRId64, number);
	return JW_OK;
}

static enum jw_err
render_policy(struct ctl *ctl, const json_t *policy, char **ret_text)
{
	static const struct table_column columns[] = {
	    {"PARAMETER", 0},
	    {"VALUE", 0},
	    {"MEANING", TABLE_WRAP},
	    {NULL, 0},
	};
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);
	struct table *table = NULL;
	enum jw_err err = table_new(&ctl->text, columns, &table);

	for (size_t i = 0; i < count && err == JW_OK; i++) {
		char value[JW_DURATION_SIZE];
		const struct table_cell cells[] = {
		    {params[i].snake, NULL},
		    {value, NULL},
		    {params[i].help, NULL},
		};

		err = param_text(ctl, policy, &params[i], value);
		if (err == JW_OK)
			err = table_add(table, cells);
	}
	if (err == JW_OK)
		err = table_render(table, ret_text);
	table_free(table);
	return err;
}

static void
put_set(const struct ctl *ctl, const struct reply_key_set *set)
{
	char when[TEXT_TIME_SIZE];

	printf("key set    %s\n", set->name);
	printf("algorithm  %s\n", set->alg);
	printf("path       %s\n", set->path);
	printf("version    %" PRId64 "\n", set->version);
	if (set->active_generation != REPLY_NONE)
		printf("active     generation %" PRId64 "\n",
		    set->active_generation);
	else
		puts("active     no generation yet");
	if (set->scheduled_for != REPLY_NONE)
		printf("scheduled  a rotation for %s\n",
		    text_moment(&ctl->text, set->scheduled_for, when));
	if (set->frozen)
		puts("frozen     by an operator: nothing rotates or is "
		     "removed until it is thawed");
}

static enum jw_err
print_show(struct ctl *ctl, const json_t *reply)
{
	struct reply_key_set set;
	char *text;
	enum jw_err err =
	    reply_key_set(json_object_get(reply, "keySet"), &set, &ctl->why);

	if (err != JW_OK)
		return err;
	if (ctl->quiet) {
		printf("%s\n", set.name);
		return ctl_flush(ctl);
	}
	err = render_policy(ctl, set.policy, &text);
	if (err != JW_OK)
		return err;
	put_set(ctl, &set);
	putchar('\n');
	return put(ctl, text);
}

enum jw_err
ctl_keyset_show(struct ctl *ctl)
{
	json_t *found = NULL, *reply = NULL;
	enum jw_err err = key_sets_find(ctl, ctl_arg(ctl), &found);

	if (err != JW_OK)
		return err;
	reply = json_pack("{s:o}", "keySet", found);
	err = reply != NULL ? print(ctl, reply, print_show) : JW_NO_MEMORY;
	json_decref(reply);
	return err;
}

/* ---- set ---- */

static enum jw_err
unknown_param(struct ctl *ctl, const char *name)
{
	const struct jw_param *camel = jw_policy_param_camel(name);
	struct nearest nearest;
	size_t count;
	const struct jw_param *params = jw_policy_params(&count);

	nearest_init(&nearest, name);
	for (size_t i = 0; i < count; i++)
		nearest_consider(&nearest, params[i].snake);
	jw_why_set(&ctl->why, "a policy has no parameter \"%s\"", name);
	if (camel != NULL || nearest.best != NULL)
		jw_why_hint(&ctl->why, "did you mean %s?",
		    camel != NULL ? camel->snake : nearest.best);
	else
		jw_why_hint(
		    &ctl->why, "`jwksctl keyset show NAME` lists them all");
	return JW_USAGE;
}

static json_t *
param_json(const struct jw_param *param, int32_t value)
{
	if (param->kind == JW_PARAM_ALGORITHM)
		return json_string(jw_alg_name(value));
	if (param->kind == JW_PARAM_MODE)
		return json_string(jw_mode_name(value));
	return json_integer(value);
}

static enum jw_err
not_a_setting(struct ctl *ctl, const char *word)
{
	jw_why_set(&ctl->why, "\"%s\" is not PARAM=VALUE", word);
	jw_why_hint(&ctl->why, "like rotation_period=14d");
	return JW_USAGE;
}

/* "rotation_period=14d" becomes a member of policy. */
static enum jw_err
take_setting(struct ctl *ctl, const char *word, json_t *policy)
{
	size_t len = strcspn(word, "=");
	char name[PARAM_SIZE];
	const struct jw_param *param;
	int32_t value;

	if (word[len] == '\0' || len == 0)
		return not_a_setting(ctl, word);
	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	param = jw_policy_param_snake(name);
	if (param == NULL)
		return unknown_param(ctl, name);
	if (json_object_get(policy, param->camel) != NULL) {
		jw_why_set(&ctl->why, "%s is there twice", name);
		return JW_USAGE;
	}
	if (jw_policy_parse_value(param, word + len + 1, &value, &ctl->why) !=
	    JW_OK)
		return JW_USAGE;
	return json_object_set_new(
		   policy, param->camel, param_json(param, value)) == 0
		   ? JW_OK
		   : JW_NO_MEMORY;
}

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

	for (size_t i = 1; i < ctl->line.nargs && err == JW_OK; i++) {
		char name[PARAM_SIZE], value[JW_DURATION_SIZE];
		const char *word = ctl->line.args[i];
		const struct jw_param *param;

		snprintf(
		    name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
		param = jw_policy_param_snake(name);
		err = param_text(ctl, set.policy, param, value);
		if (err == JW_OK)
			put_setting(out, set.name, param, value, dry);
	}
	return err;
}

enum jw_err
ctl_keyset_set(struct ctl *ctl)
{
	struct change change = {
	    .method = "SetPolicy",
	    .command = "keyset set",
	    .named = "name",
	    .more = ctl->line.args + 1,
	    .nmore = ctl->line.nargs - 1,
	    .quiet = "keySet",
	    .tell = tell_set,
	};
	json_t *policy = json_object();
	enum jw_err err = policy != NULL ? JW_OK : JW_NO_MEMORY;

	for (size_t i = 1; i < ctl->line.nargs && err == JW_OK; i++)
		err = take_setting(ctl, ctl->line.args[i], policy);
	if (err != JW_OK)
		goto out;
	change.parameters =
	    json_pack("{s:s, s:O}", "name", ctl_arg(ctl), "policy", policy);
	if (change.parameters == NULL) {
		err = change_not_utf8(ctl);
		goto out;
	}
	err = change_take_options(ctl, change.parameters);
	if (err == JW_OK)
		err = change_run(ctl, &change, NULL);
out:
	json_decref(change.parameters);
	json_decref(policy);
	return err;
}
