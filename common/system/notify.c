/*
 * Descriptors from the service manager, states to it, events to the journal.
 *
 * The only file that includes libsystemd's headers.  Must never fail because
 * there is no service manager, and never leave a descriptor blocking: an
 * accept loop on a blocking one hangs the daemon after its first connection.
 */
#include "common/system/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
/* Without the file and line of our source that logs an event. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/event.h"
#include "common/base/log.h"
#include "common/base/memory.h"

enum { FIELDS_MAX = 9 };

struct sys_notify_fds {
	char **names; /* count of them, NULL-terminated; NULL: none */
	int count;
	bool *taken;
};

/* Non-blocking, and not inherited further. */
static enum jw_err
sys_prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		return JW_IO;
	}
	return JW_OK;
}

enum jw_err
sys_notify_fds_take(struct sys_notify_fds **ret_fds, struct jw_why *why)
{
	struct sys_notify_fds *fds = jw_zalloc(sizeof(*fds));
	enum jw_err err = JW_OK;
	int n = sd_listen_fds_with_names(1, &fds->names);

	if (n < 0)
		err = jw_fail(n == -ENOMEM ? JW_NO_MEMORY : JW_IO, why,
		    "LISTEN_FDS: the descriptors that were handed over cannot "
		    "be taken: %s",
		    strerror(-n));
	else
		fds->count = n;
	fds->taken = jw_zalloc(((size_t)fds->count + 1) * sizeof(*fds->taken));
	for (int i = 0; i < n && err == JW_OK; i++)
		if (sys_prepare(SD_LISTEN_FDS_START + i) != JW_OK)
			err = jw_fail(JW_IO, why,
			    "LISTEN_FDS: descriptor %d (\"%s\") cannot be "
			    "used: %s",
			    SD_LISTEN_FDS_START + i, fds->names[i],
			    strerror(errno));
	if (err == JW_OK)
		*ret_fds = fds;
	else
		sys_notify_fds_free(fds);
	return err;
}

void
sys_notify_fds_free(struct sys_notify_fds *fds)
{
	int saved = errno;

	if (fds == NULL)
		return;
	for (int i = 0; i < fds->count; i++) {
		if (!fds->taken[i])
			close(SD_LISTEN_FDS_START + i);
	}
	for (char **name = fds->names; name != NULL && *name != NULL; name++)
		free(*name);
	free(fds->names);
	free(fds->taken);
	free(fds);
	errno = saved;
}

int
sys_notify_fds_next(struct sys_notify_fds *fds, const char *name)
{
	for (int i = 0; i < fds->count; i++) {
		if (!fds->taken[i] && strcmp(fds->names[i], name) == 0) {
			fds->taken[i] = true;
			return SD_LISTEN_FDS_START + i;
		}
	}
	return -1;
}

const char *
sys_notify_fds_left(const struct sys_notify_fds *fds, size_t index)
{
	for (int i = 0; i < fds->count; i++) {
		if (!fds->taken[i] && index-- == 0)
			return fds->names[i];
	}
	return NULL;
}

enum jw_err
sys_notify_check_socket(
    int fd, const char *name, enum sys_notify_family family, struct jw_why *why)
{
	bool fits = sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0;

	if (!fits && family == NOTIFY_UNIX_OR_INET) {
		fits = sd_is_socket(fd, AF_INET, SOCK_STREAM, 1) > 0 ||
		       sd_is_socket(fd, AF_INET6, SOCK_STREAM, 1) > 0;
	}
	if (fits)
		return JW_OK;
	jw_why_set(why,
	    "the descriptor that was handed over as \"%s\" is not a listening "
	    "stream socket%s",
	    name, family == NOTIFY_UNIX ? " of the Unix kind" : "");
	jw_why_hint(why,
	    "its socket unit needs ListenStream=, FileDescriptorName=%s and "
	    "Accept=no",
	    name);
	return JW_BAD_CONFIG;
}

/* The names in their order, with colons between them; NULL: no memory. */
static char *
join_names(const struct sys_notify_fds *fds)
{
	char *joined = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&joined, &size);

	if (out == NULL)
		return NULL;
	for (int i = 0; i < fds->count; i++)
		fprintf(out, "%s%s", i > 0 ? ":" : "", fds->names[i]);
	if (fclose(out) != 0) {
		free(joined);
		return NULL;
	}
	return joined;
}

enum jw_err
sys_notify_fds_pass_on(const struct sys_notify_fds *fds)
{
	char *names = join_names(fds);
	char number[24];
	int rc;

	if (names == NULL)
		return JW_NO_MEMORY;
	rc = setenv("LISTEN_FDNAMES", names, 1);
	free(names);
	snprintf(number, sizeof(number), "%d", fds->count);
	rc |= setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof(number), "%ld", (long)getpid());
	rc |= setenv("LISTEN_PID", number, 1);
	for (int i = 0; i < fds->count && rc == 0; i++)
		rc = fcntl(SD_LISTEN_FDS_START + i, F_SETFD, 0);
	return rc == 0 ? JW_OK : JW_IO;
}

/* A newline would begin another assignment of the protocol. */
static void
one_line(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20)
			*text = ' ';
	}
}

static void
send_status(const char *prefix, const char *status)
{
	char line[512];

	snprintf(line, sizeof(line), "%s", status);
	one_line(line);
	sd_notifyf(0, "%sSTATUS=%s", prefix, line);
}

void
sys_notify_ready(const char *status)
{
	send_status("READY=1\n", status != NULL ? status : "");
}

void
sys_notify_status(const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	send_status("", line);
}

void
sys_notify_reloading(void)
{
	sd_notifyf(
	    0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, jw_clock_monotonic_us());
}

void
sys_notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void
sys_notify_extend_timeout(unsigned seconds)
{
	sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu",
	    (unsigned long long)seconds * 1000000);
}

uint64_t
sys_notify_watchdog_interval(void)
{
	uint64_t usec;

	/* Half of the limit, as sd_watchdog_enabled(3) recommends. */
	return sd_watchdog_enabled(0, &usec) > 0 ? usec / 2 : 0;
}

void
sys_notify_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void
sys_notify_watchdog_within(unsigned seconds)
{
	uint64_t usec = (uint64_t)seconds * 1000000;

	if (seconds == 0 && sd_watchdog_enabled(0, &usec) <= 0)
		return;
	sd_notifyf(0, "WATCHDOG_USEC=%llu", (unsigned long long)usec);
}

/* ---- the journal ---- */

struct fields {
	char *texts[FIELDS_MAX];
	int count;
};

static void __attribute__((format(printf, 2, 3)))
add_field(struct fields *fields, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&fields->texts[fields->count], fmt, args) >= 0)
		fields->count++;
	va_end(args);
}

static void
add_about(struct fields *fields, const struct jw_log_about *about)
{
	const char *id = jw_event_id(about->event);

	if (id != NULL)
		add_field(fields, "MESSAGE_ID=%s", id);
	if (about->key_set != NULL)
		add_field(fields, "JWKSD_KEYSET=%s", about->key_set);
	if (about->kid != NULL)
		add_field(fields, "JWKSD_KID=%s", about->kid);
	if (about->generation != 0) {
		add_field(
		    fields, "JWKSD_GENERATION=%" PRId64, about->generation);
	}
	if (about->state != NULL)
		add_field(fields, "JWKSD_STATE=%s", about->state);
	if (about->by_user)
		add_field(fields, "JWKSD_UID=%" PRId64, about->uid);
}

static bool
send_to_journal(const char *program, int priority, const char *text,
    const struct jw_log_about *about)
{
	struct iovec iov[FIELDS_MAX];
	struct fields fields = {.count = 0};
	int rc;

	add_field(&fields, "MESSAGE=%s", text);
	add_field(&fields, "PRIORITY=%d", priority);
	add_field(&fields, "SYSLOG_IDENTIFIER=%s", program);
	add_about(&fields, about);
	for (int i = 0; i < fields.count; i++) {
		iov[i].iov_base = fields.texts[i];
		iov[i].iov_len = strlen(fields.texts[i]);
	}
	rc = sd_journal_sendv(iov, fields.count);
	for (int i = 0; i < fields.count; i++)
		free(fields.texts[i]);
	return rc >= 0;
}

void
sys_notify_journal(void)
{
	jw_log_set_sink(send_to_journal);
}
