/*
 * sign and verify: a token by hand, and why a verifier refuses one.
 *
 * sign.sock lies beside control.sock.  Claims go through a JSON parser here:
 * their order stays, the way their numbers are written need not.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/duration.h"
#include "ctl/call/context.h"
#include "ctl/call/request.h"
#include "ctl/commands/commands.h"
#include "ctl/out/fields.h"
#include "ctl/reply/reply.h"

#define CONTROL_NAME "control.sock"
#define SIGN_NAME "sign.sock"
#define BLANKS " \t\r\n"

enum { PATH_SIZE = 4096, TTL_DEFAULT = 300 };

/* ---- claims ---- */

static enum jw_err
read_claims(struct ctl *ctl, json_t **ret_claims)
{
	const char *path = call_option(ctl, "claims");
	char *text = NULL;
	size_t len;
	enum jw_err err;

	if (path == NULL) {
		*ret_claims = json_object();
		return JW_OK;
	}
	err = call_read_file(ctl, path, &text, &len);
	if (err == JW_OK)
		err = call_parse_object(ctl, text, len, "the claims",
		    "{\"sub\": \"alice\"}", ret_claims);
	free(text);
	return err;
}

/* exp from --ttl; without it, only where the claims have none. */
static enum jw_err
set_exp(struct ctl *ctl, json_t *claims)
{
	const char *text = call_option(ctl, "ttl");
	int64_t ttl = TTL_DEFAULT;
	enum jw_err err = JW_OK;

	if (text == NULL && json_object_get(claims, "exp") != NULL)
		return JW_OK;
	if (text != NULL)
		err = jw_duration_parse(text, &ttl, &ctl->why);
	if (err != JW_OK)
		return JW_USAGE;
	json_object_set_new(claims, "exp", json_integer(ctl->text.now + ttl));
	return JW_OK;
}

/* ---- sign ---- */

/* The socket beside the one of the operators; any other as it was given. */
static enum jw_err
find_socket(struct ctl *ctl, char *ret_path)
{
	size_t len = strlen(ctl->socket), tail = strlen(CONTROL_NAME);
	bool known;

	if (len >= PATH_SIZE - tail) {
		jw_why_set(&ctl->why, "no socket has such a long path");
		return JW_USAGE;
	}
	known =
	    len >= tail && strcmp(ctl->socket + len - tail, CONTROL_NAME) == 0;
	snprintf(ret_path, PATH_SIZE, "%.*s%s", (int)(known ? len - tail : len),
	    ctl->socket, known ? SIGN_NAME : "");
	return JW_OK;
}

static enum jw_err
print_token(struct ctl *ctl, const struct json_t *reply)
{
	const char *token;
	enum jw_err err =
	    reply_name(reply, ctl->quiet ? "kid" : "token", &token, &ctl->why);

	if (err == JW_OK)
		puts(token);
	return err;
}

enum jw_err
cmd_sign(struct ctl *ctl)
{
	const char *control = ctl->socket;
	char path[PATH_SIZE];
	json_t *claims = NULL;
	enum jw_err err = read_claims(ctl, &claims);

	if (err == JW_OK)
		err = set_exp(ctl, claims);
	if (err == JW_OK)
		err = find_socket(ctl, path);
	if (err == JW_OK) {
		ctl->socket = path;
		err = call_query(ctl, "org.jwksd.sign.Sign",
		    json_pack("{s:s*, s:O, s:s*}", "keySet", call_argument(ctl),
			"claims", claims, "type", call_option(ctl, "type")),
		    NULL, print_token);
		ctl->socket = control;
	}
	json_decref(claims);
	return err;
}

/* ---- verify ---- */

static enum jw_err
print_verdict(struct ctl *ctl, const struct json_t *reply)
{
	static const struct out_field rows[] = {
	    {"valid", "valid", FIELD_YES_NO},
	    {"kid", "kid", FIELD_STRING},
	    {"key set", "keySet", FIELD_STRING},
	    {"generation", "generation", FIELD_NUMBER},
	    {"state", "state", FIELD_STRING},
	    {"published", "published", FIELD_YES_NO},
	    {"expires", "expiresAt", FIELD_TIME},
	    {NULL, NULL, 0},
	};
	const char *kid;
	enum jw_err err;

	if (!ctl->quiet)
		return out_fields(&ctl->text, rows, reply, &ctl->why);
	err = reply_string(reply, "kid", &kid, &ctl->why);
	if (err == JW_OK && kid != NULL)
		puts(kid);
	return err;
}

/* The exit status and message say whether the token is valid. */
static enum jw_err
report_verdict(struct ctl *ctl, const json_t *reply)
{
	const char *reason =
	    json_string_value(json_object_get(reply, "reason"));
	bool valid;
	enum jw_err err = reply_bool(reply, "valid", &valid, &ctl->why);

	if (err == JW_OK)
		err = call_print(ctl, reply, print_verdict);
	if (err != JW_OK || valid)
		return err;
	jw_why_set(&ctl->why, "the token is not valid: %s",
	    reason != NULL ? reason : "the daemon does not say why");
	return JW_BAD_KEY;
}

static enum jw_err
verify(struct ctl *ctl, const char *token)
{
	json_t *parameters = json_pack("{s:s}", "token", token);
	json_t *reply = NULL;
	enum jw_err err;

	if (parameters == NULL) {
		jw_why_set(&ctl->why, "the token is not UTF-8 text");
		return JW_BAD_KEY;
	}
	err = call_method(ctl, CTL_INTERFACE "Verify", parameters, &reply);
	if (err == JW_OK)
		err = report_verdict(ctl, reply);
	json_decref(reply);
	json_decref(parameters);
	return err;
}

enum jw_err
cmd_verify(struct ctl *ctl)
{
	const char *token = call_argument(ctl);
	char *text = NULL, *start;
	size_t len;
	enum jw_err err;

	if (strcmp(token, "-") != 0)
		return verify(ctl, token);
	err = call_read_file(ctl, token, &text, &len);
	if (err == JW_OK) {
		start = text + strspn(text, BLANKS);
		start[strcspn(start, BLANKS)] = '\0';
		err = verify(ctl, start);
	}
	free(text);
	return err;
}
