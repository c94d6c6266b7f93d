/*
 * The addresses of [http] listen.  Names are not looked up: the addresses
 * themselves can be seen in the file.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/memory.h"
#include "common/config/config_keys.h"

#define SEPARATORS " \t,"
#define DIGITS "0123456789"

enum { HOST_SIZE = 96 }; /* more than any numeric address takes */

static enum jw_err
parse_unix(const char *text, struct jw_listen *ret_row, struct jw_why *why)
{
	const char *path = text + strlen("unix:");
	size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	if (*path != '/' || strlen(path) >= room)
		return jw_fail(JW_BAD_CONFIG, why,
		    "listen \"%s\": after unix: stands an absolute path of at "
		    "most %zu octets",
		    text, room - 1);
	ret_row->kind = JW_LISTEN_UNIX;
	ret_row->path = jw_strdup(path);
	return JW_OK;
}

/* The usual mistakes; port is the text behind the last colon. */
static enum jw_err
explain_address(
    const char *text, const char *host, const char *port, struct jw_why *why)
{
	if (strcmp(host, "*") == 0 || *host == '\0')
		return jw_fail(JW_BAD_CONFIG, why,
		    "listen \"%s\": for every address write 0.0.0.0:%s or "
		    "[::]:%s",
		    text, port, port);
	if (strcasecmp(host, "localhost") == 0)
		return jw_fail(JW_BAD_CONFIG, why,
		    "listen \"%s\": names are not looked up; write "
		    "127.0.0.1:%s or [::1]:%s",
		    text, port, port);
	if (strchr(host, ':') != NULL && *host != '[')
		return jw_fail(JW_BAD_CONFIG, why,
		    "listen \"%s\": an IPv6 address stands in brackets, as in "
		    "[::1]:7517",
		    text);
	return jw_fail(JW_BAD_CONFIG, why,
	    "listen \"%s\" is not an address; write a numeric ADDRESS:PORT, "
	    "[ADDRESS]:PORT or unix:/PATH",
	    text);
}

static enum jw_err
no_port(const char *text, struct jw_why *why)
{
	if (text[strspn(text, DIGITS)] == '\0')
		return jw_fail(JW_BAD_CONFIG, why,
		    "listen \"%s\" is a port alone; write 127.0.0.1:%s", text,
		    text);
	return jw_fail(JW_BAD_CONFIG, why,
	    "listen \"%s\" has no port; write it after a colon, as in "
	    "127.0.0.1:7517",
	    text);
}

/* host is numeric, IPv6 in brackets; kept as inet_ntop(3) writes it. */
static bool
read_host(const char *host, char *ret_host, size_t size)
{
	char inside[HOST_SIZE] = "";
	struct in6_addr address;
	int family = AF_INET, end = 0;

	if (sscanf(host, "[%95[^]]]%n", inside, &end) == 1 && end > 0 &&
	    host[end] == '\0') {
		family = AF_INET6;
		host = inside;
	}
	return inet_pton(family, host, &address) == 1 &&
	       inet_ntop(family, &address, ret_host, (socklen_t)size) != NULL;
}

static enum jw_err
parse_inet(const char *text, struct jw_listen *ret_row, struct jw_why *why)
{
	const char *colon = strrchr(text, ':');
	const char *port = colon != NULL ? colon + 1 : "";
	size_t digits = strspn(port, DIGITS);
	char host[HOST_SIZE];
	long number;

	if (colon == NULL || text[strlen(text) - 1] == ']')
		return no_port(text, why);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (!read_host(host, ret_row->host, sizeof(ret_row->host)))
		return explain_address(text, host, port, why);
	number = digits > 0 && digits <= 5 ? strtol(port, NULL, 10) : -1;
	if (port[digits] != '\0' || number < 0 || number > UINT16_MAX)
		return jw_fail(JW_BAD_CONFIG, why,
		    "listen \"%s\": a port is a number from 0 to 65535", text);
	ret_row->kind = JW_LISTEN_INET;
	ret_row->port = (uint16_t)number;
	return JW_OK;
}

static bool
same_address(const struct jw_listen *a, const struct jw_listen *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == JW_LISTEN_UNIX) {
		assert(a->path != NULL && b->path != NULL);
		return strcmp(a->path, b->path) == 0;
	}
	/* Port 0 is another one each time. */
	return a->port != 0 && a->port == b->port &&
	       strcmp(a->host, b->host) == 0;
}

/* The row is counted even when it is half done. */
static enum jw_err
add_address(const char *text, struct jw_config *config, struct jw_why *why)
{
	size_t n = config->nlisten;
	struct jw_listen *rows =
	    jw_realloc(config->listen, (n + 1) * sizeof(*rows));
	enum jw_err err;

	config->listen = rows;
	config->nlisten++;
	rows[n] = (struct jw_listen){.text = jw_strdup(text)};
	err = strncmp(text, "unix:", 5) == 0 ? parse_unix(text, &rows[n], why)
					     : parse_inet(text, &rows[n], why);
	for (size_t i = 0; err == JW_OK && i < n; i++) {
		if (same_address(&rows[i], &rows[n])) {
			jw_why_set(why, "listen \"%s\" is given twice", text);
			err = JW_BAD_CONFIG;
		}
	}
	return err;
}

static enum jw_err
parse_listen(const struct jw_config_key *key, const char *value,
    struct jw_config *config, struct jw_why *why)
{
	char *text = jw_strdup(value), *save = NULL;
	enum jw_err err = JW_OK;
	size_t before = config->nlisten;

	(void)key;
	for (char *word = strtok_r(text, SEPARATORS, &save);
	     err == JW_OK && word != NULL;
	     word = strtok_r(NULL, SEPARATORS, &save))
		err = add_address(word, config, why);
	if (err == JW_OK && config->nlisten == before) {
		jw_why_set(
		    why, "listen has no address; write one as 127.0.0.1:7517");
		err = JW_BAD_CONFIG;
	}
	free(text);
	return err;
}

static char *
format_listen(const struct jw_config_key *key, const struct jw_config *config)
{
	char *text = jw_strdup("");

	(void)key;
	for (size_t i = 0; i < config->nlisten; i++) {
		char *before = text;

		text = jw_asprintf(
		    "%s%s%s", before, i > 0 ? " " : "", config->listen[i].text);
		free(before);
	}
	return text;
}

static void
clear_listen(const struct jw_config_key *key, struct jw_config *config)
{
	(void)key;
	for (size_t i = 0; i < config->nlisten; i++) {
		free(config->listen[i].path);
		free(config->listen[i].text);
	}
	free(config->listen);
	config->listen = NULL;
	config->nlisten = 0;
}

const struct jw_config_type jw_config_listen = {
    parse_listen, format_listen, clear_listen, true};
