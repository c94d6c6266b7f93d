/*
 * The command line.
 *
 * Options and arguments as the table of commands declares them.  Nothing here
 * acts: a line is understood whole, or refused with the reason, before
 * anything is done.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/base/nearest.h"
#include "ctl/call/command.h"

static void
consider_options(const struct ctl_option *options, struct jw_nearest *nearest)
{
	for (; options->name != NULL; options++)
		jw_nearest_consider(nearest, options->name);
}

static enum jw_err
unknown_option(const struct ctl_command *command, const char *name,
    const char *as_given, struct jw_why *why)
{
	struct jw_nearest nearest;

	jw_nearest_init(&nearest, name);
	consider_options(ctl_global_options(), &nearest);
	if (command != NULL)
		consider_options(command->options, &nearest);
	jw_why_set(why, "there is no option %s%s%s", as_given,
	    command != NULL ? " for " : "",
	    command != NULL ? command->name : "");
	if (nearest.best != NULL)
		jw_why_hint(why, "did you mean --%s?", nearest.best);
	else
		jw_why_hint(why, "`jwksctl help%s%s` lists the options",
		    command != NULL ? " " : "",
		    command != NULL ? command->name : "");
	return JW_USAGE;
}

/* ---- one word of the line after the other ---- */

struct cursor {
	int argc;
	char *const *argv;
	int next;
	const char *letters; /* what is left of "-qa" */
	bool no_options;     /* "--" was seen */
};

struct token {
	const char *word;                /* an argument, or NULL */
	const struct ctl_option *option; /* else this */
	const char *value;
};

static const struct ctl_option *
option_in(const struct ctl_option *options, const char *name, size_t len)
{
	for (; options->name != NULL; options++) {
		/* A letter is looked up as a name of length 0. */
		if (len == 0 ? options->letter == *name
			     : strlen(options->name) == len &&
				   strncmp(options->name, name, len) == 0)
			return options;
	}
	return NULL;
}

/*
 * While the command is not known yet, any command's option will do: those of
 * one name either all take a value or none does.
 */
static const struct ctl_option *
option_find(const struct ctl_command *command, const char *name, size_t len)
{
	const struct ctl_option *found =
	    option_in(ctl_global_options(), name, len);
	const struct ctl_command *any;

	if (found != NULL)
		return found;
	if (command != NULL)
		return option_in(command->options, name, len);
	for (size_t i = 0; (any = ctl_command_at(i)) && found == NULL; i++)
		found = option_in(any->options, name, len);
	return found;
}

static enum jw_err
ctl_take_value(struct cursor *cursor, struct token *token, struct jw_why *why)
{
	if (cursor->next == cursor->argc) {
		jw_why_set(why, "--%s needs a value: --%s %s",
		    token->option->name, token->option->name,
		    token->option->value);
		return JW_USAGE;
	}
	token->value = cursor->argv[cursor->next++];
	return JW_OK;
}

static enum jw_err
next_long(struct cursor *cursor, const struct ctl_command *command,
    const char *name, struct token *token, struct jw_why *why)
{
	size_t len = strcspn(name, "=");
	const struct ctl_option *option =
	    len == 0 ? NULL : option_find(command, name, len);

	if (option == NULL)
		return unknown_option(command, name, name - 2, why);
	token->option = option;
	token->value = "";
	if (option->value != NULL && name[len] == '=')
		token->value = name + len + 1;
	else if (option->value != NULL)
		return ctl_take_value(cursor, token, why);
	else if (name[len] == '=') {
		jw_why_set(why, "--%s takes no value", option->name);
		return JW_USAGE;
	}
	return JW_OK;
}

static enum jw_err
next_letter(struct cursor *cursor, const struct ctl_command *command,
    struct token *token, struct jw_why *why)
{
	char as_given[] = {'-', *cursor->letters, '\0'};
	const struct ctl_option *option =
	    option_find(command, cursor->letters, 0);

	cursor->letters++;
	if (*cursor->letters == '\0')
		cursor->letters = NULL;
	if (option == NULL)
		return unknown_option(command, as_given + 1, as_given, why);
	/* No letter of ours takes a value; the unit test holds that. */
	token->option = option;
	token->value = "";
	return JW_OK;
}

/* word and option are both NULL at the end of the line. */
static enum jw_err
next_token(struct cursor *cursor, const struct ctl_command *command,
    struct token *ret_token, struct jw_why *why)
{
	const char *word;

	memset(ret_token, 0, sizeof(*ret_token));
	if (cursor->letters != NULL)
		return next_letter(cursor, command, ret_token, why);
	if (cursor->next == cursor->argc)
		return JW_OK;
	word = cursor->argv[cursor->next++];
	if (!cursor->no_options && strcmp(word, "--") == 0) {
		cursor->no_options = true;
		return next_token(cursor, command, ret_token, why);
	}
	if (cursor->no_options || word[0] != '-' || word[1] == '\0') {
		ret_token->word = word;
		return JW_OK;
	}
	if (word[1] == '-')
		return next_long(cursor, command, word + 2, ret_token, why);
	cursor->letters = word + 1;
	return next_letter(cursor, command, ret_token, why);
}

/* ---- the whole line ---- */

enum { WORDS = 2, WORDS_SIZE = 64 };

/*
 * The first words that are neither an option nor the value of one; those that
 * are not there are NULL.
 */
static void
first_words(int argc, char *const argv[], const char *words[static WORDS])
{
	struct cursor cursor = {.argc = argc, .argv = argv, .next = 1};
	struct token token;
	size_t found = 0;
	enum jw_err err;

	words[0] = words[1] = NULL;
	do {
		err = next_token(&cursor, NULL, &token, NULL);
		if (token.word != NULL)
			words[found++] = token.word;
	} while (found < WORDS &&
		 (err != JW_OK || token.option != NULL || token.word != NULL));
}

/* "keyset" and "list" are "keyset list"; it has *ret_words words. */
static enum jw_err
find_command(int argc, char *const argv[],
    const struct ctl_command **ret_command, size_t *ret_words,
    struct jw_why *why)
{
	const char *words[WORDS];
	char name[WORDS_SIZE];
	size_t used;

	first_words(argc, argv, words);
	*ret_command = NULL;
	*ret_words = 0;
	if (words[0] == NULL)
		return JW_OK;
	used = words[1] != NULL && ctl_command_is_group(words[0]) ? 2 : 1;
	snprintf(name, sizeof(name), "%s%s%s", words[0], used > 1 ? " " : "",
	    used > 1 ? words[1] : "");
	*ret_command = ctl_command_find(name);
	*ret_words = used;
	if (*ret_command != NULL)
		return JW_OK;
	ctl_command_unknown(name, why);
	return JW_USAGE;
}

static enum jw_err
add_option(struct ctl_line *line, const struct token *token, struct jw_why *why)
{
	const char *before = ctl_line_value(line, token->option->name);

	if (before != NULL && token->option->value != NULL) {
		jw_why_set(why, "--%s is there twice", token->option->name);
		return JW_USAGE;
	}
	if (before != NULL)
		return JW_OK;
	assert(line->ngiven < CTL_GIVEN_MAX);
	line->given[line->ngiven].option = token->option;
	line->given[line->ngiven++].value = token->value;
	return JW_OK;
}

static enum jw_err
add_word(struct ctl_line *line, const char *word, struct jw_why *why)
{
	/* first_words() cuts the line into the same words. */
	assert(line->command != NULL);
	if (line->nargs == line->command->max_args) {
		jw_why_set(why, "%s: \"%s\" is one argument too many",
		    line->command->name, word);
		jw_why_hint(why, "usage: jwksctl %s %s", line->command->name,
		    line->command->arguments);
		return JW_USAGE;
	}
	line->args[line->nargs++] = word;
	return JW_OK;
}

static enum jw_err
ctl_check_line(const struct ctl_line *line, struct jw_why *why)
{
	if (ctl_line_flag(line, "help") || ctl_line_flag(line, "version"))
		return JW_OK;
	if (line->command == NULL) {
		jw_why_set(why, "a command is missing");
		jw_why_hint(why, "`jwksctl help` lists the commands");
		return JW_USAGE;
	}
	if (line->nargs < line->command->min_args) {
		jw_why_set(
		    why, "%s: an argument is missing", line->command->name);
		jw_why_hint(why, "usage: jwksctl %s %s", line->command->name,
		    line->command->arguments);
		return JW_USAGE;
	}
	return JW_OK;
}

/*
 * Options and arguments, once the command (or that there is none) is known;
 * its name has `skip` words.
 */
static enum jw_err
parse_rest(int argc, char *const argv[], size_t skip, struct ctl_line *line,
    struct jw_why *why)
{
	struct cursor cursor = {.argc = argc, .argv = argv, .next = 1};
	struct token token;
	enum jw_err err;

	for (;;) {
		err = next_token(&cursor, line->command, &token, why);
		if (err != JW_OK)
			return err;
		if (token.option != NULL)
			err = add_option(line, &token, why);
		else if (token.word == NULL)
			return ctl_check_line(line, why);
		else if (skip > 0)
			skip--;
		else
			err = add_word(line, token.word, why);
		if (err != JW_OK)
			return err;
	}
}

enum jw_err
ctl_line_parse(
    int argc, char *const argv[], struct ctl_line *ret_line, struct jw_why *why)
{
	struct ctl_line line = {0};
	size_t words;
	enum jw_err err;

	err = find_command(argc, argv, &line.command, &words, why);
	if (err == JW_OK)
		err = parse_rest(argc, argv, words, &line, why);
	if (err == JW_OK)
		*ret_line = line;
	return err;
}

const char *
ctl_line_value(const struct ctl_line *line, const char *name)
{
	for (size_t i = 0; i < line->ngiven; i++) {
		if (strcmp(line->given[i].option->name, name) == 0)
			return line->given[i].value;
	}
	return NULL;
}

bool
ctl_line_flag(const struct ctl_line *line, const char *name)
{
	return ctl_line_value(line, name) != NULL;
}
