/*
 * A JWK that is being imported, for the families of keys.
 */
#ifndef JWKSD_DAEMON_CRYPTO_IMPORT_H
#define JWKSD_DAEMON_CRYPTO_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/crypto/internal.h"

enum { RSA_MEMBERS = 8 };

/* OpenSSL's OSSL_PARAM_BLD and BIGNUM; Jansson's json_t. */
struct ossl_param_bld_st;
struct bignum_st;
struct json_t;

/* All but why is freed once the key is made. */
struct import {
	const struct algorithm *algorithm;
	struct json_t *jwk;
	bool private;
	bool ours; /* was checked before it was stored */
	struct jw_why *why;
	struct ossl_param_bld_st *params;
	struct bignum_st *numbers[RSA_MEMBERS];
	uint8_t *point;
	size_t point_len;
	uint8_t *scalar;
	size_t scalar_len;
};

/*
 * The octets of a member, in the secure heap; free with
 * OPENSSL_secure_clear_free().  JW_BAD_KEY unless min <= len <= max.
 */
enum jw_err crypto_import_octets(const struct import *in, const char *name,
    size_t min, size_t max, uint8_t **ret_data, size_t *ret_len);
#endif
