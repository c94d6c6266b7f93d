/*
 * sign [SOCKET]: have the claims on standard input signed by jwksd, and print
 * the token.
 *
 *	cc -o sign sign.c $(pkg-config --cflags --libs jansson)
 *	echo '{"sub":"alice","exp":1790000000}' | ./sign
 *
 * The claims go into the request as they stand, so that the token has their
 * order and their numbers.  Exit status: 0 signed, 1 refused (jwksd's error is
 * on standard error), 2 anything else.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SIGN "/run/jwksd/sign.sock"

enum { CLAIMS_MAX = 128 * 1024, MESSAGE_MAX = 256 * 1024 };

/* A connection, or -1. */
static int
connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd >= 0 &&
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The whole message, its NUL octet included. */
static int
send_message(int fd, const char *text)
{
	size_t left = strlen(text) + 1;

	while (left > 0) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

/* Up to a NUL octet, which is kept: a string. */
static int
receive_message(int fd, char *text, size_t size)
{
	size_t len = 0;

	while (len == 0 || text[len - 1] != '\0') {
		ssize_t n =
		    len == size ? 0 : recv(fd, text + len, size - len, 0);

		if (n <= 0)
			return -1;
		len += (size_t)n;
	}
	return 0;
}

/* Prints what came; the exit status. */
static int
tell(const char *text)
{
	json_t *reply = json_loads(text, 0, NULL);
	const char *error = NULL, *message = "", *token = NULL;
	int status = 2;

	json_unpack(reply, "{s?s, s:{s?s, s?s}}", "error", &error, "parameters",
	    "message", &message, "token", &token);
	if (error != NULL) {
		fprintf(stderr, "sign: %s %s\n", error, message);
		status = 1;
	} else if (token != NULL) {
		puts(token);
		status = 0;
	}
	json_decref(reply);
	return status;
}

int
main(int argc, char **argv)
{
	static char claims[CLAIMS_MAX], message[MESSAGE_MAX];
	size_t len = fread(claims, 1, sizeof(claims) - 1, stdin);
	json_t *object = json_loadb(claims, len, 0, NULL);
	int status = 2, fd;

	if (!json_is_object(object)) {
		fputs("sign: standard input has to be a JSON object\n", stderr);
		return 2;
	}
	json_decref(object);
	fd = connect_to(argc > 1 ? argv[1] : SIGN);
	snprintf(message, sizeof(message),
	    "{\"method\":\"org.jwksd.sign.Sign\",\"parameters\":{\"claims\":"
	    "%s}}",
	    claims);
	if (fd >= 0 && send_message(fd, message) == 0 &&
	    receive_message(fd, message, sizeof(message)) == 0)
		status = tell(message);
	else
		perror("sign: jwksd");
	if (fd >= 0)
		close(fd);
	return status;
}
