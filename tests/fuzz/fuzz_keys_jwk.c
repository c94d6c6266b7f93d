/*
 * Any octets as a JWK, as PEM, as DER and as base64url: refused or taken,
 * never a crash.  The first octet chooses the algorithm.  What is taken must
 * describe itself so that it is taken again, and sign if it has a private
 * half.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/base64url.h"
#include "daemon/crypto/keys.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int holds)
{
	if (!holds)
		abort();
}

static void
check_pair(struct keys_pair *pair)
{
	const char *jwk = crypto_public_jwk(pair);
	uint8_t signature[KEYS_SIGNATURE_MAX];
	struct keys_pair *again = NULL;
	size_t len;

	must(crypto_from_jwk(
		 crypto_alg(pair), jwk, strlen(jwk), &again, NULL) == JW_OK);
	must(strcmp(crypto_kid(again), crypto_kid(pair)) == 0);
	must(strcmp(crypto_public_jwk(again), jwk) == 0);
	if (crypto_sign(pair, "x", 1, signature, &len) == JW_OK)
		must(crypto_verify(again, "x", 1, signature, len) == JW_OK);
	crypto_free(again);
	crypto_free(pair);
}

static void
check_base64url(const char *text, size_t size)
{
	uint8_t *data;
	size_t len;
	char *back;

	if (jw_base64url_decode(text, size, &data, &len) != JW_OK)
		return;
	back = jw_base64url(data, len);
	must(back != NULL && strlen(back) == size &&
	     memcmp(back, text, size) == 0);
	free(back);
	free(data);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int locked;

	(void)argc;
	(void)argv;
	return crypto_init(1 << 22, &locked) == JW_OK ? 0 : -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keys_pair *pair;
	struct jw_why why;
	enum jw_alg alg;
	const char *text;

	if (size == 0)
		return 0;
	alg = (enum jw_alg)(data[0] % JW_ALG_COUNT);
	data++;
	size--;
	text = (const char *)data;
	if (crypto_from_jwk(alg, text, size, &pair, &why) == JW_OK)
		check_pair(pair);
	if (crypto_from_pem(alg, text, size, &pair, &why) == JW_OK)
		check_pair(pair);
	/* Sealed DER is ours; its two halves are only checked by signing. */
	if (crypto_private_import(alg, data, size, &pair) == JW_OK)
		crypto_free(pair);
	check_base64url(text, size);
	return 0;
}
