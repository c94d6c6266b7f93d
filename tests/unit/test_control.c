/*
 * common/serve/server.c over real sockets in a temporary directory, with the
 * event loop in the test: order, limits, half messages, garbage, slow readers,
 * and clients that leave at every moment.  Waits end with what they wait for;
 * only the tests of the time limit look at a clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/serve/bind.h"
#include "common/serve/server.h"
#include "common/wire/varlink.h"
#include "common/wire/varlink_service.h"
#include "tests/unit/place.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

extern const struct varlink_interface varlink_org_jwksd_test;

/* ---- the loop ---- */

static int turns; /* of the loop, all in all */
static int sends; /* of server and clients */

/* In the place of the C library's: libevent waits here once in each turn. */
int
epoll_wait(int fd, struct epoll_event *events, int count, int ms)
{
	turns++;
	return (int)syscall(SYS_epoll_pwait, fd, events, count, ms, NULL, 0);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	sends++;
	return syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
}

/* ---- the server ---- */

enum { CALLS_MAX = 16, DEADLINE_S = 10 };

struct fixture {
	char dir[64];
	char path[96];
	struct event_base *base;
	struct serve_server *server;
	struct serve_limits limits;
	const char *group;
	/* What the verbs have seen. */
	struct serve_call *later[CALLS_MAX];
	int nlater;
	int echoes;
	int turns_at_echo;
	bool follow;
	int closed;
	int drained;
	int streamed;
	struct serve_peer peer;
	char method[64];
};

static json_t *
number(json_int_t n)
{
	return json_pack("{s:I}", "n", n);
}

static json_int_t
parameter(const struct serve_call *call, const char *name)
{
	return json_integer_value(
	    json_object_get(serve_parameters(call), name));
}

static void
run_echo(struct serve_call *call, const void *request, void *context)
{
	struct fixture *fix = context;

	(void)request;
	fix->echoes++;
	fix->turns_at_echo = turns;
	fix->peer = *serve_peer(call);
	snprintf(fix->method, sizeof(fix->method), "%s", serve_method(call));
	serve_reply(call, number(parameter(call, "n")));
}

static void
on_closed(struct serve_call *call, void *arg)
{
	struct fixture *fix = arg;

	(void)call;
	fix->closed++;
}

static void
on_drained(struct serve_call *call, void *arg)
{
	struct fixture *fix = arg;

	(void)call;
	fix->drained++;
}

static void
run_later(struct serve_call *call, const void *request, void *context)
{
	struct fixture *fix = context;

	(void)request;
	assert_true(fix->nlater < CALLS_MAX);
	fix->later[fix->nlater++] = call;
	if (fix->follow)
		serve_follow(call, on_closed, on_drained, fix);
}

/* As much as the server takes; then it hangs up. */
static void
run_stream(struct serve_call *call, const void *request, void *context)
{
	struct fixture *fix = context;
	size_t size = (size_t)parameter(call, "size");
	char *text = malloc(size + 1);

	(void)request;
	assert_non_null(text);
	assert_true(serve_wants_more(call));
	memset(text, 'x', size);
	text[size] = '\0';
	while (serve_continue(call, json_pack("{s:s}", "text", text)))
		fix->streamed++;
	serve_hang_up(call);
	serve_reply(call, json_pack("{s:s}", "text", "lagged"));
	free(text);
}

static void
run_bye(struct serve_call *call, const void *request, void *context)
{
	(void)request;
	(void)context;
	serve_hang_up(call);
	serve_reply(call, number(1));
}

static void
run_fail(struct serve_call *call, const void *request, void *context)
{
	(void)request;
	(void)context;
	serve_fail(call, (enum jw_err)parameter(call, "code"), NULL);
}

static const struct varlink_verb verbs[] = {
    {"Echo", 0, run_echo, NULL, NULL},
    {"Later", 0, run_later, NULL, NULL},
    {"Stream", VARLINK_NEEDS_MORE, run_stream, NULL, NULL},
    {"Bye", 0, run_bye, NULL, NULL},
    {"Fail", 0, run_fail, NULL, NULL},
    {.method = NULL},
};

static const struct varlink_service service = {&varlink_org_jwksd_test, verbs};

/* ---- the fixture ---- */

static int
setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	signal(SIGPIPE, SIG_IGN);
	jw_log_set_level(JW_LOG_ERROR);
	assert_true(place_make(fix->dir, sizeof(fix->dir)));
	snprintf(fix->path, sizeof(fix->path), "%s/test.sock", fix->dir);
	fix->base = event_base_new();
	assert_non_null(fix->base);
	fix->limits = serve_default_limits;
	*state = fix;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fix = *state;

	serve_server_free(fix->server);
	event_base_free(fix->base);
	unlink(fix->path);
	assert_int_equal(rmdir(fix->dir), 0);
	free(fix);
	return 0;
}

/* With the limits that the test has set by now. */
static void
serve(struct fixture *fix)
{
	struct serve_options options = {
	    .base = fix->base,
	    .service = &service,
	    .context = fix,
	    .group = fix->group,
	    .limits = &fix->limits,
	};
	struct jw_why why = {"", ""};

	if (serve_bind(fix->path, fix->group, &options.take_fd, &why) != JW_OK)
		fail_msg("%s", why.text);
	assert_int_equal(serve_server_new(&options, &fix->server), JW_OK);
}

static void
pump(struct fixture *fix)
{
	event_base_loop(fix->base, EVLOOP_NONBLOCK);
	usleep(500);
}

static int64_t
milliseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
pump_for(struct fixture *fix, int64_t ms)
{
	int64_t end = milliseconds() + ms;

	while (milliseconds() < end)
		pump(fix);
}

#define PUMP_UNTIL(fix, condition)                                       \
	do {                                                             \
		int64_t pump_end = milliseconds() + DEADLINE_S * 1000;   \
		while (!(condition)) {                                   \
			if (milliseconds() > pump_end)                   \
				fail_msg("waited in vain: " #condition); \
			pump(fix);                                       \
		}                                                        \
	} while (0)

/* ---- the client ---- */

struct client {
	int fd;
	char *data;
	size_t start, len, room; /* data[start..len) is unread */
	bool end;
};

static struct client
dial(const struct fixture *fix)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct client client = {
	    .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)};

	assert_true(client.fd >= 0);
	memcpy(sa.sun_path, fix->path, strlen(fix->path));
	assert_int_equal(
	    connect(client.fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return client;
}

static void
hang_up(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	free(client->data);
	*client = (struct client){.fd = -1};
}

/* Everything, however slowly it is read; an end of the connection is fine. */
static void
put(struct fixture *fix, struct client *client, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(client->fd, p, len, MSG_NOSIGNAL);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN) {
			return;
		}
		pump(fix);
	}
}

static void
call(struct fixture *fix, struct client *client, const char *json)
{
	put(fix, client, json, strlen(json) + 1);
}

#define ECHO(n) \
	"{\"method\":\"org.jwksd.test.Echo\",\"parameters\":{\"n\":" #n "}}"
#define LATER(n) \
	"{\"method\":\"org.jwksd.test.Later\",\"parameters\":{\"n\":" #n "}}"
#define ONEWAY(n)                                                            \
	"{\"method\":\"org.jwksd.test.Echo\",\"parameters\":{\"n\":" #n "}," \
	"\"oneway\":true}"

/* Takes what has arrived; a first, small sip if asked. */
static void
sip(struct client *client, size_t most)
{
	ssize_t n;

	if (client->room - client->len < most) {
		client->room = client->len + most;
		client->data = realloc(client->data, client->room);
		assert_non_null(client->data);
	}
	n = recv(client->fd, client->data + client->len, most, 0);
	if (n > 0)
		client->len += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		client->end = true;
}

/* The next message; NULL: the server ended the connection. */
static json_t *
reply(struct fixture *fix, struct client *client)
{
	int64_t end = milliseconds() + DEADLINE_S * 1000;
	json_t *json;
	char *nul;

	while ((nul = client->len == client->start
			  ? NULL
			  : memchr(client->data + client->start, '\0',
				client->len - client->start)) == NULL) {
		if (client->end)
			return NULL;
		if (milliseconds() > end)
			fail_msg("no reply");
		pump(fix);
		sip(client, 65536);
	}
	json = json_loads(client->data + client->start, 0, NULL);
	assert_non_null(json);
	client->start = (size_t)(nul + 1 - client->data);
	return json;
}

static void
expect_number(struct fixture *fix, struct client *client, json_int_t n)
{
	json_t *json = reply(fix, client);

	if (json == NULL)
		fail_msg("the connection ended before reply %d", (int)n);
	assert_null(json_object_get(json, "error"));
	assert_int_equal(json_integer_value(json_object_get(
			     json_object_get(json, "parameters"), "n")),
	    n);
	json_decref(json);
}

static void
expect_error(struct fixture *fix, struct client *client, const char *error)
{
	json_t *json = reply(fix, client);

	assert_non_null(json);
	assert_string_equal(
	    json_string_value(json_object_get(json, "error")), error);
	json_decref(json);
}

static void
expect_end(struct fixture *fix, struct client *client)
{
	json_t *json = reply(fix, client);

	assert_null(json);
	hang_up(client);
}

/* Whatever happened to others, a new client is served. */
static void
expect_service(struct fixture *fix)
{
	struct client client = dial(fix);

	call(fix, &client, ECHO(77));
	expect_number(fix, &client, 77);
	hang_up(&client);
}

/* ---- answering ---- */

static void
call_reaches_its_verb(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	serve(fix);
	client = dial(fix);
	call(fix, &client, ECHO(5));
	expect_number(fix, &client, 5);
	assert_string_equal(fix->method, "org.jwksd.test.Echo");
	assert_int_equal(fix->peer.uid, getuid());
	assert_int_equal(fix->peer.gid, getgid());
	assert_int_equal(fix->peer.pid, getpid());
	call(fix, &client, "{\"method\":\"org.jwksd.test.Nope\"}");
	expect_error(fix, &client, "org.varlink.service.MethodNotFound");
	call(fix, &client, "{\"method\":\"org.jwksd.nope.Nope\"}");
	expect_error(fix, &client, "org.varlink.service.InterfaceNotFound");
	call(fix, &client, "{\"method\":\"org.jwksd.test.Echo\"}");
	expect_error(fix, &client, "org.varlink.service.InvalidParameter");
	call(fix, &client,
	    "{\"method\":\"org.jwksd.test.Stream\","
	    "\"parameters\":{\"size\":1}}");
	expect_error(fix, &client, "org.varlink.service.ExpectedMore");
	call(fix, &client, ECHO(6));
	expect_number(fix, &client, 6);
	assert_int_equal(fix->echoes, 2);
	hang_up(&client);
}

static void
failure_has_a_name_on_the_wire(void **state)
{
	struct fixture *fix = *state;
	struct client client;
	char text[128];
	json_t *json;

	serve(fix);
	client = dial(fix);
	snprintf(text, sizeof(text),
	    "{\"method\":\"org.jwksd.test.Fail\",\"parameters\":{\"code\":%d}}",
	    JW_FROZEN);
	call(fix, &client, text);
	expect_error(fix, &client, "org.jwksd.keys.Frozen");
	snprintf(text, sizeof(text),
	    "{\"method\":\"org.jwksd.test.Fail\",\"parameters\":{\"code\":%d}}",
	    JW_NO_MEMORY);
	call(fix, &client, text);
	json = reply(fix, &client);
	assert_string_equal(json_string_value(json_object_get(json, "error")),
	    "org.jwksd.keys.StoreFailed");
	assert_string_equal(
	    json_string_value(json_object_get(
		json_object_get(json, "parameters"), "message")),
	    jw_err_text(JW_NO_MEMORY));
	json_decref(json);
	hang_up(&client);
}

static void
pipelined_calls_are_answered_in_order(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	fix->limits.calls = 4;
	serve(fix);
	client = dial(fix);
	put(fix, &client, LATER(1) "\0" ECHO(2) "\0" LATER(3) "\0" ECHO(4),
	    sizeof(LATER(1) "\0" ECHO(2) "\0" LATER(3) "\0" ECHO(4)));
	PUMP_UNTIL(fix, fix->nlater == 2 && fix->echoes == 2);
	sip(&client, 1000);
	assert_int_equal(client.len, 0);
	/* The third is answered before the first. */
	serve_reply(fix->later[1], number(3));
	pump_for(fix, 5);
	sip(&client, 1000);
	assert_int_equal(client.len, 0);
	serve_reply(fix->later[0], number(1));
	for (int i = 1; i <= 4; i++)
		expect_number(fix, &client, i);
	hang_up(&client);
}

static void
next_call_waits_where_one_is_the_limit(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	serve(fix);
	client = dial(fix);
	put(fix, &client, LATER(1) "\0" ECHO(2) "\0" ECHO(3),
	    sizeof(LATER(1) "\0" ECHO(2) "\0" ECHO(3)));
	PUMP_UNTIL(fix, fix->nlater == 1);
	pump_for(fix, 5);
	assert_int_equal(fix->echoes, 0);
	serve_reply(fix->later[0], number(1));
	for (int i = 1; i <= 3; i++)
		expect_number(fix, &client, i);
	hang_up(&client);
}

static void
count_call(void *arg)
{
	(*(int *)arg)++;
}

static void
what_was_sent_is_answered_before_the_end(void **state)
{
	struct fixture *fix = *state;
	struct client busy, idle, late;
	int done = 0;

	serve(fix);
	busy = dial(fix);
	idle = dial(fix);
	put(fix, &busy, LATER(1), sizeof(LATER(1)));
	PUMP_UNTIL(fix, fix->nlater == 1);
	put(fix, &busy, ECHO(2) "\0" ECHO(3), sizeof(ECHO(2) "\0" ECHO(3)));
	serve_server_drain(fix->server, count_call, &done);
	assert_int_equal(send(busy.fd, "", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	late = dial(fix);
	call(fix, &late, ECHO(4));
	assert_null(reply(fix, &idle));
	pump_for(fix, 5);
	assert_int_equal(done, 0);
	serve_reply(fix->later[0], number(1));
	for (int i = 1; i <= 3; i++)
		expect_number(fix, &busy, i);
	assert_null(reply(fix, &busy));
	PUMP_UNTIL(fix, done == 1);
	assert_int_equal(fix->echoes, 2);
	hang_up(&busy);
	hang_up(&idle);
	hang_up(&late);
}

static void
nothing_to_answer_is_the_end_at_once(void **state)
{
	struct fixture *fix = *state;
	int done = 0;

	serve(fix);
	serve_server_drain(fix->server, count_call, &done);
	assert_int_equal(done, 1);
}

static void
octet_by_octet_is_a_call_too(void **state)
{
	struct fixture *fix = *state;
	static const char text[] = ECHO(9) "\0" ECHO(10);
	struct client client;

	serve(fix);
	client = dial(fix);
	for (size_t i = 0; i < sizeof(text); i++)
		put(fix, &client, text + i, 1);
	expect_number(fix, &client, 9);
	expect_number(fix, &client, 10);
	hang_up(&client);
}

static void
oneway_gets_no_reply(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	serve(fix);
	client = dial(fix);
	call(fix, &client, ONEWAY(1));
	call(fix, &client,
	    "{\"method\":\"org.jwksd.test.Nope\",\"oneway\":true}");
	call(fix, &client,
	    "{\"method\":\"org.jwksd.test.Fail\",\"oneway\":true,"
	    "\"parameters\":{\"code\":1}}");
	call(fix, &client, ECHO(2));
	expect_number(fix, &client, 2);
	assert_int_equal(fix->echoes, 2);
	/* The last words need not be any. */
	call(fix, &client,
	    "{\"method\":\"org.jwksd.test.Bye\",\"oneway\":true}");
	expect_end(fix, &client);
}

static void
hang_up_comes_after_the_reply(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	serve(fix);
	client = dial(fix);
	put(fix, &client, "{\"method\":\"org.jwksd.test.Bye\"}\0" ECHO(2),
	    sizeof("{\"method\":\"org.jwksd.test.Bye\"}\0" ECHO(2)));
	expect_number(fix, &client, 1);
	expect_end(fix, &client);
	assert_int_equal(fix->echoes, 0);
}

/* ---- bad bytes ---- */

static void
what_is_no_call_ends_the_connection(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} rows[] = {
#define BYTES(s) {s, sizeof(s)}
	    BYTES(""),
	    BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	    BYTES("GET / HTTP/1.1\r\n\r\n"),
	    BYTES("{}"),
	    BYTES("[]"),
	    BYTES("null"),
	    BYTES("{\"method\":1}"),
	    BYTES("{\"method\":\"a.B\""),
	    BYTES("{\"method\":\"a.B\",\"method\":\"a.B\"}"),
	    BYTES("{\"method\":\"a.B\",\"extra\":1}"),
	    BYTES("{\"method\":\"a.B\",\"oneway\":true,\"more\":true}"),
	    BYTES("{\"method\":\"a.B\",\"upgrade\":true}"),
	    BYTES("{\"method\":\"a.B\",\"parameters\":[]}"),
	    BYTES("{\"method\":\"\\u0000\"}"),
	    BYTES("\xff\xfe\xfd"),
	};
	struct fixture *fix = *state;

	serve(fix);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct client client = dial(fix);

		put(fix, &client, rows[i].data, rows[i].len);
		expect_end(fix, &client);
	}
	expect_service(fix);
}

static void
calls_before_garbage_are_answered(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	fix->limits.calls = 4;
	serve(fix);
	client = dial(fix);
	call(fix, &client, ECHO(1));
	expect_number(fix, &client, 1);
	put(fix, &client, "\0\0\0", 3);
	expect_end(fix, &client);
	expect_service(fix);
}

/* Answers to good calls are not lost with a bad one behind them. */
static void
calls_in_flight_outlive_garbage(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	fix->limits.calls = 4;
	serve(fix);
	client = dial(fix);
	put(fix, &client,
	    LATER(1) "\0" ECHO(2) "\0"
				  "garbage\0" ECHO(3),
	    sizeof(LATER(1) "\0" ECHO(2) "\0"
					 "garbage\0" ECHO(3)));
	PUMP_UNTIL(fix, fix->nlater == 1 && fix->echoes == 1);
	pump_for(fix, 5);
	serve_reply(fix->later[0], number(1));
	expect_number(fix, &client, 1);
	expect_number(fix, &client, 2);
	expect_end(fix, &client);
	assert_int_equal(fix->echoes, 1);
	expect_service(fix);
}

static void
flood_of_octets_is_survived(void **state)
{
	struct fixture *fix = *state;
	unsigned seed = 1;

	serve(fix);
	for (int i = 0; i < 100; i++) {
		struct client client = dial(fix);
		char data[2000];

		for (size_t j = 0; j < sizeof(data); j++)
			data[j] = i % 2 == 0 ? (char)rand_r(&seed) : '\0';
		put(fix, &client, data, sizeof(data));
		if (i % 3 == 0)
			put(fix, &client, ECHO(1), sizeof(ECHO(1)));
		hang_up(&client);
	}
	expect_service(fix);
}

/* A call of len octets with its NUL byte. */
static char *
padded_call(size_t len)
{
	static const char head[] = "{\"method\":\"org.jwksd.test.Echo\","
				   "\"parameters\":{\"n\":3,\"pad\":\"";
	char *text = malloc(len);

	assert_non_null(text);
	memset(text, 'p', len);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + len - 4, "\"}}", 4);
	return text;
}

static void
message_of_the_largest_size_passes(void **state)
{
	struct fixture *fix = *state;
	char *text = padded_call(VARLINK_MESSAGE_MAX);
	struct client client;

	serve(fix);
	client = dial(fix);
	put(fix, &client, text, VARLINK_MESSAGE_MAX);
	expect_number(fix, &client, 3);
	put(fix, &client, text, VARLINK_MESSAGE_MAX);
	put(fix, &client, text, VARLINK_MESSAGE_MAX);
	expect_number(fix, &client, 3);
	expect_number(fix, &client, 3);
	hang_up(&client);
	free(text);
}

static void
larger_message_ends_the_connection(void **state)
{
	struct fixture *fix = *state;
	char *text = padded_call(VARLINK_MESSAGE_MAX + 1);
	struct client client;

	fix->limits.half_message_ms = 60000;
	serve(fix);
	/* Its last octets come together. */
	client = dial(fix);
	put(fix, &client, text, VARLINK_MESSAGE_MAX - 99);
	pump_for(fix, 5);
	put(fix, &client, text + VARLINK_MESSAGE_MAX - 99, 100);
	expect_end(fix, &client);
	/* As soon as it is too large, not only at its end. */
	client = dial(fix);
	put(fix, &client, text, VARLINK_MESSAGE_MAX);
	expect_end(fix, &client);
	assert_int_equal(fix->echoes, 0);
	expect_service(fix);
	free(text);
}

/* ---- time ---- */

static void
half_message_must_end_in_time(void **state)
{
	struct fixture *fix = *state;
	struct client client, other;
	int64_t start;

	fix->limits.half_message_ms = 150;
	serve(fix);
	client = dial(fix);
	other = dial(fix);
	start = milliseconds();
	put(fix, &client, "{", 1);
	/* Nobody else waits for it. */
	call(fix, &other, ECHO(1));
	expect_number(fix, &other, 1);
	expect_end(fix, &client);
	/* Timers read a coarse clock. */
	assert_true(milliseconds() - start >= 130);
	call(fix, &other, ECHO(2));
	expect_number(fix, &other, 2);
	hang_up(&other);
}

/* A trickle buys no time. */
static void
time_counts_from_the_first_octet(void **state)
{
	struct fixture *fix = *state;
	struct client client;
	int64_t start;

	fix->limits.half_message_ms = 150;
	serve(fix);
	client = dial(fix);
	start = milliseconds();
	while (!client.end && milliseconds() - start < 3000) {
		put(fix, &client, " ", 1);
		pump_for(fix, 20);
		sip(&client, 100);
	}
	assert_true(client.end);
	assert_true(milliseconds() - start < 1500);
	hang_up(&client);
}

/* The end of one message is the beginning of the next one's time. */
static void
each_message_has_its_own_time(void **state)
{
	struct fixture *fix = *state;
	static const char text[] = ECHO(1) "\0" ECHO(2) "\0" ECHO(3);
	struct client client;

	fix->limits.half_message_ms = 700;
	serve(fix);
	client = dial(fix);
	put(fix, &client, text, 10);
	for (size_t at = 10; at < 10 + 2 * sizeof(ECHO(1));
	     at += sizeof(ECHO(1))) {
		pump_for(fix, 450);
		put(fix, &client, text + at, sizeof(ECHO(1)));
	}
	expect_number(fix, &client, 1);
	expect_number(fix, &client, 2);
	hang_up(&client);
}

/* Between messages there is no limit, nor while a call is under way. */
static void
silence_and_slow_answers_are_no_half_message(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	fix->limits.half_message_ms = 250;
	serve(fix);
	client = dial(fix);
	pump_for(fix, 400);
	put(fix, &client, ECHO(1), 10);
	pump_for(fix, 10);
	put(fix, &client, &ECHO(1)[10], sizeof(ECHO(1)) - 10);
	expect_number(fix, &client, 1);
	pump_for(fix, 400);
	call(fix, &client, LATER(2));
	put(fix, &client, ECHO(3), 10);
	pump_for(fix, 400);
	serve_reply(fix->later[0], number(2));
	expect_number(fix, &client, 2);
	put(fix, &client, &ECHO(3)[10], sizeof(ECHO(3)) - 10);
	expect_number(fix, &client, 3);
	hang_up(&client);
}

/* ---- numbers ---- */

static size_t
count_files(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* The third one is served as soon as one of the two has gone. */
static void
expect_two_places(struct fixture *fix)
{
	struct client a, b, c;

	serve(fix);
	a = dial(fix);
	b = dial(fix);
	call(fix, &a, ECHO(1));
	expect_number(fix, &a, 1);
	call(fix, &b, ECHO(2));
	expect_number(fix, &b, 2);
	c = dial(fix);
	call(fix, &c, ECHO(4));
	pump_for(fix, 20);
	assert_int_equal(fix->echoes, 2);
	call(fix, &a, ECHO(3));
	expect_number(fix, &a, 3);
	hang_up(&a);
	expect_number(fix, &c, 4);
	hang_up(&b);
	hang_up(&c);
}

static void
connections_of_one_user_are_limited(void **state)
{
	struct fixture *fix = *state;

	fix->limits.per_uid = 2;
	fix->limits.park_ms = 60000;
	expect_two_places(fix);
}

static void
connections_in_all_are_limited(void **state)
{
	struct fixture *fix = *state;

	fix->limits.connections = 2;
	fix->limits.park_ms = 0;
	expect_two_places(fix);
}

static void
connection_beyond_a_share_is_refused_with_words(void **state)
{
	struct fixture *fix = *state;
	struct client a, silent, late;
	int64_t start;

	fix->limits.per_uid = 1;
	fix->limits.park_ms = 150;
	serve(fix);
	a = dial(fix);
	silent = dial(fix);
	late = dial(fix);
	start = milliseconds();
	call(fix, &late, ECHO(1));
	expect_error(fix, &late, "org.jwksd.keys.Overloaded");
	assert_true(milliseconds() - start >= 100);
	expect_end(fix, &late);
	/* One that says nothing is not kept for ever. */
	expect_end(fix, &silent);
	assert_int_equal(fix->echoes, 0);
	call(fix, &a, ECHO(2));
	expect_number(fix, &a, 2);
	hang_up(&a);
	expect_service(fix);
}

/* A crowd that waits is bounded, and ends no connection that is served. */
static void
crowd_beyond_a_share_is_bounded(void **state)
{
	enum { BEYOND = 100 };
	struct fixture *fix = *state;
	struct client served, crowd[BEYOND];
	size_t before;

	fix->limits.per_uid = 1;
	fix->limits.park_ms = 60000;
	serve(fix);
	served = dial(fix);
	pump_for(fix, 5);
	before = count_files("/proc/self/fd");
	for (int i = 0; i < BEYOND; i++) {
		crowd[i] = dial(fix);
		pump(fix);
	}
	pump_for(fix, 20);
	assert_true(count_files("/proc/self/fd") - before <= BEYOND + 2 * 16);
	call(fix, &served, ECHO(1));
	expect_number(fix, &served, 1);
	for (int i = 0; i < BEYOND; i++)
		hang_up(&crowd[i]);
	hang_up(&served);
	expect_service(fix);
}

/* Clients that connect for each call come before their last end is seen. */
static void
connection_for_each_call_is_never_refused(void **state)
{
	enum { CLIENTS = 12, ROUNDS = 20 };
	struct fixture *fix = *state;
	struct client clients[CLIENTS];

	fix->limits.per_uid = CLIENTS;
	serve(fix);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CLIENTS; i++) {
			clients[i] = dial(fix);
			assert_true(send(clients[i].fd, ECHO(1),
					sizeof(ECHO(1)), MSG_NOSIGNAL) > 0);
		}
		for (int i = 0; i < CLIENTS; i++)
			expect_number(fix, &clients[i], 1);
		for (int i = 0; i < CLIENTS; i++)
			hang_up(&clients[i]);
	}
}

static void
default_limits_are_those_of_the_documentation(void **state)
{
	(void)state;
	assert_int_equal(serve_default_limits.connections, 64);
	assert_int_equal(serve_default_limits.per_uid, 16);
	assert_int_equal(serve_default_limits.calls, 1);
	assert_int_equal(serve_default_limits.queued, 1024 * 1024);
	assert_int_equal(serve_default_limits.half_message_ms, 10000);
	assert_int_equal(serve_default_limits.park_ms, 1000);
}

/* How many milliseconds of the processor the loop takes in ms of time. */
static int64_t
effort(struct fixture *fix, int ms)
{
	struct timeval wait = {.tv_usec = ms * 1000};
	struct timespec before, after;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	event_base_loopexit(fix->base, &wait);
	event_base_dispatch(fix->base);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	return (after.tv_sec - before.tv_sec) * 1000 +
	       (after.tv_nsec - before.tv_nsec) / 1000000;
}

static void
no_descriptors_left_is_waited_out(void **state)
{
	struct fixture *fix = *state;
	struct rlimit old, tight;
	struct client client;

	serve(fix);
	client = dial(fix);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)client.fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	put(fix, &client, ECHO(1), sizeof(ECHO(1)));
	/* The loop sleeps meanwhile, and wakes to look again. */
	assert_true(effort(fix, 250) < 125);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(fix->echoes, 0);
	expect_number(fix, &client, 1);
	hang_up(&client);
}

enum { CROWD = 100, FEW_TURNS = 16 };

/* A connection that says nothing has no part in the turns of the loop. */
static void
new_connections_delay_no_call(void **state)
{
	struct fixture *fix = *state;
	struct client crowd[CROWD], client;

	fix->limits.connections = fix->limits.per_uid = CROWD + 1;
	serve(fix);
	for (int i = 0; i < CROWD; i++)
		crowd[i] = dial(fix);
	client = dial(fix);
	assert_true(
	    send(client.fd, ECHO(1), sizeof(ECHO(1)), MSG_NOSIGNAL) > 0);
	turns = 0;
	PUMP_UNTIL(fix, fix->echoes == 1);
	assert_true(fix->turns_at_echo <= FEW_TURNS);
	expect_number(fix, &client, 1);
	hang_up(&client);
	for (int i = 0; i < CROWD; i++)
		hang_up(&crowd[i]);
}

/* ---- output ---- */

/* One look for the client, and not one for each; on a slow machine a turn may
 * be over before all of them. */
static void
calls_that_come_together_are_answered_together(void **state)
{
	struct fixture *fix = *state;
	char calls[16 * sizeof(ECHO(1))];
	struct client client;

	serve(fix);
	client = dial(fix);
	for (int i = 0; i < 16; i++)
		memcpy(calls + (size_t)i * sizeof(ECHO(1)), ECHO(1),
		    sizeof(ECHO(1)));
	sends = 0;
	put(fix, &client, calls, sizeof(calls));
	for (int i = 0; i < 16; i++)
		expect_number(fix, &client, 1);
	assert_in_range(sends, 1 + 1, 1 + 4);
	hang_up(&client);
}

static void
slow_reader_of_a_stream_is_told_and_left(void **state)
{
	struct fixture *fix = *state;
	struct client client;
	int replies = 0;
	json_t *json;

	fix->limits.queued = 300000;
	serve(fix);
	client = dial(fix);
	call(fix, &client,
	    "{\"method\":\"org.jwksd.test.Stream\",\"more\":true,"
	    "\"parameters\":{\"size\":50000}}");
	PUMP_UNTIL(fix, fix->streamed > 0);
	/* The limit, and the one reply that went over it. */
	assert_int_equal(fix->streamed, 6);
	while ((json = reply(fix, &client)) != NULL) {
		const char *text = json_string_value(json_object_get(
		    json_object_get(json, "parameters"), "text"));
		bool more = json_is_true(json_object_get(json, "continues"));

		assert_int_equal(more, replies < 6);
		assert_int_equal(
		    strlen(text), replies < 6 ? 50000 : strlen("lagged"));
		replies++;
		json_decref(json);
	}
	assert_int_equal(replies, 7);
	hang_up(&client);
	expect_service(fix);
}

/* Who does not read replies has no further calls run. */
static void
unread_replies_hold_up_their_reader_alone(void **state)
{
	struct fixture *fix = *state;
	struct client client;
	int sent = 0, got = 0;

	fix->limits.queued = 2000;
	serve(fix);
	client = dial(fix);
	/* Until the server stops reading. */
	for (int tries = 0; tries < 20; tries++) {
		while (send(client.fd, ECHO(8), sizeof(ECHO(8)), MSG_NOSIGNAL) >
		       0) {
			sent++;
			tries = 0;
			if (sent > 200000)
				fail_msg("it reads and runs without end");
		}
		pump(fix);
	}
	assert_true(fix->echoes < sent);
	expect_service(fix);
	while (got < sent) {
		expect_number(fix, &client, 8);
		got++;
	}
	hang_up(&client);
	expect_service(fix);
}

/* Each of many that do not read holds a part of what there is for all. */
static void
unread_replies_have_a_bound_in_all(void **state)
{
	enum { READERS = 6, HELD = 6000 };
	struct fixture *fix = *state;
	struct client clients[READERS];
	int sent[READERS] = {0}, all = 0, before;

	fix->limits.held = HELD;
	serve(fix);
	for (int i = 0; i < READERS; i++)
		clients[i] = dial(fix);
	for (int tries = 0; tries < 20; tries++) {
		for (int i = 0; i < READERS; i++) {
			while (sent[i] < 30000 &&
			       send(clients[i].fd, ECHO(8), sizeof(ECHO(8)),
				   MSG_NOSIGNAL) > 0) {
				sent[i]++;
				tries = 0;
			}
		}
		pump(fix);
	}
	/* Nobody's calls run on, and whoever reads gets all of it. */
	for (int i = 0; i < READERS; i++)
		all += sent[i];
	before = fix->echoes;
	assert_true(before < all);
	pump_for(fix, 20);
	assert_int_equal(fix->echoes, before);
	for (int i = 0; i < READERS; i++) {
		for (int n = 0; n < sent[i]; n++)
			expect_number(fix, &clients[i], 8);
		hang_up(&clients[i]);
	}
	expect_service(fix);
}

/* However much a client sends ahead, the loop sleeps until its turn. */
static void
calls_sent_ahead_cost_nothing(void **state)
{
	struct fixture *fix = *state;
	struct client client;
	int sent = 0;

	serve(fix);
	client = dial(fix);
	call(fix, &client, LATER(1));
	PUMP_UNTIL(fix, fix->nlater == 1);
	for (int tries = 0; tries < 20; tries++) {
		while (send(client.fd, ECHO(8), sizeof(ECHO(8)), MSG_NOSIGNAL) >
		       0) {
			sent++;
			tries = 0;
			if (sent > 200000)
				fail_msg("it reads without end");
		}
		event_base_loop(fix->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	assert_true(effort(fix, 200) < 100);
	expect_service(fix);
	serve_reply(fix->later[0], number(1));
	expect_number(fix, &client, 1);
	for (int i = 0; i < sent; i++)
		expect_number(fix, &client, 8);
	hang_up(&client);
}

static void
drained_is_told_when_all_has_been_read(void **state)
{
	struct fixture *fix = *state;
	struct client client;
	char *text = malloc(700001);
	json_t *json;

	fix->follow = true;
	serve(fix);
	client = dial(fix);
	call(fix, &client,
	    "{\"method\":\"org.jwksd.test.Later\",\"more\":true,"
	    "\"parameters\":{\"n\":1}}");
	PUMP_UNTIL(fix, fix->nlater == 1);
	assert_non_null(text);
	memset(text, 'y', 700000);
	text[700000] = '\0';
	assert_true(
	    serve_continue(fix->later[0], json_pack("{s:s}", "text", text)));
	pump_for(fix, 10);
	assert_int_equal(fix->drained, 0);
	json = reply(fix, &client);
	assert_true(json_is_true(json_object_get(json, "continues")));
	json_decref(json);
	PUMP_UNTIL(fix, fix->drained > 0);
	assert_int_equal(fix->closed, 0);
	serve_reply(fix->later[0], number(1));
	expect_number(fix, &client, 1);
	hang_up(&client);
	pump_for(fix, 5);
	assert_int_equal(fix->closed, 0);
	free(text);
}

/* ---- clients that leave ---- */

static void
half_closed_client_gets_its_replies(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	serve(fix);
	client = dial(fix);
	put(fix, &client, LATER(1) "\0" ECHO(2) "\0" ECHO(3),
	    sizeof(LATER(1) "\0" ECHO(2) "\0" ECHO(3)));
	assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
	PUMP_UNTIL(fix, fix->nlater == 1);
	pump_for(fix, 5);
	serve_reply(fix->later[0], number(1));
	for (int i = 1; i <= 3; i++)
		expect_number(fix, &client, i);
	expect_end(fix, &client);
}

/* All of them, also when they do not fit in the queue at once. */
static void
half_closed_slow_client_gets_all_its_replies(void **state)
{
	struct fixture *fix = *state;
	struct client client;
	int got = 0;
	json_t *json;

	fix->limits.queued = 100;
	serve(fix);
	client = dial(fix);
	for (int i = 0; i < 100; i++)
		assert_true(send(client.fd, ECHO(8), sizeof(ECHO(8)),
				MSG_NOSIGNAL) > 0);
	assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
	while ((json = reply(fix, &client)) != NULL) {
		json_decref(json);
		got++;
	}
	assert_int_equal(got, 100);
	hang_up(&client);
}

static void
half_a_message_and_an_end_is_an_end(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	serve(fix);
	client = dial(fix);
	put(fix, &client, ECHO(1) "\0{\"met", sizeof(ECHO(1)) + 5);
	assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
	expect_number(fix, &client, 1);
	expect_end(fix, &client);
}

static void
followed_call_is_told_of_its_end(void **state)
{
	struct fixture *fix = *state;
	struct client client;

	fix->follow = true;
	serve(fix);
	client = dial(fix);
	call(fix, &client, LATER(1));
	PUMP_UNTIL(fix, fix->nlater == 1);
	assert_int_equal(fix->closed, 0);
	hang_up(&client);
	PUMP_UNTIL(fix, fix->closed == 1);
	expect_service(fix);
	assert_int_equal(fix->closed, 1);
}

static void
every_followed_call_is_told_when_the_server_ends(void **state)
{
	struct fixture *fix = *state;
	struct client a, b;

	fix->follow = true;
	fix->limits.calls = 2;
	serve(fix);
	a = dial(fix);
	b = dial(fix);
	put(fix, &a, LATER(1) "\0" LATER(2), sizeof(LATER(1) "\0" LATER(2)));
	call(fix, &b, LATER(3));
	PUMP_UNTIL(fix, fix->nlater == 3);
	serve_server_free(fix->server);
	fix->server = NULL;
	assert_int_equal(fix->closed, 3);
	expect_end(fix, &a);
	expect_end(fix, &b);
}

/* Nobody follows it: the answer goes nowhere, and nothing breaks. */
/* Its loops unroll in the macros, not on the page. */
/* NOLINTBEGIN(readability-function-size) */
static void
answer_to_a_client_that_left_is_lost(void **state)
{
	struct fixture *fix = *state;

	serve(fix);
	for (int i = 0; i < 8; i++) {
		struct client client = dial(fix);

		call(fix, &client, LATER(1));
		PUMP_UNTIL(fix, fix->nlater == i + 1);
		hang_up(&client);
		pump_for(fix, 2);
		serve_reply(fix->later[i], number(1));
	}
	expect_service(fix);
}
/* NOLINTEND(readability-function-size) */

/* ---- who may ---- */

static void
expect_mode(const char *path, mode_t mode)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, mode);
}

static void
socket_has_its_mode_from_the_first_moment(void **state)
{
	struct fixture *fix = *state;
	const struct group *group = getgrgid(getegid());
	struct jw_why why = {"", ""};
	mode_t old = umask(0);
	struct stat st;
	int fd;

	assert_non_null(group);
	assert_int_equal(serve_bind(fix->path, NULL, &fd, &why), JW_OK);
	expect_mode(fix->path, 0600);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	close(fd);
	/* Again, over what a killed daemon left. */
	assert_int_equal(
	    serve_bind(fix->path, "no-such-group-here", &fd, &why), JW_OK);
	expect_mode(fix->path, 0600);
	close(fd);
	assert_int_equal(
	    serve_bind(fix->path, group->gr_name, &fd, &why), JW_OK);
	expect_mode(fix->path, 0660);
	assert_int_equal(stat(fix->path, &st), 0);
	assert_int_equal(st.st_gid, group->gr_gid);
	close(fd);
	assert_int_equal(count_files(fix->dir), 1);
	assert_int_equal(umask(old), 0);
}

static void
unusable_path_is_named(void **state)
{
	struct fixture *fix = *state;
	struct jw_why why = {"", ""};
	char path[512];
	int fd = -7;

	snprintf(path, sizeof(path), "%s/none/test.sock", fix->dir);
	assert_int_equal(serve_bind(path, NULL, &fd, &why), JW_IO);
	assert_non_null(strstr(why.text, path));
	assert_int_not_equal(why.hint[0], '\0');
	snprintf(path, sizeof(path), "%s/%0200d", fix->dir, 7);
	assert_int_equal(serve_bind(path, NULL, &fd, &why), JW_IO);
	/* A directory stands where the socket is to be. */
	assert_int_equal(mkdir(fix->path, 0700), 0);
	assert_int_equal(serve_bind(fix->path, NULL, &fd, &why), JW_IO);
	assert_int_equal(rmdir(fix->path), 0);
	assert_int_equal(fd, -7);
	assert_int_equal(count_files(fix->dir), 0);
}

/* In a child that is another user: what it is answered to a call. */
static pid_t
as_stranger(
    struct fixture *fix, gid_t extra, const char *text, const char *want)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct sockaddr_un sa = {.sun_family = AF_UNIX};
		char buf[4096] = "";
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		memcpy(sa.sun_path, fix->path, strlen(fix->path));
		if (setgroups(1, &extra) != 0 || setgid(65534) != 0 ||
		    setuid(65534) != 0 ||
		    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
		    write(fd, text, strlen(text) + 1) < 0 ||
		    read(fd, buf, sizeof(buf) - 1) <= 0)
			_exit(2);
		_exit(strstr(buf, want) != NULL ? 0 : 1);
	}
	return pid;
}

static void
expect_stranger(
    struct fixture *fix, gid_t extra, const char *text, const char *want)
{
	pid_t pid = as_stranger(fix, extra, text, want);
	int status = -1;

	PUMP_UNTIL(fix, waitpid(pid, &status, WNOHANG) == pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
strangers_may_look_at_the_service_only(void **state)
{
	struct fixture *fix = *state;

	if (geteuid() != 0)
		skip();
	fix->group = "daemon";
	serve(fix);
	/* The file's own protection out of the way. */
	assert_int_equal(chmod(fix->dir, 0755), 0);
	assert_int_equal(chmod(fix->path, 0666), 0);
	expect_stranger(
	    fix, 65534, ECHO(1), "org.varlink.service.PermissionDenied");
	assert_int_equal(fix->echoes, 0);
	expect_stranger(fix, 65534,
	    "{\"method\":\"org.varlink.service.GetInfo\"}", "\"vendor\"");
	/* A supplementary group counts. */
	expect_stranger(fix, getgrnam("daemon")->gr_gid, ECHO(1), "\"n\":1");
	assert_int_equal(fix->echoes, 1);
	assert_int_equal(fix->peer.uid, 65534);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(call_reaches_its_verb),
	    TEST(failure_has_a_name_on_the_wire),
	    TEST(pipelined_calls_are_answered_in_order),
	    TEST(next_call_waits_where_one_is_the_limit),
	    TEST(what_was_sent_is_answered_before_the_end),
	    TEST(nothing_to_answer_is_the_end_at_once),
	    TEST(octet_by_octet_is_a_call_too),
	    TEST(oneway_gets_no_reply),
	    TEST(hang_up_comes_after_the_reply),
	    TEST(what_is_no_call_ends_the_connection),
	    TEST(calls_before_garbage_are_answered),
	    TEST(calls_in_flight_outlive_garbage),
	    TEST(flood_of_octets_is_survived),
	    TEST(message_of_the_largest_size_passes),
	    TEST(larger_message_ends_the_connection),
	    TEST(half_message_must_end_in_time),
	    TEST(time_counts_from_the_first_octet),
	    TEST(each_message_has_its_own_time),
	    TEST(silence_and_slow_answers_are_no_half_message),
	    TEST(connections_of_one_user_are_limited),
	    TEST(connections_in_all_are_limited),
	    TEST(connection_beyond_a_share_is_refused_with_words),
	    TEST(crowd_beyond_a_share_is_bounded),
	    TEST(connection_for_each_call_is_never_refused),
	    TEST(default_limits_are_those_of_the_documentation),
	    TEST(no_descriptors_left_is_waited_out),
	    TEST(new_connections_delay_no_call),
	    TEST(calls_that_come_together_are_answered_together),
	    TEST(slow_reader_of_a_stream_is_told_and_left),
	    TEST(unread_replies_hold_up_their_reader_alone),
	    TEST(unread_replies_have_a_bound_in_all),
	    TEST(calls_sent_ahead_cost_nothing),
	    TEST(drained_is_told_when_all_has_been_read),
	    TEST(half_closed_client_gets_its_replies),
	    TEST(half_closed_slow_client_gets_all_its_replies),
	    TEST(half_a_message_and_an_end_is_an_end),
	    TEST(followed_call_is_told_of_its_end),
	    TEST(every_followed_call_is_told_when_the_server_ends),
	    TEST(answer_to_a_client_that_left_is_lost),
	    TEST(socket_has_its_mode_from_the_first_moment),
	    TEST(unusable_path_is_named),
	    TEST(strangers_may_look_at_the_service_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
