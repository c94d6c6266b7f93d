/*
 * daemon/verbs/rights.c: rules say yes to what they name and to nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/verbs/rights.h"

/* Two groups that every Debian has; the numbers are looked up. */
#define A "daemon"
#define B "mail"

static bool
is_in(gid_t group, void *arg)
{
	const struct group *mine = getgrnam(arg);

	return mine != NULL && mine->gr_gid == group;
}

static bool
may(const char *rules, const char *group, const char *key_set)
{
	char name[32];
	struct jw_why why = {"", ""};
	struct verbs_rights *rights = NULL;
	bool yes;

	assert_int_equal(verbs_rights_new(rules, &rights, &why), JW_OK);
	snprintf(name, sizeof(name), "%s", group);
	yes = verbs_rights_allow(rights, key_set, is_in, name);
	verbs_rights_free(rights);
	return yes;
}

static void
without_rules_everybody_may(void **state)
{
	(void)state;
	assert_true(may(NULL, A, "default"));
	assert_true(may(NULL, "nobody-at-all", "app/x"));
}

static void
rules_name_groups_and_key_sets(void **state)
{
	static const char rules[] = A ":default," A ":app/* \t" B ":app/x";

	(void)state;
	assert_true(may(rules, A, "default"));
	assert_true(may(rules, A, "app/x"));
	assert_true(may(rules, A, "app/y"));
	assert_false(may(rules, A, "app"));
	assert_false(may(rules, A, "application/x"));
	assert_false(may(rules, A, "default2"));
	assert_false(may(rules, A, "other"));
	assert_true(may(rules, B, "app/x"));
	assert_false(may(rules, B, "app/y"));
	assert_false(may(rules, B, "default"));
	assert_false(may(rules, "adm", "default"));
	assert_true(may(B ":*", B, "whatever/it-is"));
	assert_false(may(B ":*", A, "default"));
	assert_false(may(" ", A, "default"));
}

static void
group_that_is_not_there_is_named(void **state)
{
	struct verbs_rights *rights = NULL;
	struct jw_why why = {"", ""};

	(void)state;
	assert_int_equal(
	    verbs_rights_new(A ":default no-such-group:x", &rights, &why),
	    JW_BAD_CONFIG);
	assert_null(rights);
	assert_non_null(strstr(why.text, "there is no group no-such-group"));
	verbs_rights_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_rules_everybody_may),
	    cmocka_unit_test(rules_name_groups_and_key_sets),
	    cmocka_unit_test(group_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
