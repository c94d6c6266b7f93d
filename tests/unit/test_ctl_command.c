/*
 * The command table is sound, and command lines are understood or refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/varlink.h"
#include "common/wire/varlink_interface.h"
#include "ctl/arguments.h"
#include "ctl/call/context.h"
#include "ctl/command.h"
#include "ctl/help.h"

enum { ARGC_MAX = 48, COLUMNS = 79 };

/* Parse one line of words. */
static enum jw_err
parse(const char *words, struct ctl *ret_ctl,
    const struct ctl_command **ret_command)
{
	static char copy[512]; /* the arguments keep pointers into it */
	char *argv[ARGC_MAX] = {copy};
	char *rest = NULL;
	int argc = 0;

	memset(ret_ctl, 0, sizeof(*ret_ctl));
	assert_true(strlen(words) < sizeof(copy) - 8);
	strcpy(copy, "jwksctl ");
	strcat(copy, words);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	return ctl_arguments_parse(argc, argv, ret_ctl, ret_command);
}

static void
check_refused(const char *words, const char *text, const char *hint)
{
	const struct ctl_command untouched = {.name = "untouched"};
	const struct ctl_command *command = &untouched;
	struct ctl ctl;

	assert_int_equal(parse(words, &ctl, &command), JW_USAGE);
	assert_ptr_equal(command, &untouched);
	assert_non_null(strstr(ctl.why.text, text));
	assert_non_null(strstr(ctl.why.hint, hint));
}

/* The section of a command: short lines, then examples of it. */
static void
check_section(const char *name)
{
	const char *text = ctl_help_section(name);
	char example[64];
	size_t examples = 0;
	bool behind = false;

	assert_non_null(text);
	snprintf(example, sizeof(example), "jwksctl %s", name);
	while (*text != '\0' && strncmp(text, "\n= ", 3) != 0) {
		size_t len = strcspn(text, "\n");

		assert_true(len <= COLUMNS - 2);
		if (behind)
			examples += strstr(text, example) != NULL &&
				    strstr(text, example) < text + len;
		behind = behind || strncmp(text, "--\n", 3) == 0;
		text += len + (text[len] == '\n');
	}
	assert_true(examples > 0);
}

static void
test_table(void **state)
{
	const struct ctl_command *command;
	size_t i;

	(void)state;
	for (i = 0; (command = ctl_command_at(i)) != NULL; i++) {
		assert_ptr_equal(ctl_command_find(command->name), command);
		assert_true(strlen(command->name) <= 14);
		assert_true(strlen(command->summary) <= COLUMNS - 18);
		assert_true(command->max_arguments <= CALL_ARGUMENTS_MAX);
		assert_true(command->min_arguments <= command->max_arguments);
		assert_non_null(command->run);
		check_section(command->name);
	}
	assert_int_equal(i, 26);
	assert_null(ctl_command_find("lis"));
	assert_null(ctl_command_find(""));
	assert_null(ctl_help_section("lis"));
	assert_null(ctl_help_section(""));
}

/* Each section of the help is that of a command. */
static void
test_help_sections(void **state)
{
	size_t sections = 1;

	(void)state;
	for (const char *at = ctl_help_text; (at = strstr(at, "\n= ")) != NULL;
	     at++)
		sections++;
	assert_non_null(ctl_command_at(sections - 1));
	assert_null(ctl_command_at(sections));
}

/* Every option of one name takes a value, or none does; so with letters. */
static void
test_options(void **state)
{
	const struct ctl_option *a, *b;
	unsigned bits = 0;

	(void)state;
	for (a = ctl_options(); a->name != NULL; a++) {
		assert_true(strlen(a->name) <= 16);
		assert_true(strlen(a->help) <= COLUMNS - 24);
		/* The parser has no letters with values. */
		assert_true(a->letter == 0 || a->value == NULL);
		assert_int_equal(a->bit & bits, 0);
		bits |= a->bit;
		for (b = ctl_options(); b->name != NULL; b++) {
			if (strcmp(a->name, b->name) == 0)
				assert_int_equal(
				    a->value == NULL, b->value == NULL);
			else if (a->letter != 0)
				assert_int_not_equal(a->letter, b->letter);
		}
	}
}

/* Those of a command and of all together have room, and other names. */
static void
test_options_of_commands(void **state)
{
	const struct ctl_command *command;
	unsigned used = 0, bits = 0;

	(void)state;
	for (size_t i = 0; (command = ctl_command_at(i)) != NULL; i++) {
		const struct ctl_option *o = ctl_options();
		const char *names[CALL_OPTIONS_MAX];
		size_t count = 0;

		for (; o->name != NULL; o++) {
			if (!ctl_option_applies(o, command))
				continue;
			for (size_t j = 0; j < count; j++)
				assert_string_not_equal(names[j], o->name);
			assert_true(count < CALL_OPTIONS_MAX);
			names[count++] = o->name;
			bits |= o->bit;
		}
		used |= command->options;
	}
	assert_int_equal(used, bits);
	assert_true(used != 0);
}

static void
test_methods_are_declared(void **state)
{
	const struct ctl_command *command;
	size_t methods = 0;

	(void)state;
	for (size_t i = 0; (command = ctl_command_at(i)) != NULL; i++) {
		if (command->method == NULL)
			continue;
		assert_non_null(varlink_method_find(
		    &varlink_org_jwksd_keys, command->method));
		methods++;
	}
	assert_int_equal(methods, 21);
}

static void
test_options_anywhere(void **state)
{
	static const char *const lines[] = {
	    "rotate web --at tomorrow --json -q",
	    "--json --at tomorrow -q rotate web",
	    "-q --at=tomorrow rotate --json web",
	    "--json rotate -q --at tomorrow -- web",
	    "-q --json --at tomorrow -- rotate web",
	};
	const struct ctl_command *command;
	struct ctl ctl;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_int_equal(parse(lines[i], &ctl, &command), JW_OK);
		assert_string_equal(command->name, "rotate");
		assert_int_equal(ctl.arguments.count, 1);
		assert_string_equal(ctl.arguments.words[0], "web");
		assert_string_equal(call_option(&ctl, "at"), "tomorrow");
		assert_true(call_flag(&ctl, "json"));
		assert_true(call_flag(&ctl, "quiet"));
		assert_false(call_flag(&ctl, "now"));
		assert_null(call_option(&ctl, "socket"));
	}
}

static void
test_forms(void **state)
{
	const struct ctl_command *command;
	struct ctl ctl;

	(void)state;
	assert_int_equal(parse("list -qal", &ctl, &command), JW_OK);
	assert_true(call_flag(&ctl, "quiet"));
	assert_true(call_flag(&ctl, "all"));
	assert_true(call_flag(&ctl, "long"));
	assert_int_equal(parse("list --all --all", &ctl, &command), JW_OK);
	assert_int_equal(ctl.arguments.noptions, 1);
	assert_int_equal(parse("rotate --reason= x", &ctl, &command), JW_OK);
	assert_string_equal(call_option(&ctl, "reason"), "");
	assert_string_equal(ctl.arguments.words[0], "x");
	assert_int_equal(parse("rotate --reason a=b", &ctl, &command), JW_OK);
	assert_string_equal(call_option(&ctl, "reason"), "a=b");
	assert_int_equal(parse("rotate --if-gen -1", &ctl, &command), JW_OK);
	assert_string_equal(call_option(&ctl, "if-gen"), "-1");
	assert_int_equal(parse("call X -", &ctl, &command), JW_OK);
	assert_string_equal(ctl.arguments.words[1], "-");
	assert_int_equal(parse("show -- --x", &ctl, &command), JW_OK);
	assert_string_equal(ctl.arguments.words[0], "--x");
	assert_int_equal(parse("show -- --", &ctl, &command), JW_OK);
	assert_string_equal(ctl.arguments.words[0], "--");
}

/* A row of two words belongs to a row of its first word. */
static void
test_groups(void **state)
{
	const struct ctl_command *command;
	size_t members = 0;

	(void)state;
	for (size_t i = 0; (command = ctl_command_at(i)) != NULL; i++) {
		char group[32];
		size_t len = strcspn(command->name, " ");

		if (command->name[len] == '\0')
			continue;
		snprintf(group, sizeof(group), "%.*s", (int)len, command->name);
		assert_non_null(ctl_command_find(group));
		assert_true(ctl_command_is_group(group));
		assert_true(ctl_command_in_group(command, group));
		members++;
	}
	assert_true(members >= 4);
	assert_false(ctl_command_is_group("list"));
	assert_false(ctl_command_is_group("key"));
	assert_false(ctl_command_is_group("keyset list"));
	assert_false(ctl_command_is_group(""));
}

static void
check_command(const char *words, const char *name, size_t nargs)
{
	const struct ctl_command *command;
	struct ctl ctl;

	assert_int_equal(parse(words, &ctl, &command), JW_OK);
	assert_string_equal(command->name, name);
	assert_int_equal(ctl.arguments.count, nargs);
}

static void
test_two_words(void **state)
{
	(void)state;
	check_command("keyset", "keyset", 0);
	check_command("--json keyset -q", "keyset", 0);
	check_command("keyset list", "keyset list", 0);
	check_command("keyset --json list", "keyset list", 0);
	check_command("--reason x keyset -q set a b=1", "keyset set", 2);
	check_command("keyset set a --dry-run b=1 c=2", "keyset set", 3);
	check_command("-- keyset show a", "keyset show", 1);
	check_command("clock", "clock", 0);
	check_command("clock accept --yes", "clock accept", 0);
	/* Elsewhere a second word is an argument, whatever it is. */
	check_command("list keyset", "list", 1);
	check_command("help keyset set", "help", 2);
	check_refused("keyset lits", "no command \"keyset lits\"", "\"keyset ");
	check_refused("keyset frobnicate", "no command", "help keyset");
	check_refused("keyset show", "argument is missing", "keyset show NAME");
	check_refused("keyset set a", "argument is missing", "PARAM=VALUE");
	check_refused("keyset list a", "one argument too many", "");
	check_refused("clock acept", "no command", "\"clock accept\"");
	check_refused("keyset set a b=1 --al", "for keyset set", "");
}

static void
test_help_needs_nothing(void **state)
{
	const struct ctl_command *command;
	struct ctl ctl;

	(void)state;
	assert_int_equal(parse("--help", &ctl, &command), JW_OK);
	assert_null(command);
	assert_int_equal(parse("show -h", &ctl, &command), JW_OK);
	assert_string_equal(command->name, "show");
	assert_int_equal(parse("--version", &ctl, &command), JW_OK);
}

static void
test_refused(void **state)
{
	(void)state;
	check_refused("", "a command is missing", "jwksctl help");
	check_refused("--json", "a command is missing", "jwksctl help");
	check_refused("--", "a command is missing", "jwksctl help");
	check_refused("lits", "no command \"lits\"", "\"list\"");
	check_refused("stat", "no command \"stat\"", "\"status\"");
	check_refused("zzzzzzz", "no command \"zzzzzzz\"", "lists");
	check_refused(
	    "x-very-long-word-that-is-no-command", "no command", "lists");
	check_refused("rotate --nwo", "no option --nwo for rotate", "--now");
	check_refused("rotate --all", "no option --all for rotate", "");
	check_refused("list --al", "no option --al", "--all");
	check_refused("list -qz", "no option -z", "");
	check_refused("list --=x", "no option --=x", "");
	check_refused("list a b", "\"b\" is one", "list [KEYSET]");
	check_refused("show", "missing", "show KEY");
	check_refused("rotate --at", "--at needs a value: --at TIME", "");
	check_refused("--at", "--at needs a value", "");
	check_refused("rotate --now=1", "takes no value", "");
	check_refused("rotate --at a --at b", "twice", "");
}

/* Any words at all: an answer, and never a crash. */
static void
test_any_words(void **state)
{
	static const char *const words[] = {"rotate", "list", "call", "-", "--",
	    "-q", "-qh", "--at", "--at=", "--now", "--json", "x", "---",
	    "--=", "-x", "--socket", "--more", "--yes", "help", "keyset", "set",
	    "clock", "accept", "revoke", "--reason"};
	enum { WORDS = sizeof(words) / sizeof(*words) };
	unsigned seed = 7;
	size_t understood = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[256] = "";
		const struct ctl_command *command;
		struct ctl ctl;

		for (int i = 0; i < round % 9; i++) {
			seed = seed * 1103515245 + 12345;
			strcat(text, words[(seed >> 16) % WORDS]);
			strcat(text, " ");
		}
		if (parse(text, &ctl, &command) == JW_OK)
			understood++;
		else
			assert_true(ctl.why.text[0] != '\0');
	}
	assert_true(understood > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_help_sections),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_options_of_commands),
	    cmocka_unit_test(test_methods_are_declared),
	    cmocka_unit_test(test_options_anywhere),
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_two_words),
	    cmocka_unit_test(test_help_needs_nothing),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_any_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
