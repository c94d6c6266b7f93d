/*
 * sign-bare LEN SECONDS: Ed25519 signatures a second of LEN octets, with
 * nothing around them.  `openssl speed` signs a few octets; Ed25519 reads what
 * it signs twice, and a token has some five hundred.
 */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LEN_MAX = 65536, ROUND = 256 };

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	static uint8_t data[LEN_MAX], signature[64];
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len, signature_len;
	double begun, seconds;
	long count = 0;
	int ok = 1;

	if (argc != 3 || key == NULL || context == NULL) {
		fputs("usage: sign-bare LEN SECONDS\n", stderr);
		return 64;
	}
	len = strtoul(argv[1], NULL, 10) % LEN_MAX;
	seconds = strtod(argv[2], NULL);
	memset(data, 'x', len);
	ok = EVP_DigestSignInit_ex(
		 context, NULL, NULL, NULL, NULL, key, NULL) == 1;
	begun = now();
	while (ok && now() - begun < seconds) {
		for (int i = 0; i < ROUND && ok; i++) {
			signature_len = sizeof(signature);
			ok = EVP_DigestSign(context, signature, &signature_len,
				 data, len) == 1;
		}
		count += ROUND;
	}
	printf("%.1f\n", (double)count / (now() - begun));
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return ok ? 0 : 1;
}
