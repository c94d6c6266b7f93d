/*
 * The rules of [access] sign_rules.  Once there is a rule, a key set that no
 * rule names has no signer but root and the user of the daemon: must never
 * take a rule that does not match for a permission.
 */
#include "daemon/verbs/rights.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/group.h"
#include "common/base/memory.h"

#define BLANKS " \t,"

struct rule {
	gid_t group;
	char *key_set;
};

struct verbs_rights {
	bool has_rules;
	struct rule *rules;
	size_t count;
};

static enum jw_err
add_rule(struct verbs_rights *rights, char *word, struct jw_why *why)
{
	char *colon = strchr(word, ':');
	gid_t group;

	if (colon == NULL)
		return JW_BAD_CONFIG;
	*colon = '\0';
	if (!jw_group_find(word, &group))
		return jw_fail(JW_BAD_CONFIG, why,
		    "[access] sign_rules: there is no group %s; create it "
		    "with groupadd --system %s",
		    word, word);
	rights->rules = jw_realloc(
	    rights->rules, (rights->count + 1) * sizeof(*rights->rules));
	rights->rules[rights->count++] =
	    (struct rule){group, jw_strdup(colon + 1)};
	return JW_OK;
}

enum jw_err
verbs_rights_new(
    const char *rules, struct verbs_rights **ret_rights, struct jw_why *why)
{
	struct verbs_rights *rights = jw_zalloc(sizeof(*rights));
	char *text = jw_strdup(rules), *save = NULL;
	enum jw_err err = JW_OK;

	rights->has_rules = rules != NULL;
	for (char *word = text == NULL ? NULL : strtok_r(text, BLANKS, &save);
	     err == JW_OK && word != NULL; word = strtok_r(NULL, BLANKS, &save))
		err = add_rule(rights, word, why);
	free(text);
	if (err != JW_OK)
		verbs_rights_free(rights);
	else
		*ret_rights = rights;
	return err;
}

void
verbs_rights_free(struct verbs_rights *rights)
{
	if (rights == NULL)
		return;
	for (size_t i = 0; i < rights->count; i++)
		free(rights->rules[i].key_set);
	free(rights->rules);
	free(rights);
}

/* A star behind APP/ stands for every NAME, but not for APP itself. */
static bool
matches(const char *pattern, const char *key_set)
{
	size_t len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(pattern, key_set, len - 1) == 0;
	return strcmp(pattern, key_set) == 0;
}

bool
verbs_rights_allow(const struct verbs_rights *rights, const char *key_set,
    verbs_rights_member_fn *is_member, void *arg)
{
	if (!rights->has_rules)
		return true;
	for (size_t i = 0; i < rights->count; i++)
		if (matches(rights->rules[i].key_set, key_set) &&
		    is_member(rights->rules[i].group, arg))
			return true;
	return false;
}
