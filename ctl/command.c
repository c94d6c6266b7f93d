/*
 * The table of commands and the command line.
 *
 * What an option or a command is called, takes and says in help is declared
 * here and nowhere else.  Nothing here acts: a line is understood whole, or
 * refused with the reason, before anything is done.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "ctl/command.h"

#define END                         \
	{                           \
		NULL, NULL, NULL, 0 \
	}

static const struct ctl_option no_options[] = {END};

static const struct ctl_option global_options[] = {
    {"socket", "PATH", "the daemon's control socket", 0},
    {"json", NULL, "print the daemon's reply as it came, on one line", 0},
    {"quiet", NULL, "print kids only", 'q'},
    {"time", "STYLE", "times as relative, iso or unix", 0},
    {"yes", NULL, "do not ask before something dangerous", 0},
    {"no-color", NULL, "no colours (as NO_COLOR does)", 0},
    {"help", NULL, "say how to use jwksctl or a command", 'h'},
    {"version", NULL, "print the version", 0},
    END,
};

static const struct ctl_option list_options[] = {
    {"all", NULL, "removed and revoked keys as well", 'a'},
    {"long", NULL, "whole kids", 'l'},
    END,
};

static const struct ctl_option rotate_options[] = {
    {"now", NULL, "promote at once, whatever verifiers have seen", 0},
    {"at", "TIME", "rotate at TIME, never before it is safe", 0},
    {"cancel", NULL, "take a scheduled rotation back", 0},
    {"if-gen", "N", "only if generation N is the active one", 0},
    {"dry-run", NULL, "say what would happen and change nothing", 'n'},
    {"reason", "TEXT", "why, for the audit trail", 0},
    {"request-id", "ID", "repeat a request: it is never done twice", 0},
    END,
};

static const struct ctl_option plan_options[] = {
    {"until", "TIME", "how far to look ahead", 0},
    END,
};

static const struct ctl_option jwks_options[] = {
    {"at", "TIME", "as it will be at TIME", 0},
    END,
};

static const struct ctl_option call_options[] = {
    {"more", NULL, "ask for a stream of replies", 0},
    END,
};

static const struct ctl_command commands[] = {
    {"status", "", "how the daemon is, and what happens next",
	"Exit status 0 means that the daemon answered, with warnings or\n"
	"without.\n",
	"jwksctl status\n"
	"jwksctl status --json | jq .warnings\n",
	"Status", no_options, 0, 0, ctl_status},
    {"list", "[KEYSET]", "the keys of one key set, or of all",
	"The active key comes first, then those that wait for their turn,\n"
	"then the retired ones.  NEXT is what happens to a key, and when.\n",
	"jwksctl list\n"
	"jwksctl list default --all --long\n"
	"jwksctl list -q\n",
	"ListKeys", list_options, 0, 1, ctl_list},
    {"show", "KEY", "one key, with its public JWK",
	"KEY is a unique prefix of a kid, or KEYSET#GENERATION.\n",
	"jwksctl show default#2\n"
	"jwksctl show Ab3dE --time=iso\n",
	"ShowKey", no_options, 1, 1, ctl_show},
    {"rotate", "[KEYSET]", "let the next key sign, as soon as it is safe",
	"With a standby that every verifier has, at once; otherwise the\n"
	"rotation is scheduled for the moment at which that is so.\n"
	"\n"
	"--now does not wait.  It says first who may reject tokens until\n"
	"when, and asks; without a terminal it needs --yes.  With --yes\n"
	"and --request-id it asks and looks at nothing, so that a script\n"
	"can repeat it.\n"
	"\n"
	"TIME: 2026-12-01, 2026-12-01T04:00:00Z, +30min, tomorrow,\n"
	"@1796083200.\n",
	"jwksctl rotate\n"
	"jwksctl rotate default --at tomorrow --reason \"change 4711\"\n"
	"jwksctl rotate --now --dry-run\n"
	"jwksctl rotate --cancel\n",
	"Rotate", rotate_options, 0, 1, ctl_rotate},
    {"plan", "[KEYSET]", "every coming change, with its time and cause",
	"Computed by the function that will perform the changes.\n",
	"jwksctl plan\n"
	"jwksctl plan default --until +90d --time=iso\n",
	"Plan", plan_options, 0, 1, ctl_plan},
    {"jwks", "[KEYSET]", "the JWKSet as it is published, or will be",
	"Prints the JWKSet itself; with --json the whole reply.\n",
	"jwksctl jwks\n"
	"jwksctl jwks default --at +25h\n",
	"GetJwks", jwks_options, 0, 1, ctl_jwks},
    {"watch", "[KEYSET]", "follow the changes, one line each",
	"First every living key, then each change as it happens, until\n"
	"interrupted.  With --json one object a line.\n",
	"jwksctl watch\n"
	"jwksctl watch --json | jq -r .event\n",
	"Monitor", no_options, 0, 1, ctl_watch},
    {"call", "METHOD [JSON|-]", "call any method of the socket",
	"METHOD without a dot belongs to org.jwksd.keys.  The parameters\n"
	"are a JSON object, or - to read it from standard input.  Each\n"
	"reply is printed on a line.\n",
	"jwksctl call Status\n"
	"jwksctl call ShowKey '{\"key\":\"default#1\"}'\n"
	"jwksctl call --more Monitor\n",
	NULL, call_options, 1, 2, ctl_call},
    {"introspect", "[INTERFACE]", "which interfaces the socket has",
	"With INTERFACE, its description: every method and error.\n",
	"jwksctl introspect\n"
	"jwksctl introspect org.jwksd.keys\n",
	NULL, no_options, 0, 1, ctl_introspect},
    {"help", "[COMMAND]", "how to use jwksctl or one command", "",
	"jwksctl help rotate\n", NULL, no_options, 0, 1, ctl_help},
    {"version", "", "the version of jwksctl",
	"That of the daemon is a part of `jwksctl status`.\n",
	"jwksctl version\n", NULL, no_options, 0, 0, ctl_version},
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

const struct ctl_command *
ctl_command_at(size_t index)
{
	return index < COMMANDS ? &commands[index] : NULL;
}

const struct ctl_command *
ctl_command_find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

const struct ctl_option *
ctl_global_options(void)
{
	return global_options;
}

/* ---- which name was meant ---- */

enum { NAME_MAX_LEN = 24, DISTANCE_NEAR = 2 };

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance; SIZE_MAX for a name longer than any of ours. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], blen = strlen(b);

	if (blen > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < blen; j++) {
			size_t above = row[j + 1];

			row[j + 1] = least(
			    diagonal + (a[i] != b[j]), above + 1, row[j] + 1);
			diagonal = above;
		}
	}
	return row[blen];
}

/* A better candidate than *best replaces it. */
static void
consider(const char *candidate, const char *name, const char **best,
    size_t *best_distance)
{
	size_t d = distance(candidate, name);

	/* "rot" is no typing mistake, but as clear. */
	if (strlen(name) >= 2 && strncmp(candidate, name, strlen(name)) == 0)
		d = 1;
	if (d < *best_distance) {
		*best = candidate;
		*best_distance = d;
	}
}

void
ctl_command_unknown(const char *name, struct jw_why *why)
{
	const char *best = NULL;
	size_t best_distance = DISTANCE_NEAR + 1;

	for (size_t i = 0; i < COMMANDS; i++)
		consider(commands[i].name, name, &best, &best_distance);
	jw_why_set(why, "there is no command \"%s\"", name);
	if (best != NULL)
		jw_why_hint(why, "did you mean \"%s\"?", best);
	else
		jw_why_hint(why, "`jwksctl help` lists the commands");
}

static void
consider_options(const struct ctl_option *options, const char *name,
    const char **best, size_t *best_distance)
{
	for (; options->name != NULL; options++)
		consider(options->name, name, best, best_distance);
}

static enum jw_err
unknown_option(const struct ctl_command *command, const char *name,
    const char *as_given, struct jw_why *why)
{
	const char *best = NULL;
	size_t best_distance = DISTANCE_NEAR + 1;

	consider_options(global_options, name, &best, &best_distance);
	if (command != NULL)
		consider_options(command->options, name, &best, &best_distance);
	jw_why_set(why, "there is no option %s%s%s", as_given,
	    command != NULL ? " for " : "",
	    command != NULL ? command->name : "");
	if (best != NULL)
		jw_why_hint(why, "did you mean --%s?", best);
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
	const struct ctl_option *found = option_in(global_options, name, len);

	if (found != NULL)
		return found;
	if (command != NULL)
		return option_in(command->options, name, len);
	for (size_t i = 0; i < COMMANDS && found == NULL; i++)
		found = option_in(commands[i].options, name, len);
	return found;
}

static enum jw_err
take_value(struct cursor *cursor, struct token *token, struct jw_why *why)
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
		return take_value(cursor, token, why);
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

/* The first word that is neither an option nor the value of one. */
static const char *
command_word(int argc, char *const argv[])
{
	struct cursor cursor = {.argc = argc, .argv = argv, .next = 1};
	struct token token;
	enum jw_err err;

	do {
		err = next_token(&cursor, NULL, &token, NULL);
		if (token.word != NULL)
			return token.word;
	} while (err != JW_OK || token.option != NULL);
	return NULL;
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
	/* command_word() cuts the line into the same words. */
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
check_line(const struct ctl_line *line, struct jw_why *why)
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

/* Options and arguments, once the command (or that there is none) is known. */
static enum jw_err
parse_rest(
    int argc, char *const argv[], struct ctl_line *line, struct jw_why *why)
{
	struct cursor cursor = {.argc = argc, .argv = argv, .next = 1};
	struct token token;
	bool seen_command = false;
	enum jw_err err;

	for (;;) {
		err = next_token(&cursor, line->command, &token, why);
		if (err != JW_OK)
			return err;
		if (token.option != NULL)
			err = add_option(line, &token, why);
		else if (token.word == NULL)
			return check_line(line, why);
		else if (seen_command)
			err = add_word(line, token.word, why);
		else
			seen_command = true;
		if (err != JW_OK)
			return err;
	}
}

enum jw_err
ctl_line_parse(
    int argc, char *const argv[], struct ctl_line *ret_line, struct jw_why *why)
{
	struct ctl_line line = {0};
	const char *name = command_word(argc, argv);
	enum jw_err err;

	if (name != NULL) {
		line.command = ctl_command_find(name);
		if (line.command == NULL) {
			ctl_command_unknown(name, why);
			return JW_USAGE;
		}
	}
	err = parse_rest(argc, argv, &line, why);
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
