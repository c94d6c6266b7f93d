/*
 * help and version, from the table of commands and help.txt.
 */
#include "ctl/help.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ctl/call/context.h"
#include "ctl/command.h"

enum { NAME_SIZE = 64 };

const char *
ctl_help_section(const char *name)
{
	size_t len = strlen(name);
	const char *at = ctl_help_text;

	for (; at != NULL; at = strstr(at, "\n= ")) {
		at += strspn(at, "\n= ");
		if (strncmp(at, name, len) == 0 && at[len] == '\n')
			return at + len + 1;
	}
	return NULL;
}

/* Print the lines up to "--" or the end of a section; returns the next one. */
static const char *
print_indented(const char *text)
{
	while (*text != '\0' && strncmp(text, "\n= ", 3) != 0) {
		size_t len = strcspn(text, "\n");
		const char *next = text + len + (text[len] == '\n');

		if (len == 2 && strncmp(text, "--", len) == 0)
			return next;
		printf("%s%.*s\n", len > 0 ? "  " : "", (int)len, text);
		text = next;
	}
	return text;
}

/* The options of one command, or (NULL) those of every command. */
static void
print_options(const struct ctl_command *command)
{
	char name[32];

	for (const struct ctl_option *o = ctl_options(); o->name != NULL; o++) {
		if (command != NULL ? (o->bit & command->options) == 0
				    : o->bit != 0)
			continue;
		snprintf(name, sizeof(name), "--%s%s%s", o->name,
		    o->value != NULL ? " " : "",
		    o->value != NULL ? o->value : "");
		if (o->letter != 0)
			printf("  -%c, ", o->letter);
		else
			fputs("      ", stdout);
		printf("%-16s  %s\n", name, o->help);
	}
}

/* Those whose first word is `group`, or (NULL) all. */
static void
print_commands(const char *group)
{
	const struct ctl_command *command;

	for (size_t i = 0; (command = ctl_command_at(i)) != NULL; i++)
		if (group == NULL || ctl_command_in_group(command, group))
			printf(
			    "  %-13s  %s\n", command->name, command->summary);
}

static void
print_overview(void)
{
	puts("Look at, rotate and revoke the signing keys of a jwksd.\n\n"
	     "usage: jwksctl [OPTION...] COMMAND [ARGUMENT...]\n\n"
	     "commands:");
	print_commands(NULL);
	puts("\noptions, before or after the command:");
	print_options(NULL);
	puts("\n`jwksctl help COMMAND` says more, with examples.\n\n"
	     "The socket is --socket, else JWKSCTL_SOCKET, else\n"
	     "/run/jwksd/control.sock.  Exit status: 64 usage, 69 no daemon,\n"
	     "75 a conflict or try again, 76 a reply without sense, 77 not\n"
	     "allowed; 1 when the answer to a question was no.\n\n"
	     "With --json an error of the daemon is\n"
	     "{\"error\":NAME,\"parameters\":{...}}.");
}

static void
print_command(const struct ctl_command *command)
{
	const char *text = ctl_help_section(command->name);

	assert(text != NULL);
	printf("usage: jwksctl %s [OPTION...]%s%s\n\n  %s\n", command->name,
	    command->arguments[0] != '\0' ? " " : "", command->arguments,
	    command->summary);
	if (strncmp(text, "--\n", 3) != 0)
		putchar('\n');
	text = print_indented(text);
	if (ctl_command_is_group(command->name)) {
		puts("\ncommands:");
		print_commands(command->name);
	}
	if (command->options != 0) {
		puts("\noptions:");
		print_options(command);
	}
	puts("\noptions of every command: `jwksctl help`\n\nexamples:");
	print_indented(text);
}

enum jw_err
ctl_help_command(struct ctl *ctl, const struct ctl_command *command)
{
	if (command == NULL)
		print_overview();
	else
		print_command(command);
	return call_flush(ctl);
}

enum jw_err
ctl_help(struct ctl *ctl)
{
	const struct call_arguments *given = &ctl->arguments;
	const struct ctl_command *command = NULL;
	char name[NAME_SIZE];

	if (given->count > 0) {
		snprintf(name, sizeof(name), "%s%s%s", given->words[0],
		    given->count > 1 ? " " : "",
		    given->count > 1 ? given->words[1] : "");
		command = ctl_command_find(name);
	}
	if (given->count > 0 && command == NULL) {
		ctl_command_unknown(name, &ctl->why);
		return JW_USAGE;
	}
	return ctl_help_command(ctl, command);
}

enum jw_err
ctl_version(struct ctl *ctl)
{
	if (ctl->json)
		puts("{\"version\":\"" JWKSD_VERSION "\"}");
	else
		puts("jwksctl " JWKSD_VERSION);
	return call_flush(ctl);
}
