/*
 * The envelope around a private key at rest, and the key-encryption key.
 *
 * A blob opens only for the row that it was sealed for, and the caller learns
 * nothing about the reason of a failure.  The KEK, the keys derived from it and
 * every plaintext live in the secure heap or are cleansed on the way out.  This
 * file must never overwrite a KEK, and never log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "common/base/directory.h"
#include "common/base/memory.h"
#include "common/config/policy.h"
#include "daemon/crypto/envelope.h"
#include "daemon/crypto/keys.h"

enum {
	VERSION = 1,
	NONCE_SIZE = 12,
	TAG_SIZE = 16,
	AT_KEK_ID = 1,
	AT_NONCE = AT_KEK_ID + ENVELOPE_KEK_ID_SIZE,
	AT_CIPHERTEXT = AT_NONCE + NONCE_SIZE,
	PLAINTEXT_MAX = 16384,
	PATH_SIZE = 4096,
};

struct envelope_kek {
	uint8_t bytes[ENVELOPE_KEK_SIZE];
	uint8_t id[ENVELOPE_KEK_ID_SIZE];
};

/* HKDF-SHA256 without a salt (RFC 5869). */
static bool
derive(const uint8_t *kek, const char *info, uint8_t *ret_key, size_t len)
{
	char digest[] = "SHA256";
	/* OSSL_PARAM has no const; HKDF only reads these two. */
	void *secret = (void *)(uintptr_t)kek;
	void *text = (void *)(uintptr_t)info;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_KEY, secret, ENVELOPE_KEK_SIZE),
	    OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_INFO, text, strlen(info)),
	    OSSL_PARAM_construct_end(),
	};
	EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(hkdf);
	bool ok;

	ok = context != NULL &&
	     EVP_KDF_derive(context, ret_key, len, params) == 1;
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(hkdf);
	return ok;
}

static bool
derive_row_key(const struct envelope_kek *kek,
    const struct crypto_envelope_row *row, uint8_t *ret_key)
{
	char *info = jw_asprintf(
	    "jwksd/priv/v1%s%s%s", row->database_uuid, row->key_set, row->kid);
	bool ok;

	ok = derive(kek->bytes, info, ret_key, ENVELOPE_KEK_SIZE);
	free(info);
	return ok;
}

static void
put_be(uint8_t *at, uint64_t value, size_t size)
{
	while (size-- > 0) {
		at[size] = (uint8_t)value;
		value >>= 8;
	}
}

/* The length goes first: "ab","c" must differ from "a","bc". */
static bool
aad_put(EVP_CIPHER_CTX *context, const void *data, size_t len)
{
	uint8_t prefix[4];
	int n;

	put_be(prefix, len, sizeof(prefix));
	if (len > INT32_MAX ||
	    EVP_CipherUpdate(context, NULL, &n, prefix, sizeof(prefix)) != 1)
		return false;
	return len == 0 ||
	       EVP_CipherUpdate(context, NULL, &n, data, (int)len) == 1;
}

static bool
aad_put_row(EVP_CIPHER_CTX *context, const struct envelope_kek *kek,
    const struct crypto_envelope_row *row, const uint8_t *spki_hash)
{
	uint8_t generation[8];

	put_be(generation, (uint64_t)row->generation, sizeof(generation));
	return aad_put(
		   context, row->database_uuid, strlen(row->database_uuid)) &&
	       aad_put(context, row->key_set, strlen(row->key_set)) &&
	       aad_put(context, row->kid, strlen(row->kid)) &&
	       aad_put(context, generation, sizeof(generation)) &&
	       aad_put(context, row->alg, strlen(row->alg)) &&
	       aad_put(context, spki_hash, KEYS_HASH_SIZE) &&
	       aad_put(context, kek->id, sizeof(kek->id));
}

/* AES-256-GCM with the key of the row, and the row as its AAD, ready for text;
 * NULL on failure.  Free with EVP_CIPHER_CTX_free(). */
static EVP_CIPHER_CTX *
cipher_new(const struct envelope_kek *kek,
    const struct crypto_envelope_row *row, const uint8_t *spki_hash,
    const uint8_t *nonce, bool seal)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t key[ENVELOPE_KEK_SIZE];
	bool ok;

	ok = cipher != NULL && context != NULL &&
	     derive_row_key(kek, row, key) &&
	     EVP_CipherInit_ex2(context, cipher, key, nonce, seal, NULL) == 1 &&
	     aad_put_row(context, kek, row, spki_hash);
	OPENSSL_cleanse(key, sizeof(key));
	EVP_CIPHER_free(cipher);
	if (ok)
		return context;
	EVP_CIPHER_CTX_free(context);
	return NULL;
}

/* blob has room for len + ENVELOPE_OVERHEAD. */
static bool
encrypt(const struct envelope_kek *kek, const struct crypto_envelope_row *row,
    const uint8_t *spki_hash, const uint8_t *text, size_t len, uint8_t *blob)
{
	EVP_CIPHER_CTX *context = NULL;
	uint8_t *out = blob + AT_CIPHERTEXT;
	int n, last;
	bool ok;

	blob[0] = VERSION;
	memcpy(blob + AT_KEK_ID, kek->id, sizeof(kek->id));
	if (crypto_random(blob + AT_NONCE, NONCE_SIZE) != JW_OK)
		return false;
	context = cipher_new(kek, row, spki_hash, blob + AT_NONCE, true);
	ok = context != NULL &&
	     EVP_CipherUpdate(context, out, &n, text, (int)len) == 1 &&
	     EVP_CipherFinal_ex(context, out + n, &last) == 1 &&
	     (size_t)n + (size_t)last == len &&
	     EVP_CIPHER_CTX_ctrl(
		 context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, out + len) == 1;
	EVP_CIPHER_CTX_free(context);
	return ok;
}

/* text has room for len - ENVELOPE_OVERHEAD, and is void on failure. */
static bool
decrypt(const struct envelope_kek *kek, const struct crypto_envelope_row *row,
    const uint8_t *spki_hash, const uint8_t *blob, size_t len, uint8_t *text)
{
	const uint8_t *in = blob + AT_CIPHERTEXT;
	size_t text_len = len - ENVELOPE_OVERHEAD;
	EVP_CIPHER_CTX *context = NULL;
	uint8_t tag[TAG_SIZE];
	int n, last;
	bool ok;

	memcpy(tag, in + text_len, sizeof(tag));
	context = cipher_new(kek, row, spki_hash, blob + AT_NONCE, false);
	ok = context != NULL &&
	     EVP_CIPHER_CTX_ctrl(
		 context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1 &&
	     EVP_CipherUpdate(context, text, &n, in, (int)text_len) == 1 &&
	     EVP_CipherFinal_ex(context, text + n, &last) == 1 &&
	     (size_t)n + (size_t)last == text_len;
	EVP_CIPHER_CTX_free(context);
	return ok;
}

/* Has the pair the algorithm and the kid of the row? */
static bool
row_fits(const struct crypto_envelope_row *row, const struct keys_pair *pair)
{
	const char *alg = jw_alg_name((int)crypto_alg(pair));

	return alg != NULL && strcmp(alg, row->alg) == 0 &&
	       strcmp(crypto_kid(pair), row->kid) == 0;
}

enum jw_err
crypto_seal(const struct envelope_kek *kek,
    const struct crypto_envelope_row *row, const struct keys_pair *pair,
    uint8_t **ret_blob, size_t *ret_len)
{
	uint8_t *der = NULL, *blob = NULL;
	size_t len = 0;
	enum jw_err err;

	if (!row_fits(row, pair))
		return JW_BAD_KEY;
	err = crypto_private_export(pair, &der, &len);
	if (err != JW_OK)
		return err;
	err = JW_BAD_KEY;
	if (len > PLAINTEXT_MAX)
		goto out;
	err = JW_NO_MEMORY;
	blob = malloc(len + ENVELOPE_OVERHEAD);
	if (blob == NULL)
		goto out;
	err = JW_BAD_KEY;
	if (!encrypt(kek, row, crypto_spki_hash(pair), der, len, blob))
		goto out;
	*ret_blob = blob;
	*ret_len = len + ENVELOPE_OVERHEAD;
	blob = NULL;
	err = JW_OK;
out:
	if (err != JW_OK)
		ERR_clear_error();
	crypto_private_free(der, len);
	free(blob);
	return err;
}

/* Sign something and verify it: do the two halves belong together? */
static enum jw_err
try_pair(const struct keys_pair *pair)
{
	static const char probe[] = "jwksd/probe/v1";
	uint8_t signature[KEYS_SIGNATURE_MAX];
	size_t len;
	enum jw_err err =
	    crypto_sign(pair, probe, sizeof(probe), signature, &len);

	if (err == JW_OK)
		err = crypto_verify(pair, probe, sizeof(probe), signature, len);
	return err;
}

static bool
blob_is_ours(const struct envelope_kek *kek, const uint8_t *blob, size_t len)
{
	return len > ENVELOPE_OVERHEAD &&
	       len <= PLAINTEXT_MAX + ENVELOPE_OVERHEAD && blob[0] == VERSION &&
	       memcmp(blob + AT_KEK_ID, kek->id, sizeof(kek->id)) == 0;
}

enum jw_err
crypto_unseal(const struct envelope_kek *kek,
    const struct crypto_envelope_row *row, const uint8_t *spki_hash,
    const uint8_t *blob, size_t len, struct keys_pair **ret_pair)
{
	int alg = jw_alg_parse(row->alg);
	struct keys_pair *pair = NULL;
	uint8_t *text = NULL;
	size_t text_len = 0;
	enum jw_err err = JW_BAD_KEY;

	if (alg < 0 || !blob_is_ours(kek, blob, len))
		return JW_UNSEAL;
	text = OPENSSL_secure_malloc(len - ENVELOPE_OVERHEAD);
	if (text == NULL)
		return JW_NO_MEMORY;
	text_len = len - ENVELOPE_OVERHEAD;
	if (!decrypt(kek, row, spki_hash, blob, len, text))
		goto out;
	err = crypto_private_import((enum jw_alg)alg, text, text_len, &pair);
	if (err != JW_OK)
		goto out;
	err = JW_BAD_KEY;
	if (!row_fits(row, pair) ||
	    memcmp(crypto_spki_hash(pair), spki_hash, KEYS_HASH_SIZE) != 0)
		goto out;
	err = try_pair(pair);
	if (err == JW_OK) {
		*ret_pair = pair;
		pair = NULL;
	}
out:
	ERR_clear_error();
	crypto_free(pair);
	OPENSSL_secure_clear_free(text, text_len);
	return err == JW_OK || err == JW_NO_MEMORY ? err : JW_UNSEAL;
}

enum jw_err
crypto_kek_from_bytes(const uint8_t *bytes, struct envelope_kek **ret_kek)
{
	struct envelope_kek *kek = OPENSSL_secure_zalloc(sizeof(*kek));

	if (kek == NULL)
		return JW_NO_MEMORY;
	memcpy(kek->bytes, bytes, sizeof(kek->bytes));
	if (!derive(kek->bytes, "jwksd/kek-id/v1", kek->id, sizeof(kek->id))) {
		ERR_clear_error();
		crypto_kek_free(kek);
		return JW_BUG;
	}
	*ret_kek = kek;
	return JW_OK;
}

void
crypto_kek_free(struct envelope_kek *kek)
{
	OPENSSL_secure_clear_free(kek, sizeof(*kek));
}

const uint8_t *
crypto_kek_id(const struct envelope_kek *kek)
{
	return kek->id;
}

/* Read exactly len octets; -1: fewer or more can be read. */
static int
read_all(int fd, uint8_t *buf, size_t len)
{
	uint8_t more;
	ssize_t n;

	for (size_t have = 0; have < len; have += (size_t)n) {
		n = TEMP_FAILURE_RETRY(read(fd, buf + have, len - have));
		if (n <= 0)
			return -1;
	}
	return TEMP_FAILURE_RETRY(read(fd, &more, 1)) == 0 ? 0 : -1;
}

static int
crypto_write_all(int fd, const uint8_t *buf, size_t len)
{
	ssize_t n;

	for (size_t have = 0; have < len; have += (size_t)n) {
		n = TEMP_FAILURE_RETRY(write(fd, buf + have, len - have));
		if (n < 0)
			return -1;
	}
	return 0;
}

/*
 * A credential is in a directory that systemd made for this service alone,
 * and an access list for its user shows there as group bits.
 */
static enum jw_err
kek_check_file(const char *path, const struct stat *st, bool credential,
    struct jw_why *why)
{
	if (!S_ISREG(st->st_mode))
		return jw_fail(
		    JW_BAD_KEK, why, "%s is not a regular file", path);
	if (!credential && (st->st_mode & 077) != 0) {
		jw_why_set(why,
		    "%s has mode %04o: others than its owner may use it, "
		    "and should not",
		    path, (unsigned)st->st_mode & 07777);
		jw_why_hint(why, "chmod 0600 %s", path);
		return JW_BAD_KEK;
	}
	if (!credential && st->st_uid != 0 && st->st_uid != geteuid())
		return jw_fail(JW_BAD_KEK, why,
		    "%s belongs to uid %ld, and should belong to root or "
		    "uid %ld",
		    path, (long)st->st_uid, (long)geteuid());
	if (st->st_size != ENVELOPE_KEK_SIZE)
		return jw_fail(JW_BAD_KEK, why,
		    "%s has %lld octets, and should have %d", path,
		    (long long)st->st_size, ENVELOPE_KEK_SIZE);
	return JW_OK;
}

/* JW_BAD_KEK with errno ENOENT, and without why, when there is no file. */
static enum jw_err
kek_read(const char *path, bool credential, struct envelope_kek **ret_kek,
    struct jw_why *why)
{
	uint8_t bytes[ENVELOPE_KEK_SIZE];
	enum jw_err err = JW_BAD_KEK;
	struct stat st;
	int fd;

	/* O_NONBLOCK: opening a FIFO would block the start for ever. */
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		int error = errno;

		if (error == ELOOP)
			jw_why_set(why,
			    "%s is a symbolic link, and should be "
			    "the file itself",
			    path);
		else if (error != ENOENT)
			jw_why_set(why, "%s: %s", path, strerror(error));
		errno = error;
		return err;
	}
	if (fstat(fd, &st) != 0) {
		jw_why_set(why, "%s: %s", path, strerror(errno));
		goto out;
	}
	err = kek_check_file(path, &st, credential, why);
	if (err != JW_OK)
		goto out;
	if (read_all(fd, bytes, sizeof(bytes)) != 0) {
		err = jw_fail(
		    JW_BAD_KEK, why, "%s could not be read whole", path);
		goto out;
	}
	err = crypto_kek_from_bytes(bytes, ret_kek);
	if (err != JW_OK)
		jw_why_set(why, "%s: %s", path, jw_err_text(err));
out:
	OPENSSL_cleanse(bytes, sizeof(bytes));
	close(fd);
	errno = 0;
	return err;
}

static int
kek_write(int fd)
{
	uint8_t bytes[ENVELOPE_KEK_SIZE];
	int result = -1;

	errno = EIO;
	if (crypto_random(bytes, sizeof(bytes)) == JW_OK &&
	    crypto_write_all(fd, bytes, sizeof(bytes)) == 0 && fsync(fd) == 0)
		result = 0;
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return result;
}

/*
 * The file appears under its name whole or not at all, and never in place of
 * another: link() refuses a name that is taken.
 */
static int
kek_create(const char *path)
{
	char draft[PATH_SIZE];
	int fd, error, result = -1;

	if ((size_t)snprintf(draft, sizeof(draft), "%s.XXXXXX", path) >=
	    sizeof(draft)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (kek_write(fd) == 0 && link(draft, path) == 0)
		result = 0;
	error = errno;
	unlink(draft);
	close(fd);
	if (result == 0)
		return jw_directory_sync_of(path) ? 0 : -1;
	errno = error;
	return result;
}

/* JW_BAD_KEK with errno ENOENT when there is no credential. */
static enum jw_err
kek_read_credential(struct envelope_kek **ret_kek, struct jw_why *why)
{
	const char *directory = secure_getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_SIZE];

	errno = ENOENT;
	if (directory == NULL || directory[0] == '\0')
		return JW_BAD_KEK;
	if ((size_t)snprintf(path, sizeof(path), "%s/jwksd.kek", directory) >=
	    sizeof(path)) {
		jw_why_set(why, "CREDENTIALS_DIRECTORY is too long");
		errno = 0;
		return JW_BAD_KEK;
	}
	return kek_read(path, true, ret_kek, why);
}

/* The hint where a more precise one was not given. */
static void
hint_restore(struct jw_why *why)
{
	if (why != NULL && why->hint[0] == '\0')
		jw_why_hint(why,
		    "put the file back that the database was made with, as "
		    "it was");
}

enum jw_err
crypto_kek_load(const char *path, bool create, struct envelope_kek **ret_kek,
    struct jw_why *why)
{
	enum jw_err err;

	err = kek_read_credential(ret_kek, why);
	if (err == JW_OK || errno != ENOENT)
		return err;
	err = kek_read(path, false, ret_kek, why);
	if (err == JW_BAD_KEK && errno != ENOENT)
		hint_restore(why);
	if (err == JW_OK || errno != ENOENT)
		return err;
	if (!create) {
		jw_why_set(why, "there is no key-encryption key at %s", path);
		jw_why_hint(why,
		    "without it the keys in the database cannot "
		    "be opened; restore it from where it was kept");
		return JW_BAD_KEK;
	}
	/* EEXIST: another process made it first, and its file is used. */
	if (kek_create(path) != 0 && errno != EEXIST) {
		err = jw_err_errno(errno);
		jw_why_set(
		    why, "%s could not be made: %s", path, strerror(errno));
		return err == JW_NO_SPACE ? err : JW_BAD_KEK;
	}
	err = kek_read(path, false, ret_kek, why);
	if (err != JW_OK && errno == ENOENT)
		jw_why_set(why, "%s vanished while it was being made", path);
	return err;
}
