/*
 * OpenSSL for this process: its memory, its random numbers, and its error
 * queue.  Must never free memory without overwriting it.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "common/base/memory.h"
#include "daemon/crypto/internal.h"

enum {
	SECURE_HEAP_UNIT = 32,
	SECURE_HEAP_MIN = 4096,
};

/*
 * OpenSSL frees some buffers that held a private key without cleansing them
 * (measured: i2d_PrivateKey of RSA and Ed25519).  So all that it frees is.
 * And where it gets no memory, it says in most places that the key is bad.
 */
static void *
wiping_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return jw_alloc(size);
}

static void
wiping_free(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	if (old == NULL)
		return;
	explicit_bzero(old, malloc_usable_size(old));
	free(old);
}

static void *
wiping_realloc(void *old, size_t size, const char *file, int line)
{
	size_t old_size = old == NULL ? 0 : malloc_usable_size(old);
	void *data = NULL;

	if (size > 0) {
		data = jw_alloc(size);
		if (old_size > 0)
			memcpy(data, old, old_size < size ? old_size : size);
	}
	wiping_free(old, file, line);
	return data;
}

enum jw_err
crypto_init(size_t secure_heap_bytes, int *ret_locked)
{
	size_t size = SECURE_HEAP_MIN;
	int result;

	if (CRYPTO_secure_malloc_initialized())
		return JW_BUG;
	/* Refused once OpenSSL has allocated; then we do without. */
	CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free);
	/* Keys do not depend on what an administrator configured for TLS. */
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
		return crypto_result(JW_NO_MEMORY);
	while (size < secure_heap_bytes && size <= SIZE_MAX / 4)
		size *= 2;
	result = CRYPTO_secure_malloc_init(size, SECURE_HEAP_UNIT);
	if (result == 0)
		return crypto_result(JW_NO_MEMORY);
	*ret_locked = result == 1;
	return JW_OK;
}

void
crypto_done(void)
{
	CRYPTO_secure_malloc_done();
}

enum jw_err
crypto_random(void *buf, size_t len)
{
	if (RAND_bytes_ex(NULL, buf, len, 0) == 1)
		return JW_OK;
	ERR_clear_error();
	return JW_BUG;
}

/*
 * A copy of this machine's memory may run elsewhere and would draw the same
 * numbers: the generator has to hear from the kernel first.
 */
bool
crypto_reseed(void)
{
	EVP_RAND_CTX *generator = RAND_get0_private(NULL);

	return generator != NULL &&
	       EVP_RAND_reseed(generator, 1, NULL, 0, NULL, 0) == 1;
}

/*
 * What OpenSSL queued for this thread is told by our own result.  A secure heap
 * that is full makes a good key look bad.
 */
enum jw_err
crypto_result(enum jw_err err)
{
	unsigned long code;

	while (err != JW_OK && (code = ERR_get_error()) != 0)
		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
			err = JW_NO_MEMORY;
	return err;
}
