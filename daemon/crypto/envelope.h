/*
 * The sealed private key, and the key-encryption key (KEK) that seals it.
 *
 * Envelope (version 1):
 *   0x01 | kek_id[16] | nonce[12] | ciphertext | tag[16]
 * AES-256-GCM; key = HKDF-SHA256(KEK, info = "jwksd/priv/v1" || database uuid
 * || key set || kid); AAD = length-prefixed (uuid, key set, kid, generation,
 * alg, SHA-256(SPKI), kek_id).  A blob therefore opens only in the row that
 * it was sealed for.
 */
#ifndef JWKSD_DAEMON_CRYPTO_ENVELOPE_H
#define JWKSD_DAEMON_CRYPTO_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct keys_pair;

enum {
	ENVELOPE_KEK_SIZE = 32,
	ENVELOPE_KEK_ID_SIZE = 16,
	ENVELOPE_OVERHEAD = 1 + 16 + 12 + 16,
};

struct envelope_kek;

/*
 * Read the KEK: exactly 32 octets in a regular file that only its owner can
 * read (no group or other bits, owner root or the caller; opened with
 * O_NOFOLLOW), or in $CREDENTIALS_DIRECTORY/jwksd.kek when that exists (then
 * path is not looked at).  With `create`, a missing file is made (0600, random,
 * synced with its directory; nothing half-written stays behind).
 * JW_BAD_KEK with why.  Blocks on the file system.  The octets live in the
 * secure heap.
 */
enum jw_err crypto_kek_load(const char *path, bool create,
    struct envelope_kek **ret_kek, struct jw_why *why);
/* From 32 octets, for tests. */
enum jw_err crypto_kek_from_bytes(
    const uint8_t *bytes, struct envelope_kek **ret_kek);
void crypto_kek_free(struct envelope_kek *kek);
/* Names a KEK without revealing it; ENVELOPE_KEK_ID_SIZE octets. */
const uint8_t *crypto_kek_id(const struct envelope_kek *kek);

/* The row that a blob is bound to. */
struct crypto_envelope_row {
	const char *database_uuid;
	const char *key_set;
	const char *kid;
	int64_t generation;
	const char *alg;
};

/*
 * Seal a pair's private half for a row.  Draws a fresh nonce.  The caller
 * frees *ret_blob with free().  JW_BAD_KEY, JW_NO_MEMORY.
 */
enum jw_err crypto_seal(const struct envelope_kek *kek,
    const struct crypto_envelope_row *row, const struct keys_pair *pair,
    uint8_t **ret_blob, size_t *ret_len);

/*
 * Open a blob.  spki_hash is of the public key in the row
 * (KEYS_HASH_SIZE octets).  Derives the public half, compares, signs and
 * verifies once.  JW_NO_MEMORY when the secure heap is full; JW_UNSEAL for
 * every other failure alike.
 */
enum jw_err crypto_unseal(const struct envelope_kek *kek,
    const struct crypto_envelope_row *row, const uint8_t *spki_hash,
    const uint8_t *blob, size_t len, struct keys_pair **ret_pair);

#endif
