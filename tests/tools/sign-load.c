/*
 * Load for sign.sock, as light as a client can be: the same 430 octets again
 * and again on several connections, so many deep or at a steady rate.
 *
 *	sign-load SOCKET CONNECTIONS DEPTH SECONDS [RATE]
 *
 * Prints: signatures a second, and of the time of each call in ms the median,
 * the 99th of 100, and the largest.  With RATE (calls a second in all) that
 * time begins when a call was due, not when it could be sent.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH_MAX = 64, CONNECTIONS_MAX = 256, TIMES_MAX = 1 << 22 };

struct conn {
	int64_t begun[DEPTH_MAX]; /* of the calls under way, oldest first */
	int first, depth;
};

static struct conn conns[CONNECTIONS_MAX];
static struct pollfd fds[CONNECTIONS_MAX];
static int64_t times[TIMES_MAX];
static size_t ntimes;
static char message[1024];
static size_t message_len;

static void
die(const char *what)
{
	fprintf(stderr, "sign-load: %s: %s\n", what, strerror(errno));
	exit(EX_UNAVAILABLE);
}

static int64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int
dial(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		die(path);
	return fd;
}

/* What a session service sends: some 430 octets. */
static void
make_message(void)
{
	int n = snprintf(message, sizeof(message),
	    "{\"method\":\"org.jwksd.sign.Sign\",\"parameters\":{\"type\":"
	    "\"at+jwt\",\"claims\":{\"iss\":\"https://session.example.com\","
	    "\"sub\":\"user-0123456789abcdef\",\"aud\":[\"https://api.example"
	    ".com\",\"https://files.example.com\"],\"client_id\":\"web\","
	    "\"jti\":\"4f1c2c5e-6f0d-4a44-9a35-0d1c4b7f8e11\",\"auth_time\":"
	    "1796083200,\"scope\":\"openid profile email\",\"sid\":"
	    "\"b1946ac92492d2347c6235b4d2611184\",\"roles\":[\"reader\","
	    "\"writer\"],\"exp\":%lld}}}",
	    (long long)time(NULL) + 600);

	message_len = (size_t)n + 1;
}

static void
send_calls(int i, int count, int64_t begun)
{
	static char batch[DEPTH_MAX * sizeof(message)];
	struct conn *conn = &conns[i];
	size_t len = 0;

	for (int n = 0; n < count; n++) {
		memcpy(batch + len, message, message_len);
		len += message_len;
		conn->begun[(conn->first + conn->depth++) % DEPTH_MAX] = begun;
	}
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fds[i].fd, batch + at, len - at);

		if (n <= 0)
			die("write");
		at += (size_t)n;
	}
}

/* How many replies have ended. */
static int
receive(int i, int64_t now)
{
	static char buf[256 * 1024];
	struct conn *conn = &conns[i];
	ssize_t n = read(fds[i].fd, buf, sizeof(buf));
	int ended = 0;

	if (n <= 0)
		die("read");
	if (memmem(buf, (size_t)n, "\"error\"", 7) != NULL) {
		fprintf(stderr, "sign-load: %.300s\n", buf);
		exit(EX_SOFTWARE);
	}
	for (ssize_t at = 0; at < n; at++) {
		if (buf[at] != '\0')
			continue;
		if (ntimes < TIMES_MAX)
			times[ntimes++] = now - conn->begun[conn->first];
		conn->first = (conn->first + 1) % DEPTH_MAX;
		conn->depth--;
		ended++;
	}
	return ended;
}

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
report(double seconds)
{
	size_t median = ntimes / 2, late = ntimes * 99 / 100;

	qsort(times, ntimes, sizeof(times[0]), compare);
	if (ntimes == 0)
		exit(EX_SOFTWARE);
	printf("%.1f %.3f %.3f %.3f\n", (double)ntimes / seconds,
	    (double)times[median] / 1e6, (double)times[late] / 1e6,
	    (double)times[ntimes - 1] / 1e6);
}

static void
saturate(int count, int depth, int64_t end)
{
	for (int i = 0; i < count; i++)
		send_calls(i, depth, clock_ns());
	while (clock_ns() < end) {
		poll(fds, (nfds_t)count, 100);
		for (int i = 0; i < count; i++) {
			int64_t now = clock_ns();

			if ((fds[i].revents & POLLIN) != 0)
				send_calls(i, receive(i, now), now);
		}
	}
}

static void
pace(int count, double rate, int64_t begin, int64_t end)
{
	int64_t sent = 0, now;

	while ((now = clock_ns()) < end) {
		int64_t due = begin + (int64_t)((double)sent * 1e9 / rate);
		int i = (int)(sent % count);
		struct timespec wait = {0, due > now ? due - now : 0};

		if (due <= now && conns[i].depth < DEPTH_MAX) {
			send_calls(i, 1, due);
			sent++;
			wait.tv_nsec = 0;
		}
		if (wait.tv_nsec > 500000000)
			wait.tv_nsec = 500000000;
		if (ppoll(fds, (nfds_t)count, &wait, NULL) <= 0)
			continue;
		for (i = 0; i < count; i++)
			if ((fds[i].revents & POLLIN) != 0)
				receive(i, clock_ns());
	}
}

int
main(int argc, char **argv)
{
	int count, depth;
	double seconds, rate;
	int64_t begin;

	if (argc < 5 || argc > 6) {
		fputs("usage: sign-load SOCKET CONNECTIONS DEPTH SECONDS "
		      "[RATE]\n",
		    stderr);
		return EX_USAGE;
	}
	count = (int)strtol(argv[2], NULL, 10);
	depth = (int)strtol(argv[3], NULL, 10);
	seconds = strtod(argv[4], NULL);
	rate = argc > 5 ? strtod(argv[5], NULL) : 0;
	if (count < 1 || count > CONNECTIONS_MAX || depth < 1 ||
	    depth > DEPTH_MAX || seconds <= 0)
		return EX_USAGE;
	make_message();
	for (int i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = dial(argv[1]), .events = POLLIN};
	begin = clock_ns();
	if (rate > 0)
		pace(count, rate, begin, begin + (int64_t)(seconds * 1e9));
	else
		saturate(count, depth, begin + (int64_t)(seconds * 1e9));
	report((double)(clock_ns() - begin) / 1e9);
	return 0;
}
