/*
 * LD_PRELOAD for tests: one allocation fails.  The file that JWKSD_TEST_ALLOC
 * names holds four int64_t that may change at any time:
 *
 *   pid    whose allocations are counted; 0: of no process
 *   at     the one that fails, counted from 1; 0: none
 *   count  how many there were; a test sets it to 0
 *   hits   how many failed
 *
 * The secure heap of OpenSSL counts as well, where the program asks it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
	_Atomic int64_t pid;
	_Atomic int64_t at;
	_Atomic int64_t count;
	_Atomic int64_t hits;
};

static struct control *control;

/* What the C library's own names stand for. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *CRYPTO_secure_malloc(size_t size, const char *file, int line);
void *CRYPTO_secure_zalloc(size_t size, const char *file, int line);

__attribute__((constructor)) static void
map_control(void)
{
	const char *path = getenv("JWKSD_TEST_ALLOC");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *map = MAP_FAILED;

	if (fd >= 0)
		map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	close(fd);
	control = map;
}

static int
fails(void)
{
	if (control == NULL || control->pid != getpid())
		return 0;
	if (atomic_fetch_add(&control->count, 1) + 1 != control->at)
		return 0;
	atomic_fetch_add(&control->hits, 1);
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return size > 0 && fails() ? NULL : __libc_realloc(old, size);
}

void *
CRYPTO_secure_malloc(size_t size, const char *file, int line)
{
	static void *(*real)(size_t, const char *, int);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "CRYPTO_secure_malloc");
	return fails() ? NULL : real(size, file, line);
}

void *
CRYPTO_secure_zalloc(size_t size, const char *file, int line)
{
	static void *(*real)(size_t, const char *, int);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "CRYPTO_secure_zalloc");
	return fails() ? NULL : real(size, file, line);
}
