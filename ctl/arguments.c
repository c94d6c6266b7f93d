/*
 * The command line.
 *
 * Read twice by getopt_long(): first for the words, which name the command,
 * then for the options, which depend on it.  Must never act: a command line is
 * understood whole, or refused with the reason, before anything is done.
 */
#include "ctl/arguments.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/base/nearest.h"
#include "ctl/call/context.h"
#include "ctl/command.h"

enum {
	OPTIONS_MAX = 48,
	LONG_OPTION = 256, /* getopt_long()'s value of the table's first row */
	NAME_SIZE = 64,
	COMMAND_WORDS = 2,
};

struct getopt_tables {
	char letters[OPTIONS_MAX + 3];
	struct option options[OPTIONS_MAX + 1];
};

static void
make_tables(struct getopt_tables *ret_tables)
{
	const struct ctl_option *rows = ctl_options();
	size_t letters = 2;

	memset(ret_tables, 0, sizeof(*ret_tables));
	/* '-': words are reported where they stand, also with
	 * POSIXLY_CORRECT; ':': getopt_long() prints nothing itself. */
	memcpy(ret_tables->letters, "-:", 2);
	for (int i = 0; rows[i].name != NULL; i++) {
		assert(i < OPTIONS_MAX);
		/* No letter of ours takes a value; the unit test checks it. */
		if (rows[i].letter != 0)
			ret_tables->letters[letters++] = rows[i].letter;
		ret_tables->options[i] = (struct option){
		    rows[i].name, rows[i].value != NULL, NULL, LONG_OPTION + i};
	}
}

static int
next_option(int argc, char *const argv[], const struct getopt_tables *tables)
{
	return getopt_long(argc, argv, tables->letters, tables->options, NULL);
}

/* ---- words ---- */

static void
add_word(struct call_arguments *arguments, const char *word)
{
	if (arguments->count < CALL_WORDS_MAX)
		arguments->words[arguments->count++] = word;
}

static void
take_words(int argc, char *const argv[], const struct getopt_tables *tables,
    struct call_arguments *arguments)
{
	int c;

	optind = 0;
	while ((c = next_option(argc, argv, tables)) != -1)
		if (c == 1)
			add_word(arguments, optarg);
	while (optind < argc)
		add_word(arguments, argv[optind++]);
}

/* The first words name the command ("keyset", "list"); the others stay. */
static enum jw_err
take_command(struct ctl *ctl, const struct ctl_command **ret_command)
{
	struct call_arguments *arguments = &ctl->arguments;
	const char **words = arguments->words;
	char name[NAME_SIZE];
	size_t used = 1;

	*ret_command = NULL;
	if (arguments->count == 0)
		return JW_OK;
	if (arguments->count > 1 && ctl_command_is_group(words[0]))
		used = COMMAND_WORDS;
	snprintf(name, sizeof(name), "%s%s%s", words[0], used > 1 ? " " : "",
	    used > 1 ? words[1] : "");
	*ret_command = ctl_command_find(name);
	if (*ret_command == NULL) {
		ctl_command_unknown(name, &ctl->why);
		return JW_USAGE;
	}
	arguments->count -= used;
	memmove(words, words + used, arguments->count * sizeof(*words));
	return JW_OK;
}

/* ---- options ---- */

static enum jw_err
unknown_option(
    struct ctl *ctl, const struct ctl_command *command, const char *as_given)
{
	const char *name = command != NULL ? command->name : "";
	struct jw_nearest nearest;

	jw_nearest_init(&nearest, as_given + strspn(as_given, "-"));
	for (const struct ctl_option *o = ctl_options(); o->name != NULL; o++)
		if (ctl_option_applies(o, command))
			jw_nearest_consider(&nearest, o->name);
	jw_why_set(&ctl->why, "there is no option %s%s%s", as_given,
	    *name != '\0' ? " for " : "", name);
	if (nearest.best != NULL)
		jw_why_hint(&ctl->why, "did you mean --%s?", nearest.best);
	else
		jw_why_hint(&ctl->why, "`jwksctl help%s%s` lists the options",
		    *name != '\0' ? " " : "", name);
	return JW_USAGE;
}

/*
 * The row for "-q", "--at" or "--at=x"; NULL: none.  getopt_long() would also
 * take abbreviations of names.
 */
static const struct ctl_option *
find_option(const struct ctl_command *command, const char *as_given)
{
	bool is_letter = as_given[1] != '-';
	size_t len = is_letter ? 0 : strcspn(as_given + 2, "=");

	for (const struct ctl_option *o = ctl_options(); o->name != NULL; o++)
		if (ctl_option_applies(o, command) &&
		    (is_letter ? o->letter == as_given[1]
			       : strlen(o->name) == len &&
				     memcmp(o->name, as_given + 2, len) == 0))
			return o;
	return NULL;
}

static enum jw_err
add_option(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	struct call_arguments *arguments = &ctl->arguments;
	bool repeated = call_flag(ctl, option->name);

	if (repeated && option->value != NULL) {
		jw_why_set(&ctl->why, "--%s is given twice", option->name);
		return JW_USAGE;
	}
	if (repeated)
		return JW_OK;
	assert(arguments->noptions < CALL_OPTIONS_MAX);
	arguments->options[arguments->noptions].name = option->name;
	arguments->options[arguments->noptions++].value =
	    value != NULL ? value : "";
	return JW_OK;
}

/* c is the answer of getopt_long() */
static enum jw_err
take_option(struct ctl *ctl, const struct ctl_command *command,
    char *const argv[], int c)
{
	int value = c == '?' || c == ':' ? optopt : c;
	const char letter[] = {'-', (char)value, '\0'};
	const char *as_given = letter;
	const struct ctl_option *option;

	if (value == 0 || value >= LONG_OPTION)
		as_given = argv[optind - 1] != optarg ? argv[optind - 1]
						      : argv[optind - 2];
	option = find_option(command, as_given);
	if (option == NULL)
		return unknown_option(ctl, command, as_given);
	if (c != ':' && c != '?')
		return add_option(ctl, option, optarg);
	if (c == ':')
		jw_why_set(&ctl->why, "--%s needs a value: --%s %s",
		    option->name, option->name, option->value);
	else
		jw_why_set(&ctl->why, "--%s takes no value", option->name);
	return JW_USAGE;
}

static enum jw_err
take_options(int argc, char *const argv[], const struct getopt_tables *tables,
    struct ctl *ctl, const struct ctl_command *command)
{
	enum jw_err err = JW_OK;
	int c;

	optind = 0;
	while (err == JW_OK && (c = next_option(argc, argv, tables)) != -1)
		if (c != 1)
			err = take_option(ctl, command, argv, c);
	return err;
}

/* ---- the whole ---- */

static enum jw_err
check_count(struct ctl *ctl, const struct ctl_command *command)
{
	const struct call_arguments *given = &ctl->arguments;
	bool is_help = call_flag(ctl, "help") || call_flag(ctl, "version");

	if (command == NULL && is_help)
		return JW_OK;
	if (command == NULL) {
		jw_why_set(&ctl->why, "a command is missing");
		jw_why_hint(&ctl->why, "`jwksctl help` lists the commands");
		return JW_USAGE;
	}
	if (given->count > command->max_arguments)
		jw_why_set(&ctl->why, "%s: \"%s\" is one argument too many",
		    command->name, given->words[command->max_arguments]);
	else if (given->count < command->min_arguments && !is_help)
		jw_why_set(
		    &ctl->why, "%s: an argument is missing", command->name);
	else
		return JW_OK;
	jw_why_hint(&ctl->why, "usage: jwksctl %s %s", command->name,
	    command->arguments);
	return JW_USAGE;
}

enum jw_err
ctl_arguments_parse(int argc, char *const argv[], struct ctl *ctl,
    const struct ctl_command **ret_command)
{
	const struct ctl_command *command;
	struct getopt_tables tables;
	enum jw_err err;

	make_tables(&tables);
	memset(&ctl->arguments, 0, sizeof(ctl->arguments));
	take_words(argc, argv, &tables, &ctl->arguments);
	err = take_command(ctl, &command);
	if (err == JW_OK)
		err = take_options(argc, argv, &tables, ctl, command);
	if (err == JW_OK)
		err = check_count(ctl, command);
	if (err == JW_OK)
		*ret_command = command;
	return err;
}

const struct ctl_option *
ctl_arguments_take(int argc, char *const argv[], struct ctl *ctl,
    const struct ctl_command **ret_command)
{
	const struct ctl_option *valued = NULL;
	struct getopt_tables tables;
	int c;

	make_tables(&tables);
	take_words(argc, argv, &tables, &ctl->arguments);
	take_command(ctl, ret_command);
	optind = 0;
	while ((c = next_option(argc, argv, &tables)) != -1)
		if (c == ':')
			valued = find_option(*ret_command, argv[optind - 1]);
		else if (c != 1)
			take_option(ctl, *ret_command, argv, c);
	return valued;
}
