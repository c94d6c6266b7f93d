/*
 * jwksctl: the command line of a jwksd.  Start order only.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/begin.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "ctl/arguments.h"
#include "ctl/call/context.h"
#include "ctl/command.h"
#include "ctl/complete.h"
#include "ctl/help.h"

#define DEFAULT_SOCKET "/run/jwksd/control.sock"

static const char *
socket_path(const struct ctl *ctl)
{
	const char *path = call_option(ctl, "socket");

	if (path == NULL)
		path = getenv("JWKSCTL_SOCKET");
	return path != NULL && *path != '\0' ? path : DEFAULT_SOCKET;
}

static enum jw_err
take_global_options(struct ctl *ctl)
{
	const char *style = call_option(ctl, "time");

	ctl->socket = socket_path(ctl);
	ctl->json = call_flag(ctl, "json");
	ctl->quiet = call_flag(ctl, "quiet");
	ctl->yes = call_flag(ctl, "yes");
	if (call_flag(ctl, "no-color"))
		ctl->text.colour = false;
	if (style != NULL && !out_text_times_parse(style, &ctl->text.times)) {
		jw_why_set(&ctl->why,
		    "--time: \"%s\" is none of relative, iso and unix", style);
		return JW_USAGE;
	}
	return JW_OK;
}

static enum jw_err
run_command(struct ctl *ctl, const struct ctl_command *command)
{
	bool help = call_flag(ctl, "help");

	/* `help list --help` explains list. */
	if (command != NULL && command->run == ctl_help &&
	    ctl->arguments.count > 0)
		help = false;
	if (help)
		return ctl_help_command(ctl, command);
	if (command == NULL || call_flag(ctl, "version"))
		return ctl_version(ctl);
	return command->run(ctl);
}

static void
report(const struct ctl *ctl, const char *prefix, const char *text)
{
	char *shown = out_text_visible(text, ctl->text.utf8 ? TEXT_UTF8 : 0);

	fprintf(stderr, "%s%s\n", prefix, shown);
	free(shown);
}

/* The exit status, after saying why it is not 0. */
static int
finish(const struct ctl *ctl, enum jw_err err)
{
	if (err == JW_OK && ctl->declined) {
		report(ctl, "jwksctl: ", "nothing was changed");
		return EXIT_FAILURE;
	}
	if (err == JW_OK || (err == JW_IO && ctl->reader_gone))
		return EXIT_SUCCESS;
	report(ctl, "jwksctl: ",
	    ctl->why.text[0] != '\0' ? ctl->why.text : jw_err_text(err));
	if (ctl->why.hint[0] != '\0')
		report(ctl, "hint: ", ctl->why.hint);
	return jw_err_exit(err);
}

int
main(int argc, char *argv[])
{
	struct ctl ctl = {0};
	const struct ctl_command *command = NULL;
	enum jw_err err;

	jw_begin_process();
	jw_log_init("jwksctl");
	varlink_json_init();
	setlocale(LC_CTYPE, "");
	out_text_init(&ctl.text);
	if (argc > 1 && strcmp(argv[1], COMPLETE_COMMAND) == 0) {
		ctl.socket = socket_path(&ctl);
		ctl_complete(&ctl, argc - 1, argv + 1);
		return EXIT_SUCCESS;
	}
	err = ctl_arguments_parse(argc, argv, &ctl, &command);
	if (err == JW_OK)
		err = take_global_options(&ctl);
	if (err == JW_OK)
		err = run_command(&ctl, command);
	return finish(&ctl, err);
}
