/*
 * The table of commands.
 *
 * The name, value and explanation of each option and the name of each command
 * are declared here and nowhere else; help.txt explains the commands.  A name
 * of two words belongs to the group of its first word, which has a row of its
 * own.
 */
#include "ctl/command.h"

#include <string.h>

#include "common/base/nearest.h"
#include "ctl/call/context.h"
#include "ctl/help.h"

/* One bit for each row that is not an option of every command. */
enum {
	NOW_ROTATE = 1 << 0,
	NOW_ROLLBACK = 1 << 1,
	NOW_ADD = 1 << 2,
	AT_ROTATE = 1 << 3,
	CANCEL = 1 << 4,
	FROM = 1 << 5,
	REASON_REVOKE = 1 << 6,
	FORCE_REVOKE = 1 << 7,
	FORCE_REMOVE = 1 << 8,
	IF_GEN = 1 << 9,
	DRY_RUN = 1 << 10,
	REASON = 1 << 11,
	REQUEST_ID = 1 << 12,
	ALL = 1 << 13,
	LONG = 1 << 14,
	UNTIL = 1 << 15,
	AT_JWKS = 1 << 16,
	CLAIMS = 1 << 17,
	TYPE = 1 << 18,
	TTL = 1 << 19,
	MORE = 1 << 20,

	AUDITED = REASON | REQUEST_ID,
	CHANGES = IF_GEN | DRY_RUN | AUDITED,
};

static const struct ctl_option options[] = {
    {0, "socket", "PATH", "the daemon's control socket", 0},
    {0, "json", NULL, "print the daemon's reply as it came, on one line", 0},
    {0, "quiet", NULL, "print kids only", 'q'},
    {0, "time", "STYLE", "times as relative, iso or unix", 0},
    {0, "yes", NULL, "do not ask before something dangerous", 0},
    {0, "no-color", NULL, "no colours (as NO_COLOR does)", 0},
    {0, "help", NULL, "say how to use jwksctl or a command", 'h'},
    {0, "version", NULL, "print the version", 0},
    {NOW_ROTATE, "now", NULL, "promote at once, whatever verifiers have seen",
	0},
    {NOW_ROLLBACK, "now", NULL, "also to a key that verifiers may not know yet",
	0},
    {NOW_ADD, "now", NULL, "sign at once, whatever an earlier set left behind",
	0},
    {AT_ROTATE, "at", "TIME", "rotate at TIME, never before it is safe", 0},
    {CANCEL, "cancel", NULL, "take a scheduled rotation back", 0},
    {FROM, "from", "FILE", "every key set of FILE, or - for standard input", 0},
    {REASON_REVOKE, "reason", "TEXT", "why: required, kept with the key", 0},
    {FORCE_REVOKE, "force", NULL, "without a ready standby as well", 0},
    {FORCE_REMOVE, "force", NULL, "though tokens of it may still be valid", 0},
    {IF_GEN, "if-gen", "N", "only if generation N is the active one", 0},
    {DRY_RUN, "dry-run", NULL, "say what would happen and change nothing", 'n'},
    {REASON, "reason", "TEXT", "why, for the audit trail", 0},
    {REQUEST_ID, "request-id", "ID", "repeat a request: it is never done twice",
	0},
    {ALL, "all", NULL, "removed and revoked keys as well", 'a'},
    {LONG, "long", NULL, "whole kids", 'l'},
    {UNTIL, "until", "TIME", "how far to look ahead", 0},
    {AT_JWKS, "at", "TIME", "as it will be at TIME", 0},
    {CLAIMS, "claims", "FILE", "a JSON object; - for standard input", 0},
    {TYPE, "type", "TYPE", "the header's typ; JWT by default", 0},
    {TTL, "ttl", "DURATION", "how long it is valid", 0},
    {MORE, "more", NULL, "ask for a stream of replies", 0},
    {0, NULL, NULL, NULL, 0},
};

static const struct ctl_command commands[] = {
    {"status", "", "how the daemon is, and what happens next", "Status", 0, 0,
	0, cmd_status},
    {"list", "[KEYSET]", "the keys of one key set, or of all", "ListKeys",
	ALL | LONG, 0, 1, cmd_list},
    {"show", "KEY", "one key, with its public JWK", "ShowKey", 0, 1, 1,
	cmd_show},
    {"rotate", "[KEYSET]", "let the next key sign, as soon as it is safe",
	"Rotate", NOW_ROTATE | AT_ROTATE | CANCEL | CHANGES, 0, 1, cmd_rotate},
    {"rollback", "[KEYSET]", "let the key before sign again", "Rollback",
	NOW_ROLLBACK | CHANGES, 0, 1, cmd_rollback},
    {"revoke", "KEY", "never trust a key again, whatever it signed", "Revoke",
	REASON_REVOKE | FORCE_REVOKE | IF_GEN | DRY_RUN | REQUEST_ID, 1, 1,
	cmd_revoke},
    {"freeze", "[KEYSET]", "stop all rotation, of one key set or of all",
	"Freeze", AUDITED, 0, 1, cmd_freeze},
    {"thaw", "[KEYSET]", "take a freeze back", "Freeze", AUDITED, 0, 1,
	cmd_thaw},
    {"plan", "[KEYSET]", "every coming change, with its time and cause", "Plan",
	UNTIL, 0, 1, cmd_plan},
    {"jwks", "[KEYSET]", "the JWKSet as it is published, or will be", "GetJwks",
	AT_JWKS, 0, 1, cmd_jwks},
    {"sign", "[KEYSET]", "a token of the active key, for a test", NULL,
	CLAIMS | TYPE | TTL, 0, 1, cmd_sign},
    {"verify", "TOKEN|-", "is a token one of ours, and good?", "Verify", 0, 1,
	1, cmd_verify},
    {"watch", "[KEYSET]", "follow the changes, one line each", "Monitor", 0, 0,
	1, cmd_watch},
    {"keyset", "", "the key sets, and what governs them", "ListKeySets", 0, 0,
	0, cmd_keyset_list},
    {"keyset list", "", "every key set, one line each", "ListKeySets", 0, 0, 0,
	cmd_keyset_list},
    {"keyset show", "NAME", "one key set, with its whole policy", "ListKeySets",
	0, 1, 1, cmd_keyset_show},
    {"keyset set", "NAME PARAM=VALUE...", "change the policy of a key set",
	"SetPolicy", CHANGES, 2, CALL_ARGUMENTS_MAX, cmd_keyset_set},
    {"keyset add", "NAME [PARAM=VALUE...] | --from FILE",
	"make a key set, or many", "AddKeySet",
	NOW_ADD | FROM | DRY_RUN | AUDITED, 0, CALL_ARGUMENTS_MAX,
	cmd_keyset_add},
    {"keyset remove", "NAME", "a key set goes, for ever", "RemoveKeySet",
	FORCE_REMOVE | CHANGES, 1, 1, cmd_keyset_remove},
    {"clock", "", "is the wall clock trusted, and what that stops", "Status", 0,
	0, 0, cmd_clock},
    {"clock accept", "", "the wall clock is right as it is now", "AcceptClock",
	AUDITED, 0, 0, cmd_clock_accept},
    {"reload", "", "read the configuration again, all of it or nothing",
	"Reload", 0, 0, 0, cmd_reload},
    {"call", "METHOD [JSON|-]", "call any method of the socket", NULL, MORE, 1,
	2, cmd_call},
    {"introspect", "[INTERFACE]", "which interfaces the socket has", NULL, 0, 0,
	1, cmd_introspect},
    {"help", "[COMMAND]", "how to use jwksctl or one command", NULL, 0, 0, 2,
	ctl_help},
    {"version", "", "the version of jwksctl", NULL, 0, 0, 0, ctl_version},
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
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const struct ctl_option *
ctl_options(void)
{
	return options;
}

bool
ctl_option_applies(
    const struct ctl_option *option, const struct ctl_command *command)
{
	return option->bit == 0 || command == NULL ||
	       (command->options & option->bit) != 0;
}

bool
ctl_command_in_group(const struct ctl_command *command, const char *group)
{
	size_t len = strlen(group);

	return strncmp(command->name, group, len) == 0 &&
	       command->name[len] == ' ';
}

bool
ctl_command_is_group(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (ctl_command_in_group(&commands[i], name))
			return true;
	return false;
}

void
ctl_command_unknown(const char *name, struct jw_why *why)
{
	int group = (int)strcspn(name, " ");
	struct jw_nearest nearest;

	jw_nearest_init(&nearest, name);
	for (size_t i = 0; i < COMMANDS; i++)
		jw_nearest_consider(&nearest, commands[i].name);
	jw_why_set(why, "there is no command \"%s\"", name);
	if (nearest.best != NULL)
		jw_why_hint(why, "did you mean \"%s\"?", nearest.best);
	else if (name[group] != '\0')
		jw_why_hint(why, "`jwksctl help %.*s` lists them", group, name);
	else
		jw_why_hint(why, "`jwksctl help` lists the commands");
}
