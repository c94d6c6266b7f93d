/*
 * sign [SOCKET [KEYSET]]: claims from standard input, a token to standard
 * output.  A client of jwksd's sign.sock with nothing but a socket and Jansson.
 *
 *	cc -o sign sign.c -ljansson
 *	echo "{\"sub\":\"alice\",\"exp\":$(($(date +%s) + 300))}" | ./sign
 *
 * Run it as a user in the group jwksd-sign.  A message is a JSON object and a
 * NUL octet, in both directions.  Exit status: 65 for claims that may not be
 * signed, 69 when the daemon cannot be reached, 75 when it is worth another
 * try later, 77 for a user without the right.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#define METHOD "org.jwksd.sign.Sign"

enum { MESSAGE_MAX = 262144, TRIES = 8, TIMEOUT_SECONDS = 5 };

/* ---- the socket ---- */

/* A descriptor, or -1 with errno. */
static int
connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
	int fd, saved;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* MSG_NOSIGNAL: a daemon that restarts must not end this program. */
static bool
send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* One message into buf, with its NUL. */
static bool
receive(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = recv(fd, buf + len, size - len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ECONNRESET;
		if (n <= 0)
			return false;
		len += (size_t)n;
		if (buf[len - 1] == '\0')
			return true;
	}
	errno = EMSGSIZE;
	return false;
}

/* ---- one call ---- */

/* The reply, which the caller frees; NULL with errno. */
static json_t *
ask(const char *path, const char *message)
{
	int fd = connect_to(path);
	char *buf = malloc(MESSAGE_MAX);
	json_t *reply = NULL;

	/* The NUL that ends the string ends the message. */
	if (fd >= 0 && buf != NULL &&
	    send_all(fd, message, strlen(message) + 1) &&
	    receive(fd, buf, MESSAGE_MAX)) {
		reply = json_loads(buf, 0, NULL);
		if (reply == NULL)
			errno = EPROTO;
	}
	free(buf);
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return reply;
}

/* What the daemon said, as an exit status; EX_OK for a token. */
static int
judge(const json_t *reply)
{
	static const struct {
		const char *name;
		int status;
	} known[] = {
	    {"BadClaims", EX_DATAERR},
	    {"InvalidParameter", EX_DATAERR},
	    {"NoSuchKeySet", EX_DATAERR},
	    {"PermissionDenied", EX_NOPERM},
	    {"Overloaded", EX_TEMPFAIL},
	    {"NoActiveKey", EX_TEMPFAIL},
	    {"OutcomeUnknown", EX_TEMPFAIL},
	};
	const char *error = json_string_value(json_object_get(reply, "error"));
	const char *name;

	if (error == NULL)
		return EX_OK;
	name = strrchr(error, '.');
	name = name == NULL ? error : name + 1;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].status;
	return EX_SOFTWARE;
}

/* Print the token, or say why there is none. */
static int
show(const json_t *reply, int status)
{
	const json_t *parameters = json_object_get(reply, "parameters");
	const char *token =
	    json_string_value(json_object_get(parameters, "token"));
	char *text;

	if (status == EX_OK && token != NULL)
		return puts(token) < 0 || fflush(stdout) != 0 ? EX_IOERR
							      : EX_OK;
	text = json_dumps(reply, 0);
	fprintf(stderr, "sign: %s\n", text == NULL ? "out of memory" : text);
	free(text);
	return status == EX_OK ? EX_PROTOCOL : status;
}

/* ---- again and again ---- */

/* 10 ms, 20 ms, 40 ms and so on, up to a fourth more. */
static void
pause_before(int try)
{
	long ms = 10L << try;
	struct timespec pause;

	ms += (long)(getpid() % (ms / 4 + 1));
	pause.tv_sec = ms / 1000;
	pause.tv_nsec = ms % 1000 * 1000000;
	nanosleep(&pause, NULL);
}

/*
 * A lost connection and an overloaded daemon are worth another try: a token
 * that nobody has received harms nobody.
 */
static int
sign(const char *path, const char *message)
{
	int status = EX_UNAVAILABLE;

	for (int try = 0; try < TRIES; try++) {
		json_t *reply = ask(path, message);

		if (reply != NULL) {
			status = judge(reply);
			if (status != EX_TEMPFAIL || try + 1 == TRIES) {
				status = show(reply, status);
				json_decref(reply);
				return status;
			}
			json_decref(reply);
		} else if (errno == EACCES || try + 1 == TRIES) {
			status = errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE;
			fprintf(
			    stderr, "sign: %s: %s\n", path, strerror(errno));
			return status;
		}
		pause_before(try);
	}
	return status;
}

/* The whole call as text, from the claims on standard input. */
static char *
read_call(const char *key_set)
{
	json_error_t error;
	json_t *claims = json_loadf(stdin, JSON_REJECT_DUPLICATES, &error),
	       *call;
	char *text = NULL;

	if (!json_is_object(claims)) {
		fprintf(stderr, "sign: the claims are no JSON object%s%s\n",
		    claims == NULL ? ": " : "",
		    claims == NULL ? error.text : "");
		json_decref(claims);
		return NULL;
	}
	call = json_pack("{s:s, s:{s:s, s:o}}", "method", METHOD, "parameters",
	    "keySet", key_set, "claims", claims);
	if (call != NULL)
		text = json_dumps(call, JSON_COMPACT);
	json_decref(call);
	if (text == NULL)
		fprintf(stderr, "sign: out of memory, or no UTF-8\n");
	return text;
}

int
main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/run/jwksd/sign.sock";
	char *call;
	int status;

	if (argc > 3) {
		fprintf(stderr, "usage: sign [SOCKET [KEYSET]] <CLAIMS\n");
		return EX_USAGE;
	}
	call = read_call(argc > 2 ? argv[2] : "default");
	if (call == NULL)
		return EX_DATAERR;
	status = sign(path, call);
	free(call);
	return status;
}
