/*
 * LD_PRELOAD for tests: a process lingers between fork(2) and execve(2) for
 * JWKSD_TEST_EXEC_MS milliseconds, whatever signals come meanwhile.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int
execve(const char *path, char *const argv[], char *const env[])
{
	int (*real)(const char *, char *const[], char *const[]);
	const char *text = getenv("JWKSD_TEST_EXEC_MS");
	long ms = text == NULL ? 0 : atol(text);
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0)
		;
	*(void **)&real = dlsym(RTLD_NEXT, "execve");
	return real(path, argv, env);
}
