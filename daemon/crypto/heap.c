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
 * (measured: i2d_PrivateKey of RSA and Ed25519), so every buffer is cleansed
 * when it is freed.  Most functions of OpenSSL report a failed allocation as a
 * bad key, so an allocation never fails: jw_alloc() ends the process.
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
	/* OpenSSL refuses this once it has allocated memory; then nothing is
	 * cleansed here. */
	CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free);
	/* openssl.cnf, which administrators change for TLS, is not read. */
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

/* A restored snapshot of this machine would draw the same numbers again, so the
 * generator is reseeded from the kernel before a key is made. */
bool
crypto_reseed(void)
{
	EVP_RAND_CTX *generator = RAND_get0_private(NULL);

	return generator != NULL &&
	       EVP_RAND_reseed(generator, 1, NULL, 0, NULL, 0) == 1;
}

/* The queue is emptied, since the caller reports err.  A full secure heap is
 * found in the queue alone: OpenSSL reports it as a bad key. */
enum jw_err
crypto_result(enum jw_err err)
{
	unsigned long code;

	while (err != JW_OK && (code = ERR_get_error()) != 0)
		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
			err = JW_NO_MEMORY;
	return err;
}
