/*
 * The table of commands.
 *
 * The name, value and explanation of each option and command are declared here
 * and nowhere else.  A name of two words belongs to the group of its first
 * word, which has a row of its own.
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
    {"status", "", "how the daemon is, and what happens next",
	"Exit status 0 means that the daemon answered, with warnings or\n"
	"without.\n",
	"jwksctl status\n"
	"jwksctl status --json | jq .warnings\n",
	"Status", 0, 0, 0, cmd_status},
    {"list", "[KEYSET]", "the keys of one key set, or of all",
	"The active key comes first, then those that wait for their turn,\n"
	"then the retired ones.  NEXT is what happens to a key, and when.\n",
	"jwksctl list\n"
	"jwksctl list default --all --long\n"
	"jwksctl list -q\n",
	"ListKeys", ALL | LONG, 0, 1, cmd_list},
    {"show", "KEY", "one key, with its public JWK",
	"KEY is a unique prefix of a kid, or KEYSET#GENERATION.\n",
	"jwksctl show default#2\n"
	"jwksctl show Ab3dE --time=iso\n",
	"ShowKey", 0, 1, 1, cmd_show},
    {"rotate", "[KEYSET]", "let the next key sign, as soon as it is safe",
	"With a standby that every verifier has, at once; otherwise the\n"
	"rotation is scheduled for the moment at which that is so.\n"
	"\n"
	"--now does not wait.  It says first who may reject tokens until\n"
	"when, and asks; without a terminal it needs --yes.  With --yes\n"
	"and --request-id it shows and asks nothing, so that a script can\n"
	"repeat it.\n"
	"\n"
	"TIME: 2026-12-01, 2026-12-01T04:00:00Z, +30min, tomorrow,\n"
	"@1796083200.\n",
	"jwksctl rotate\n"
	"jwksctl rotate default --at tomorrow --reason \"change 4711\"\n"
	"jwksctl rotate --now --dry-run\n"
	"jwksctl rotate --cancel\n",
	"Rotate",
	NOW_ROTATE | AT_ROTATE | CANCEL | IF_GEN | DRY_RUN | REASON |
	    REQUEST_ID,
	0, 1, cmd_rotate},
    {"rollback", "[KEYSET]", "let the key before sign again",
	"For a new key that some verifier cannot use.  Possible until the\n"
	"rollback_window of the retired key is over.  The bad generation\n"
	"stays published until its tokens have expired; a key that leaked is\n"
	"to be revoked instead.\n"
	"\n"
	"A key that signed by `rotate --now` before it was ready may still be\n"
	"unknown to verifiers: it is refused until it is ready, and --now\n"
	"goes back to it all the same.\n"
	"\n"
	"Says first what will happen, and asks; without a terminal it needs\n"
	"--yes.  With --yes and --request-id it shows and asks nothing.\n",
	"jwksctl rollback\n"
	"jwksctl rollback default --dry-run\n"
	"jwksctl rollback default --if-gen 3 --yes --reason \"change 4712\"\n",
	"Rollback", NOW_ROLLBACK | IF_GEN | DRY_RUN | REASON | REQUEST_ID, 0, 1,
	cmd_rollback},
    {"revoke", "KEY", "never trust a key again, whatever it signed",
	"KEY is a unique prefix of a kid, or KEYSET#GENERATION.  It leaves\n"
	"the JWKSet at once, and a ready standby takes over when it was the\n"
	"signer; without one only --force goes on.  --reason is required.\n"
	"\n"
	"Says first who may still accept its tokens, and who may reject new\n"
	"ones, until when; then asks.  Without a terminal it needs --yes.\n"
	"With --yes and --request-id it shows and asks nothing.\n"
	"\n"
	"Verifiers without expiry drop the key when they see a kid that is\n"
	"new to them.  So a second rotation is offered, or shown\n"
	"as the command to give.\n",
	"jwksctl revoke default#2 --reason \"laptop stolen\" --dry-run\n"
	"jwksctl revoke Ab3dE --reason \"change 4713\"\n"
	"jwksctl revoke -- -9xYz --reason \"of a kid that begins with -\"\n",
	"Revoke", REASON_REVOKE | FORCE_REVOKE | IF_GEN | DRY_RUN | REQUEST_ID,
	1, 1, cmd_revoke},
    {"freeze", "[KEYSET]", "stop all rotation, of one key set or of all",
	"Nothing becomes ready, rotates, is removed or destroyed until\n"
	"`jwksctl thaw`.  Serving, signing, rollback and revoke go on.\n",
	"jwksctl freeze --reason \"incident 17\"\n"
	"jwksctl freeze default\n",
	"Freeze", REASON | REQUEST_ID, 0, 1, cmd_freeze},
    {"thaw", "[KEYSET]", "take a freeze back",
	"Without KEYSET the freeze of all key sets; one that was frozen by\n"
	"its name stays so.  What is due happens: at most one rotation of\n"
	"each key set.\n",
	"jwksctl thaw\n"
	"jwksctl thaw default --reason \"incident 17 is over\"\n",
	"Freeze", REASON | REQUEST_ID, 0, 1, cmd_thaw},
    {"plan", "[KEYSET]", "every coming change, with its time and cause",
	"Computed by the function that will perform the changes.\n",
	"jwksctl plan\n"
	"jwksctl plan default --until +90d --time=iso\n",
	"Plan", UNTIL, 0, 1, cmd_plan},
    {"jwks", "[KEYSET]", "the JWKSet as it is published, or will be",
	"Prints the JWKSet itself; with --json the whole reply.\n",
	"jwksctl jwks\n"
	"jwksctl jwks default --at +25h\n",
	"GetJwks", AT_JWKS, 0, 1, cmd_jwks},
    {"sign", "[KEYSET]", "a token of the active key, for a test",
	"Asks on sign.sock, beside the control socket.  exp is set from\n"
	"--ttl, or to 5min from now where the claims have none; iat to now.\n"
	"Prints the token; with -q the kid that signed it.\n",
	"jwksctl sign --ttl 10min\n"
	"echo '{\"sub\": \"alice\"}' | jwksctl sign default --claims -\n"
	"jwksctl sign --claims claims.json --type at+jwt\n",
	NULL, CLAIMS | TYPE | TTL, 0, 1, cmd_sign},
    {"verify", "TOKEN|-", "is a token one of ours, and good?",
	"Says which generation signed it, whether that is still published,\n"
	"and why the token is not valid.  Exit status 65 when it is not.\n",
	"jwksctl sign | jwksctl verify -\n"
	"jwksctl verify eyJhbGciOiJFUzI1NiIsImtpZCI6...\n",
	"Verify", 0, 1, 1, cmd_verify},
    {"watch", "[KEYSET]", "follow the changes, one line each",
	"First every living key, then each change as it happens, until\n"
	"interrupted.  With --json one object a line.\n",
	"jwksctl watch\n"
	"jwksctl watch --json | jq -r .event\n",
	"Monitor", 0, 0, 1, cmd_watch},
    {"keyset", "", "the key sets, and what governs them",
	"Alone it is `keyset list`.\n",
	"jwksctl keyset\n"
	"jwksctl keyset -q\n",
	"ListKeySets", 0, 0, 0, cmd_keyset_list},
    {"keyset list", "", "every key set, one line each",
	"MODE is auto, manual or frozen, as it is in force; VERSION counts\n"
	"the changes of the published bytes.  -q prints names only.\n",
	"jwksctl keyset list\n"
	"jwksctl keyset list --json | jq '.keySets[].policy'\n",
	"ListKeySets", 0, 0, 0, cmd_keyset_list},
    {"keyset show", "NAME", "one key set, with its whole policy",
	"Every parameter with its value and what it means.\n",
	"jwksctl keyset show default\n"
	"jwksctl keyset show default --json | jq .keySet.policy\n",
	"ListKeySets", 0, 1, 1, cmd_keyset_show},
    {"keyset set", "NAME PARAM=VALUE...", "change the policy of a key set",
	"PARAM and VALUE are those of the configuration file's [policy]:\n"
	"durations like 30d or \"1h 30min\", numbers, names.  All of them\n"
	"change at once, or none.  A policy that breaks the arithmetic is\n"
	"refused, with the number that would be right.\n"
	"\n"
	"Waits in progress never become shorter.  Another algorithm takes\n"
	"over through the standby; old keys expire like any other.\n",
	"jwksctl keyset set default rotation_period=14d\n"
	"jwksctl keyset set default mode=manual --reason \"audit week\"\n"
	"jwksctl keyset set default algorithm=RS256 rsa_bits=3072 --dry-run\n",
	"SetPolicy", IF_GEN | DRY_RUN | REASON | REQUEST_ID, 2,
	CALL_ARGUMENTS_MAX, cmd_keyset_set},
    {"keyset add", "NAME [PARAM=VALUE...] | --from FILE",
	"make a key set, or many",
	"NAME is APP, or APP/NAME for one more set of that application:\n"
	"lower-case labels as in DNS.  PARAM=VALUE as for `keyset set`; the\n"
	"configuration's [policy] has the others.  The key set is published\n"
	"and signs when the command returns.  If an earlier one had that\n"
	"name, verifiers may hold copies of it: then the command prints the\n"
	"time from which the new one signs.  --now does not wait: it says\n"
	"first who may reject tokens until when, and asks.\n"
	"\n"
	"FILE has one key set a line, NAME [PARAM=VALUE...]; # begins a\n"
	"comment, \"1h 30min\" holds words together.  Nothing is added while\n"
	"there is a mistake in it; each is named with its line.  A key set\n"
	"that is there already counts, one with another policy is named and\n"
	"left as it is: the command can be repeated at any time, and goes\n"
	"on where it was cut off.  Exit status 0 when all are there.\n",
	"jwksctl keyset add acme\n"
	"jwksctl keyset add acme/step-up algorithm=ES384 rotation_period=14d\n"
	"jwksctl keyset add --from applications.txt --dry-run\n"
	"seq -f 'app%.0f' 1000 | jwksctl keyset add --from -\n",
	"AddKeySet", NOW_ADD | FROM | DRY_RUN | REASON | REQUEST_ID, 0,
	CALL_ARGUMENTS_MAX, cmd_keyset_add},
    {"keyset remove", "NAME", "a key set goes, for ever",
	"It is no longer served, its private keys are destroyed, and its\n"
	"kids never come back.  While a token of it could still be valid\n"
	"only --force goes on; without it the command prints the time\n"
	"from which it may go.\n"
	"\n"
	"Says first what will happen, and asks; without a terminal it needs\n"
	"--yes.  With --yes and --request-id it shows and asks nothing.\n",
	"jwksctl keyset remove acme/step-up --dry-run\n"
	"jwksctl keyset remove acme --force --reason \"contract ended\"\n",
	"RemoveKeySet", FORCE_REMOVE | IF_GEN | DRY_RUN | REASON | REQUEST_ID,
	1, 1, cmd_keyset_remove},
    {"clock", "", "is the wall clock trusted, and what that stops",
	"After a jump nothing becomes ready, rotates by schedule or is\n"
	"removed until the clock has been stable for 10 minutes.\n",
	"jwksctl clock\n", "Status", 0, 0, 0, cmd_clock},
    {"clock accept", "", "the wall clock is right as it is now",
	"Ends the wait after a jump.  Look at `date` first: what a wrong\n"
	"clock activates or removes does not come back.\n",
	"jwksctl clock accept --reason \"ntpd was repaired\"\n", "AcceptClock",
	REASON | REQUEST_ID, 0, 0, cmd_clock_accept},
    {"reload", "", "read the configuration again, all of it or nothing",
	"In force at once: the log level, and the policy of new key sets.\n"
	"What waits for the next start is named.  A mistake anywhere: nothing\n"
	"is changed; the exit status is 78, and the log has every mistake.\n",
	"jwksd --check && jwksctl reload\n", "Reload", 0, 0, 0, cmd_reload},
    {"call", "METHOD [JSON|-]", "call any method of the socket",
	"METHOD without a dot belongs to org.jwksd.keys.  The parameters\n"
	"are a JSON object, or - to read it from standard input.  Each\n"
	"reply is printed on a line.\n",
	"jwksctl call Status\n"
	"jwksctl call ShowKey '{\"key\":\"default#1\"}'\n"
	"jwksctl call --more Monitor\n",
	NULL, MORE, 1, 2, cmd_call},
    {"introspect", "[INTERFACE]", "which interfaces the socket has",
	"With INTERFACE, its description: every method and error.\n",
	"jwksctl introspect\n"
	"jwksctl introspect org.jwksd.keys\n",
	NULL, 0, 0, 1, cmd_introspect},
    {"help", "[COMMAND]", "how to use jwksctl or one command", "",
	"jwksctl help rotate\n"
	"jwksctl help keyset set\n",
	NULL, 0, 0, 2, ctl_help},
    {"version", "", "the version of jwksctl",
	"That of the daemon is a part of `jwksctl status`.\n",
	"jwksctl version\n", NULL, 0, 0, 0, ctl_version},
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
	for (size_t i = 0; i < COMMANDS; i++) {
		if (ctl_command_in_group(&commands[i], name))
			return true;
	}
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
