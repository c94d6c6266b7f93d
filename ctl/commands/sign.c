/*
 * sign and verify: a token by hand, and why a verifier refuses one.
 *
 * sign.sock lies beside control.sock.  Claims go through a JSON parser here:
 * their order stays, the way their numbers are written need not.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/duration.h"
#include "common/wire/varlink.h"
#include "ctl/call/context.h"
#include "ctl/commands/commands.h"
#include "ctl/call/request.h"
#include "ctl/out/visible.h"
#include "ctl/reply/reply.h"

#define SIGN_METHOD "org.jwksd.sign.Sign"
#define CONTROL_NAME "control.sock"
#define SIGN_NAME "sign.sock"
#define BLANKS " \t\r\n"

enum { PATH_SIZE = 4096, TTL_DEFAULT = 300 };

/* ---- input ---- */

/* At most a message's worth, NUL-terminated; the caller frees it. */
static enum jw_err
read_all(struct ctl *ctl, const char *path, char **ret_text)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	char *text = NULL;
	size_t len;
	enum jw_err err = JW_IO;

	if (file == NULL)
		goto out;
	text = malloc(VARLINK_MESSAGE_MAX + 1);
	if (text == NULL) {
		err = JW_NO_MEMORY;
		goto out;
	}
	len = fread(text, 1, VARLINK_MESSAGE_MAX, file);
	if (ferror(file))
		goto out;
	text[len] = '\0';
	*ret_text = text;
	text = NULL;
	err = JW_OK;
out:
	if (err == JW_IO)
		jw_why_set(&ctl->why, "cannot read %s: %s",
		    is_stdin ? "standard input" : path, strerror(errno));
	if (file != NULL && !is_stdin)
		fclose(file);
	free(text);
	return err;
}

static enum jw_err
read_claims(struct ctl *ctl, json_t **ret_claims)
{
	const char *path = call_option(ctl, "claims");
	json_error_t error = {.text = ""};
	char *text = NULL;
	json_t *claims;
	enum jw_err err;

	if (path == NULL) {
		*ret_claims = json_object();
		return *ret_claims == NULL ? JW_NO_MEMORY : JW_OK;
	}
	err = read_all(ctl, path, &text);
	if (err != JW_OK)
		return err;
	claims = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (json_is_object(claims)) {
		*ret_claims = claims;
		return JW_OK;
	}
	json_decref(claims);
	jw_why_set(&ctl->why, "the claims are no JSON object: %s",
	    error.text[0] != '\0' ? error.text : "some other value");
	jw_why_hint(&ctl->why, "like {\"sub\": \"alice\"}");
	return JW_USAGE;
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
	return json_object_set_new(
		   claims, "exp", json_integer(ctl->text.now + ttl)) == 0
		   ? JW_OK
		   : JW_NO_MEMORY;
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
ask_signer(struct ctl *ctl, const json_t *parameters, json_t **ret_reply)
{
	const char *control = ctl->socket;
	char path[PATH_SIZE];
	enum jw_err err = find_socket(ctl, path);

	if (err != JW_OK)
		return err;
	ctl->socket = path;
	err = call_method(ctl, SIGN_METHOD, parameters, ret_reply);
	ctl->socket = control;
	return err;
}

static enum jw_err
print_token(struct ctl *ctl, const json_t *reply)
{
	const char *token;
	enum jw_err err;

	if (ctl->json)
		return call_print_json(ctl, reply);
	err =
	    reply_name(reply, ctl->quiet ? "kid" : "token", &token, &ctl->why);
	if (err != JW_OK)
		return err;
	puts(token);
	return call_flush(ctl);
}

enum jw_err
cmd_sign(struct ctl *ctl)
{
	json_t *claims = NULL, *parameters = NULL, *reply = NULL;
	enum jw_err err = read_claims(ctl, &claims);

	if (err == JW_OK)
		err = set_exp(ctl, claims);
	if (err != JW_OK)
		goto out;
	parameters = json_pack("{s:s*, s:O, s:s*}", "keySet", call_argument(ctl),
	    "claims", claims, "type", call_option(ctl, "type"));
	err = parameters == NULL ? JW_NO_MEMORY
				 : ask_signer(ctl, parameters, &reply);
	if (err == JW_OK)
		err = print_token(ctl, reply);
out:
	json_decref(reply);
	json_decref(parameters);
	json_decref(claims);
	return err;
}

/* ---- verify ---- */

static void
put_text(const json_t *reply, const char *name, const char *label)
{
	const char *value = json_string_value(json_object_get(reply, name));

	if (value != NULL)
		printf("%-10s %s\n", label, value);
}

static void
put_verdict(struct ctl *ctl, const json_t *reply)
{
	const json_t *published = json_object_get(reply, "published");
	const json_t *generation = json_object_get(reply, "generation");
	const json_t *exp = json_object_get(reply, "expiresAt");
	char buf[JW_TIME_SIZE * 2];

	printf("%-10s %s\n", "valid",
	    json_is_true(json_object_get(reply, "valid")) ? "yes" : "no");
	put_text(reply, "kid", "kid");
	put_text(reply, "keySet", "key set");
	if (json_is_integer(generation))
		printf("%-10s %" JSON_INTEGER_FORMAT "\n", "generation",
		    json_integer_value(generation));
	put_text(reply, "state", "state");
	if (published != NULL)
		printf("%-10s %s\n", "published",
		    json_is_true(published) ? "yes" : "no");
	if (json_is_integer(exp) && json_integer_value(exp) >= 0 &&
	    json_integer_value(exp) <= REPLY_TIME_MAX)
		printf("%-10s %s\n", "expires",
		    out_text_time(&ctl->text, json_integer_value(exp), buf));
}

static enum jw_err
print_verdict(struct ctl *ctl, const json_t *reply)
{
	const char *reason =
	    json_string_value(json_object_get(reply, "reason"));
	const char *kid = json_string_value(json_object_get(reply, "kid"));
	bool valid;
	enum jw_err err = reply_bool(reply, "valid", &valid, &ctl->why);

	if (err == JW_OK && ctl->json) {
		err = call_print_json(ctl, reply);
	} else if (err == JW_OK) {
		if (!ctl->quiet)
			put_verdict(ctl, reply);
		else if (kid != NULL)
			puts(kid);
		err = call_flush(ctl);
	}
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
	json_t *reply = NULL, *shown = NULL;
	enum jw_err err;

	if (parameters == NULL) {
		jw_why_set(&ctl->why, "the token is no UTF-8 text");
		return JW_BAD_KEY;
	}
	err = call_method(ctl, CTL_INTERFACE "Verify", parameters, &reply);
	if (err == JW_OK) {
		shown = out_visible(&ctl->text, reply);
		err = shown == NULL
			  ? JW_NO_MEMORY
			  : print_verdict(ctl, ctl->json ? reply : shown);
	}
	json_decref(shown);
	json_decref(reply);
	json_decref(parameters);
	return err;
}

enum jw_err
cmd_verify(struct ctl *ctl)
{
	const char *token = call_argument(ctl);
	char *text = NULL, *start;
	enum jw_err err;

	if (strcmp(token, "-") != 0)
		return verify(ctl, token);
	err = read_all(ctl, token, &text);
	if (err != JW_OK)
		return err;
	start = text + strspn(text, BLANKS);
	start[strcspn(start, BLANKS)] = '\0';
	err = verify(ctl, start);
	free(text);
	return err;
}
