/*
 * LD_PRELOAD for tests: the making of a key pair waits at a gate.  While the
 * file that JWKSD_TEST_KEYGEN_GATE names exists, EVP_PKEY_Q_keygen() and
 * EVP_PKEY_generate() do not return, so that a test of what happens meanwhile
 * depends on no machine's speed.  Each that goes through appends an octet to
 * the file of that name with `.begun` behind it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* As libcrypto has them; its headers are not needed for more. */
void *EVP_PKEY_Q_keygen(
    void *context, const char *queue, const char *type, ...);
int EVP_PKEY_generate(void *context, void **key);

static void
note(const char *gate)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s.begun", gate);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1)
		abort();
	close(fd);
}

static void
wait_at_gate(void)
{
	static const struct timespec nap = {0, 5000000};
	const char *gate = getenv("JWKSD_TEST_KEYGEN_GATE");

	while (gate != NULL && access(gate, F_OK) == 0)
		nanosleep(&nap, NULL);
	if (gate != NULL)
		note(gate);
}

void *
EVP_PKEY_Q_keygen(void *context, const char *queue, const char *type, ...)
{
	void *(*real)(void *, const char *, const char *, ...);
	void *argument;
	va_list args;

	wait_at_gate();
	*(void **)&real = dlsym(RTLD_NEXT, "EVP_PKEY_Q_keygen");
	va_start(args, type);
	/* A size_t or a pointer, by type; the same register either way. */
	argument = va_arg(args, void *);
	va_end(args);
	if (strcmp(type, "RSA") == 0)
		return real(context, queue, type, (size_t)argument);
	return real(context, queue, type, argument);
}

int
EVP_PKEY_generate(void *context, void **key)
{
	int (*real)(void *, void **);

	wait_at_gate();
	*(void **)&real = dlsym(RTLD_NEXT, "EVP_PKEY_generate");
	return real(context, key);
}
