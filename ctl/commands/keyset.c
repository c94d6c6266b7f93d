/*
 * keyset list, show, set, add, remove: the key sets and their policies.
 *
 * The names and types of parameters are those of the one table in
 * common/config/policy; whether the values fit together is the daemon's to
 * say, which knows the others.  Must never remove another key set than the one
 * that the operator has seen: one that was added under its name since has
 * another active generation.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "common/base/duration.h"
#include "common/config/policy.h"
#include "ctl/call/change.h"
#include "ctl/call/context.h"
#include "ctl/call/exposure.h"
#include "ctl/call/key_sets.h"
#include "ctl/call/policy_words.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/keyset_bulk.h"
#include "ctl/out/fields.h"
#include "ctl/out/table.h"
#include "ctl/reply/reply.h"

/* The reply of every method that changes a key set. */
struct key_set_reply {
	struct reply_key_set set;
	struct reply_exposure exposure;
};

static const struct reply_member key_set_reply[] = {
    {"keySet", REPLY_KEY_SET, true, offsetof(struct key_set_reply, set)},
    {"exposure", REPLY_EXPOSURE, false,
	offsetof(struct key_set_reply, exposure)},
    {NULL, REPLY_STRING, false, 0},
};

/* ---- list ---- */

static enum jw_err
key_set_row(const struct out_text *text, const void *sets, size_t index,
    struct out_table_row *ret_row, struct jw_why *why)
{
	struct reply_key_set set;
	enum jw_err err = reply_key_set(json_array_get(sets, index), &set, why);

	(void)text;
	if (err != JW_OK)
		return err;
	ret_row->cells[0] = set.name;
	ret_row->cells[1] = set.alg;
	ret_row->cells[2] = set.mode != NULL ? set.mode : "-";
	if (set.frozen)
		ret_row->cells[2] = "frozen";
	ret_row->cells[3] =
	    out_table_number(set.active_generation, ret_row->made[3]);
	ret_row->cells[4] = out_table_number(set.version, ret_row->made[4]);
	ret_row->cells[5] = reply_any_host_path(&set);
	return JW_OK;
}

static enum jw_err
print_key_sets(struct ctl *ctl, const struct json_t *reply)
{
	static const struct out_table_column columns[] = {
	    {"NAME", TABLE_CUT, 0},
	    {"ALG", 0, 0},
	    {"MODE", 0, 0},
	    {"ACTIVE", TABLE_RIGHT, 0},
	    {"VERSION", TABLE_RIGHT, 0},
	    {"PATH", TABLE_CUT, 0},
	    {NULL, 0, 0},
	};
	struct out_table table = {.columns = columns, .row = key_set_row};
	const json_t *sets;
	enum jw_err err = reply_array(reply, "keySets", &sets, &ctl->why);

	if (err == JW_OK && ctl->quiet) {
		out_members(sets, "name");
	} else if (err == JW_OK) {
		table.rows = sets;
		table.count = json_array_size(sets);
		err = out_table_print(&ctl->text, &table, stdout, &ctl->why);
	}
	return err;
}

enum jw_err
cmd_keyset_list(struct ctl *ctl)
{
	return call_query(ctl, CTL_INTERFACE "ListKeySets", json_object(),
	    "keySets", print_key_sets);
}

/* ---- show ---- */

static enum jw_err
parameter_row(const struct out_text *text, const void *policy, size_t index,
    struct out_table_row *ret_row, struct jw_why *why)
{
	size_t count;
	const struct jw_param *param = &jw_policy_params(&count)[index];

	(void)text;
	ret_row->cells[0] = param->snake;
	ret_row->cells[1] = ret_row->made[1];
	ret_row->cells[2] = param->help;
	return call_policy_text(policy, param, ret_row->made[1], why);
}

static enum jw_err
print_policy(struct ctl *ctl, const json_t *policy, FILE *out)
{
	static const struct out_table_column columns[] = {
	    {"PARAMETER", 0, 0},
	    {"VALUE", 0, 0},
	    {"MEANING", TABLE_WRAP, 0},
	    {NULL, 0, 0},
	};
	struct out_table table = {columns, policy, 0, parameter_row};

	jw_policy_params(&table.count);
	return out_table_print(&ctl->text, &table, out, &ctl->why);
}

static void
print_fields(const struct ctl *ctl, const struct reply_key_set *set)
{
	char when[TEXT_TIME_SIZE];

	out_field("key set", "%s", set->name);
	out_field("algorithm", "%s", set->alg);
	for (size_t i = 0; reply_url(set, i) != NULL; i++)
		out_field(i == 0 ? "url" : "", "%s", reply_url(set, i));
	out_field("version", "%" PRId64, set->version);
	if (set->active_generation != REPLY_NONE)
		out_field(
		    "active", "generation %" PRId64, set->active_generation);
	else if (set->signs_at == REPLY_NONE)
		out_field("active", "no generation yet");
	else
		out_field("active",
		    "no generation yet: the first one signs from %s",
		    out_text_moment(&ctl->text, set->signs_at, when));
	if (set->scheduled_for != REPLY_NONE)
		out_field("scheduled", "a rotation for %s",
		    out_text_moment(&ctl->text, set->scheduled_for, when));
	if (set->frozen)
		out_field("frozen",
		    "by an operator: nothing rotates or is removed until it "
		    "is thawed");
}

static enum jw_err
print_key_set(struct ctl *ctl, const struct json_t *reply)
{
	struct reply_key_set set;
	enum jw_err err =
	    reply_key_set(json_object_get(reply, "keySet"), &set, &ctl->why);

	if (err != JW_OK)
		return err;
	if (ctl->quiet) {
		printf("%s\n", set.name);
		return JW_OK;
	}
	print_fields(ctl, &set);
	putchar('\n');
	return print_policy(ctl, set.policy, stdout);
}

enum jw_err
cmd_keyset_show(struct ctl *ctl)
{
	json_t *found = NULL, *reply = NULL;
	enum jw_err err = call_key_sets_find(ctl, call_argument(ctl), &found);

	if (err != JW_OK)
		return err;
	reply = json_pack("{s:o}", "keySet", found);
	err = call_print(ctl, reply, print_key_set);
	json_decref(reply);
	return err;
}

/* ---- set ---- */

/* Of a change whose arguments are NAME PARAM=VALUE... */
static enum jw_err
run_with_policy(struct ctl *ctl, struct call_change *change)
{
	json_t *policy = json_object();
	enum jw_err err = JW_OK;

	change->named = "name";
	change->quiet = "keySet";
	for (size_t i = 1; i < ctl->arguments.count && err == JW_OK; i++)
		err = call_policy_take(
		    ctl->arguments.words[i], policy, &ctl->why);
	if (err != JW_OK) {
		json_decref(policy);
		return err;
	}
	change->take_parameters =
	    json_pack("{s:s, s:o, s:o*}", "name", call_argument(ctl), "policy",
		policy, "now", call_flag_json(ctl, "now"));
	return call_change_run(ctl, change, NULL);
}

/* The parameters that the operator named, with their values now. */
static enum jw_err
print_set(struct ctl *ctl, const void *reply, bool dry, FILE *out)
{
	const struct key_set_reply *set = reply;
	enum jw_err err = JW_OK;

	for (size_t i = 1; i < ctl->arguments.count && err == JW_OK; i++) {
		const struct jw_param *param =
		    call_policy_param(ctl->arguments.words[i]);
		char value[JW_DURATION_SIZE];

		err =
		    call_policy_text(set->set.policy, param, value, &ctl->why);
		if (err == JW_OK)
			fprintf(out, "%s: %s %s %s%s\n", set->set.name,
			    param->snake, dry ? "would be" : "is", value,
			    param->kind == JW_PARAM_ALGORITHM
				? ", of new keys: it takes over through the "
				  "standby"
				: "");
	}
	return err;
}

enum jw_err
cmd_keyset_set(struct ctl *ctl)
{
	struct call_change change = {
	    .method = CTL_INTERFACE "SetPolicy",
	    .command = "keyset set",
	    .members = key_set_reply,
	    .print = print_set,
	};

	return run_with_policy(ctl, &change);
}

/* ---- add ---- */

/* "https://acme.example.com/x, /acme/x" */
static void
print_urls(const struct reply_key_set *set, FILE *out)
{
	const char *url;

	for (size_t i = 0; (url = reply_url(set, i)) != NULL; i++)
		fprintf(out, "%s%s", i == 0 ? "" : ", ", url);
}

static enum jw_err
print_added(struct ctl *ctl, const void *reply, bool dry, FILE *out)
{
	const struct key_set_reply *added = reply;
	char when[TEXT_TIME_SIZE];

	fprintf(out, "%s: %s added, with %s keys, at ", added->set.name,
	    dry ? "would be" : "is", added->set.alg);
	print_urls(&added->set, out);
	fputc('\n', out);
	if (added->set.signs_at != REPLY_NONE)
		fprintf(out,
		    "It is published now and signs from %s: verifiers may hold "
		    "copies of an\nearlier key set of that name until then\n",
		    out_text_moment(&ctl->text, added->set.signs_at, when));
	call_exposure_print(ctl, &added->exposure, out);
	return JW_OK;
}

static enum jw_err
add_one(struct ctl *ctl)
{
	struct call_change change = {
	    .method = CTL_INTERFACE "AddKeySet",
	    .command = "keyset add",
	    .danger = call_flag(ctl, "now") ? "keyset add --now" : NULL,
	    .question = "Add it, and sign at once?",
	    .members = key_set_reply,
	    .print = print_added,
	};

	return run_with_policy(ctl, &change);
}

enum jw_err
cmd_keyset_add(struct ctl *ctl)
{
	const char *from = call_option(ctl, "from");
	bool own_id = call_flag(ctl, "request-id");
	bool now = call_flag(ctl, "now");

	if (from == NULL && ctl->arguments.count > 0)
		return add_one(ctl);
	if (from == NULL) {
		jw_why_set(&ctl->why,
		    "keyset add needs NAME, or --from FILE with one a line");
		jw_why_hint(&ctl->why, "`jwksctl help keyset add`");
		return JW_USAGE;
	}
	if (ctl->arguments.count == 0 && !own_id && !now)
		return cmd_keyset_bulk_add(ctl, from);
	jw_why_set(&ctl->why, "--from says it all: %s beside it has no meaning",
	    now      ? "--now"
	    : own_id ? "--request-id"
		     : call_argument(ctl));
	return JW_USAGE;
}

/* ---- remove ---- */

static enum jw_err
print_removed(struct ctl *ctl, const void *reply, bool dry, FILE *out)
{
	const struct key_set_reply *removed = reply;
	char when[TEXT_TIME_SIZE];

	fprintf(out, "%s: %s removed: nothing %s served at ", removed->set.name,
	    dry ? "would be" : "is", dry ? "would be" : "is");
	print_urls(&removed->set, out);
	fputs(dry ? " any more, its private keys would be destroyed, and its "
		    "kids would never come back\n"
		  : " any more, its private keys are destroyed, and its kids "
		    "never come back\n",
	    out);
	if (removed->exposure.until != REPLY_NONE)
		fprintf(out,
		    "Verifiers that read the set again reject its tokens that "
		    "are still valid,\nthe last of them until %s\n",
		    out_text_moment(&ctl->text, removed->exposure.until, when));
	return JW_OK;
}

static void
expect_active(const void *reply, struct json_t *parameters)
{
	const struct key_set_reply *removed = reply;

	if (removed->set.active_generation != REPLY_NONE)
		call_change_expect(parameters, removed->set.active_generation);
}

enum jw_err
cmd_keyset_remove(struct ctl *ctl)
{
	const struct call_change change = {
	    .method = CTL_INTERFACE "RemoveKeySet",
	    .command = "keyset remove",
	    .take_parameters = json_pack("{s:s, s:o*}", "name",
		call_argument(ctl), "force", call_flag_json(ctl, "force")),
	    .named = "name",
	    .danger = "keyset remove",
	    .question = "Remove it?",
	    .quiet = "keySet",
	    .members = key_set_reply,
	    .print = print_removed,
	    .expect = expect_active,
	};

	return call_change_run(ctl, &change, NULL);
}
