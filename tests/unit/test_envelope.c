/*
 * daemon/crypto/envelope.c: what was sealed for a row opens in that row only,
 * and a key-encryption key is read from where it is safe only.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "common/config/policy.h"
#include "daemon/crypto/envelope.h"
#include "daemon/crypto/keys.h"
#include "tests/unit/place.h"

static const uint8_t kek_octets[ENVELOPE_KEK_SIZE] = "0123456789abcdef"
						     "0123456789abcde";

/* One pair sealed for one row, and a directory for key files. */
struct fixture {
	struct envelope_kek *kek;
	struct keys_pair *pair;
	struct crypto_envelope_row row;
	uint8_t *blob;
	size_t len;
	char directory[64];
	char path[128];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL || crypto_kek_from_bytes(kek_octets, &f->kek) != JW_OK ||
	    crypto_generate(JW_ALG_ES256, 0, NULL, &f->pair) != JW_OK)
		return -1;
	f->row.database_uuid = "7d444840-9dc0-11d1-b245-5ffdce74fad2";
	f->row.key_set = "default";
	f->row.kid = crypto_kid(f->pair);
	f->row.generation = 7;
	f->row.alg = "ES256";
	if (crypto_seal(f->kek, &f->row, f->pair, &f->blob, &f->len) != JW_OK)
		return -1;
	if (!place_make(f->directory, sizeof(f->directory)))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/kek", f->directory);
	unsetenv("CREDENTIALS_DIRECTORY");
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char path[128];

	unsetenv("CREDENTIALS_DIRECTORY");
	unlink(f->path);
	rmdir(f->path);
	snprintf(path, sizeof(path), "%s/jwksd.kek", f->directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/real", f->directory);
	unlink(path);
	crypto_kek_free(f->kek);
	crypto_free(f->pair);
	free(f->blob);
	/* Fails where something was left behind. */
	if (rmdir(f->directory) != 0)
		return -1;
	free(f);
	return 0;
}

static void
assert_closed(const struct fixture *f, const struct crypto_envelope_row *row)
{
	struct keys_pair *pair = NULL;

	assert_int_equal(crypto_unseal(f->kek, row, crypto_spki_hash(f->pair),
			     f->blob, f->len, &pair),
	    JW_UNSEAL);
	assert_null(pair);
}

static void
assert_open(const struct fixture *f)
{
	uint8_t signature[KEYS_SIGNATURE_MAX];
	struct keys_pair *pair = NULL;
	size_t len;

	assert_int_equal(crypto_unseal(f->kek, &f->row,
			     crypto_spki_hash(f->pair), f->blob, f->len, &pair),
	    JW_OK);
	assert_string_equal(
	    crypto_public_jwk(pair), crypto_public_jwk(f->pair));
	assert_int_equal(crypto_sign(pair, "x", 1, signature, &len), JW_OK);
	assert_int_equal(crypto_verify(f->pair, "x", 1, signature, len), JW_OK);
	crypto_free(pair);
}

static void
test_opens(void **state)
{
	assert_open(*state);
}

static void
test_layout(void **state)
{
	struct fixture *f = *state;
	uint8_t *der, *again;
	size_t der_len, again_len;

	assert_int_equal(f->blob[0], 1);
	assert_memory_equal(
	    f->blob + 1, crypto_kek_id(f->kek), ENVELOPE_KEK_ID_SIZE);
	assert_int_equal(crypto_private_export(f->pair, &der, &der_len), JW_OK);
	assert_int_equal(f->len, der_len + ENVELOPE_OVERHEAD);
	assert_null(memmem(f->blob, f->len, der + 8, 16));
	/* Sealed again, the nonce and so every octet after it differs. */
	assert_int_equal(
	    crypto_seal(f->kek, &f->row, f->pair, &again, &again_len), JW_OK);
	assert_int_equal(again_len, f->len);
	assert_memory_not_equal(again + 17, f->blob + 17, 12);
	assert_memory_not_equal(again + 29, f->blob + 29, der_len);
	crypto_private_free(der, der_len);
	free(again);
}

static void
test_every_algorithm(void **state)
{
	struct fixture *f = *state;
	struct crypto_envelope_row row = f->row;
	struct keys_pair *pair, *opened;
	uint8_t *blob;
	size_t len;

	for (int alg = 0; alg < JW_ALG_COUNT; alg++) {
		/* The others are in every OpenSSL; test_keys.c says so. */
		if (alg >= JW_ALG_MLDSA44 &&
		    crypto_supported((enum jw_alg)alg, NULL) != JW_OK)
			continue;
		assert_int_equal(
		    crypto_generate((enum jw_alg)alg, 2048, NULL, &pair),
		    JW_OK);
		row.kid = crypto_kid(pair);
		row.alg = jw_alg_name(alg);
		assert_int_equal(
		    crypto_seal(f->kek, &row, pair, &blob, &len), JW_OK);
		assert_int_equal(
		    crypto_unseal(f->kek, &row, crypto_spki_hash(pair), blob,
			len, &opened),
		    JW_OK);
		assert_string_equal(
		    crypto_public_jwk(opened), crypto_public_jwk(pair));
		crypto_free(opened);
		crypto_free(pair);
		free(blob);
	}
}

static void
test_every_octet_counts(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			f->blob[i] ^= (uint8_t)(1 << bit);
			assert_closed(f, &f->row);
			f->blob[i] ^= (uint8_t)(1 << bit);
		}
	}
	assert_open(f);
}

static void
test_every_field_counts(void **state)
{
	struct fixture *f = *state;
	struct crypto_envelope_row row;

	row = f->row;
	row.database_uuid = "7d444840-9dc0-11d1-b245-5ffdce74fad3";
	assert_closed(f, &row);
	row = f->row;
	row.key_set = "defaulu";
	assert_closed(f, &row);
	row = f->row;
	row.kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
	assert_closed(f, &row);
	row = f->row;
	row.generation = 8;
	assert_closed(f, &row);
	row.generation = 7 + (INT64_C(1) << 32);
	assert_closed(f, &row);
	row = f->row;
	row.alg = "ES384";
	assert_closed(f, &row);
	row.alg = "HS256";
	assert_closed(f, &row);
}

/* The key derivation joins its texts; the lengths in the AAD part them. */
static void
test_fields_do_not_run_together(void **state)
{
	struct fixture *f = *state;
	struct crypto_envelope_row row = f->row;
	uint8_t *blob;
	size_t len;

	row.database_uuid = "7d444840-9dc0-11d1-b245-5ffdce74fad2d";
	row.key_set = "efault";
	assert_closed(f, &row);
	row.database_uuid = "";
	row.key_set = "";
	assert_int_equal(
	    crypto_seal(f->kek, &row, f->pair, &blob, &len), JW_OK);
	free(f->blob);
	f->blob = blob;
	f->row = row;
	assert_open(f);
}

/* An Ed25519 pair has the same kid under both names: only alg differs. */
static void
test_alg_is_bound(void **state)
{
	struct fixture *f = *state;
	struct crypto_envelope_row row = f->row;
	struct keys_pair *pair, *opened = NULL;
	uint8_t *blob;
	size_t len;

	assert_int_equal(crypto_generate(JW_ALG_EDDSA, 0, NULL, &pair), JW_OK);
	row.kid = crypto_kid(pair);
	row.alg = "EdDSA";
	assert_int_equal(crypto_seal(f->kek, &row, pair, &blob, &len), JW_OK);
	row.alg = "Ed25519";
	assert_int_equal(crypto_unseal(f->kek, &row, crypto_spki_hash(pair),
			     blob, len, &opened),
	    JW_UNSEAL);
	assert_null(opened);
	crypto_free(pair);
	free(blob);
}

static void
test_other_public_key(void **state)
{
	struct fixture *f = *state;
	struct keys_pair *other, *pair = NULL;

	assert_int_equal(crypto_generate(JW_ALG_ES256, 0, NULL, &other), JW_OK);
	assert_int_equal(crypto_unseal(f->kek, &f->row, crypto_spki_hash(other),
			     f->blob, f->len, &pair),
	    JW_UNSEAL);
	assert_null(pair);
	crypto_free(other);
}

static void
test_other_kek(void **state)
{
	struct fixture *f = *state;
	struct envelope_kek *mine = f->kek;
	uint8_t octets[ENVELOPE_KEK_SIZE];

	memcpy(octets, kek_octets, sizeof(octets));
	octets[31] ^= 1;
	assert_int_equal(crypto_kek_from_bytes(octets, &f->kek), JW_OK);
	assert_memory_not_equal(
	    crypto_kek_id(f->kek), crypto_kek_id(mine), ENVELOPE_KEK_ID_SIZE);
	assert_closed(f, &f->row);
	/* Not even when the blob names the other one. */
	memcpy(f->blob + 1, crypto_kek_id(f->kek), ENVELOPE_KEK_ID_SIZE);
	assert_closed(f, &f->row);
	crypto_kek_free(mine);
}

static void
test_every_length(void **state)
{
	struct fixture *f = *state;
	size_t whole = f->len;
	uint8_t *longer = realloc(f->blob, whole + 1);

	assert_non_null(longer);
	f->blob = longer;
	for (f->len = 0; f->len < whole; f->len++)
		assert_closed(f, &f->row);
	f->blob[whole] = 0;
	f->len = whole + 1;
	assert_closed(f, &f->row);
	f->len = whole;
	assert_open(f);
}

static void
test_seals_only_what_fits(void **state)
{
	struct fixture *f = *state;
	const char *jwk = crypto_public_jwk(f->pair);
	struct crypto_envelope_row row = f->row;
	struct keys_pair *public;
	uint8_t *blob = NULL;
	size_t len;

	row.alg = "ES384";
	assert_int_equal(
	    crypto_seal(f->kek, &row, f->pair, &blob, &len), JW_BAD_KEY);
	row = f->row;
	row.kid = "another";
	assert_int_equal(
	    crypto_seal(f->kek, &row, f->pair, &blob, &len), JW_BAD_KEY);
	assert_int_equal(
	    crypto_from_jwk(JW_ALG_ES256, jwk, strlen(jwk), &public, NULL),
	    JW_OK);
	assert_int_equal(
	    crypto_seal(f->kek, &f->row, public, &blob, &len), JW_BAD_KEY);
	assert_null(blob);
	crypto_free(public);
}

/* A file of so many octets of KEK text. */
static void
put_file(const char *path, size_t len, mode_t mode)
{
	uint8_t octets[64];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	memset(octets, 'k', sizeof(octets));
	memcpy(octets, kek_octets, sizeof(kek_octets));
	assert_int_equal(write(fd, octets, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static void
assert_loads(const struct fixture *f)
{
	struct envelope_kek *kek = NULL;
	struct jw_why why = {"", ""};

	if (crypto_kek_load(f->path, false, &kek, &why) != JW_OK)
		fail_msg("%s", why.text);
	assert_memory_equal(
	    crypto_kek_id(kek), crypto_kek_id(f->kek), ENVELOPE_KEK_ID_SIZE);
	crypto_kek_free(kek);
}

/* Refused alike with create: what is there is never replaced. */
static void
assert_not_loaded(const char *path, bool create, const char *reason)
{
	struct envelope_kek *kek = NULL;
	struct jw_why why = {"", ""};

	assert_int_equal(crypto_kek_load(path, create, &kek, &why), JW_BAD_KEK);
	assert_null(kek);
	if (strstr(why.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, reason);
}

static void
test_kek_modes(void **state)
{
	static const mode_t bad[] = {0640, 0620, 0610, 0604, 0602, 0601};
	struct fixture *f = *state;

	put_file(f->path, 32, 0600);
	assert_loads(f);
	assert_int_equal(chmod(f->path, 0400), 0);
	assert_loads(f);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(chmod(f->path, bad[i]), 0);
		assert_not_loaded(f->path, false, "mode");
		assert_not_loaded(f->path, true, "mode");
	}
}

static void
test_kek_sizes(void **state)
{
	static const size_t bad[] = {0, 1, 31, 33, 64};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_file(f->path, bad[i], 0600);
		assert_not_loaded(f->path, false, "octets");
		assert_not_loaded(f->path, true, "octets");
		assert_int_equal(unlink(f->path), 0);
	}
}

static void
test_kek_owner(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	put_file(f->path, 32, 0600);
	assert_int_equal(chown(f->path, 65534, 65534), 0);
	assert_not_loaded(f->path, false, "belongs to uid 65534");
}

static void
test_kek_symlink(void **state)
{
	struct fixture *f = *state;
	char real[128];

	snprintf(real, sizeof(real), "%s/real", f->directory);
	put_file(real, 32, 0600);
	assert_int_equal(symlink(real, f->path), 0);
	assert_not_loaded(f->path, false, "symbolic link");
	/* Nor is one followed to where a file could be made. */
	assert_int_equal(unlink(real), 0);
	assert_not_loaded(f->path, true, "symbolic link");
	assert_int_equal(access(real, F_OK), -1);
}

static void
test_kek_no_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_not_loaded(f->path, true, "regular file");
	assert_int_equal(rmdir(f->path), 0);
	/* Must not wait for a writer. */
	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_not_loaded(f->path, true, "regular file");
	assert_int_equal(unlink(f->path), 0);
	assert_not_loaded(f->path, false, f->path);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_not_loaded("/dev/null/kek", false, "/dev/null/kek");
}

static void
test_kek_is_made(void **state)
{
	struct fixture *f = *state;
	struct envelope_kek *made = NULL, *again = NULL;
	struct stat st;
	mode_t mask = umask(0);

	assert_int_equal(crypto_kek_load(f->path, true, &made, NULL), JW_OK);
	umask(mask);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_size, ENVELOPE_KEK_SIZE);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(crypto_kek_load(f->path, true, &again, NULL), JW_OK);
	assert_memory_equal(
	    crypto_kek_id(made), crypto_kek_id(again), ENVELOPE_KEK_ID_SIZE);
	crypto_kek_free(again);
	/* Random: the next one is another one. */
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(crypto_kek_load(f->path, true, &again, NULL), JW_OK);
	assert_memory_not_equal(
	    crypto_kek_id(made), crypto_kek_id(again), ENVELOPE_KEK_ID_SIZE);
	crypto_kek_free(again);
	crypto_kek_free(made);
}

static void
test_kek_cannot_be_made(void **state)
{
	struct fixture *f = *state;
	char path[256];

	snprintf(path, sizeof(path), "%s/none/kek", f->directory);
	assert_not_loaded(path, true, "could not be made");
}

static void
test_credential_first(void **state)
{
	struct fixture *f = *state;
	char credential[128];

	snprintf(credential, sizeof(credential), "%s/jwksd.kek", f->directory);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", f->directory, 1), 0);
	/* None there: the path counts. */
	put_file(f->path, 32, 0600);
	assert_loads(f);
	/* One there, readable through an access list: path is not opened. */
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
	put_file(credential, 32, 0440);
	assert_loads(f);
	assert_int_equal(unlink(credential), 0);
	/* A broken one is an error, and no reason to look elsewhere. */
	put_file(credential, 31, 0400);
	assert_int_equal(rmdir(f->path), 0);
	put_file(f->path, 32, 0600);
	assert_not_loaded(f->path, true, "jwksd.kek has 31 octets");
}

/* Take all that is left of the secure heap, in small blocks; their number. */
static size_t
fill_secure_heap(void **blocks, size_t max)
{
	size_t n = 0;

	while (n < max && (blocks[n] = OPENSSL_secure_malloc(64)) != NULL)
		n++;
	assert_in_range(n, 1, max - 1);
	return n;
}

/* However much of the secure heap is left: open, or told that it is not. */
static void
open_in_little_room(enum jw_alg alg, const char *name)
{
	static void *blocks[1 << 15];
	struct fixture f = {.row.database_uuid = "u", .row.key_set = "default"};
	size_t n, refused = 0;
	enum jw_err err = JW_NO_MEMORY;

	assert_int_equal(crypto_kek_from_bytes(kek_octets, &f.kek), JW_OK);
	assert_int_equal(crypto_generate(alg, 2048, NULL, &f.pair), JW_OK);
	f.row.kid = crypto_kid(f.pair);
	f.row.alg = name;
	assert_int_equal(
	    crypto_seal(f.kek, &f.row, f.pair, &f.blob, &f.len), JW_OK);
	n = fill_secure_heap(blocks, sizeof(blocks) / sizeof(blocks[0]));
	for (; err != JW_OK && n > 0; n--, refused++) {
		struct keys_pair *pair = NULL;

		err = crypto_unseal(f.kek, &f.row, crypto_spki_hash(f.pair),
		    f.blob, f.len, &pair);
		assert_true(err == JW_OK || err == JW_NO_MEMORY);
		crypto_free(pair);
		OPENSSL_secure_free(blocks[n - 1]);
	}
	assert_true(refused > 1);
	while (n > 0)
		OPENSSL_secure_free(blocks[--n]);
	assert_open(&f);
	free(f.blob);
	crypto_free(f.pair);
	crypto_kek_free(f.kek);
}

static void
test_little_room_says_nothing_about_a_key(void **state)
{
	(void)state;
	open_in_little_room(JW_ALG_ES256, "ES256");
	open_in_little_room(JW_ALG_RS256, "RS256");
	open_in_little_room(JW_ALG_EDDSA, "EdDSA");
}

static void
test_free_accepts_null(void **state)
{
	(void)state;
	crypto_kek_free(NULL);
}

static int
group_setup(void **state)
{
	int locked;

	(void)state;
	return crypto_init(1 << 20, &locked) == JW_OK ? 0 : -1;
}

static int
group_teardown(void **state)
{
	(void)state;
	crypto_done();
	return 0;
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ROW(test_opens),
	    ROW(test_layout),
	    ROW(test_every_algorithm),
	    ROW(test_every_octet_counts),
	    ROW(test_every_field_counts),
	    ROW(test_fields_do_not_run_together),
	    ROW(test_alg_is_bound),
	    ROW(test_other_public_key),
	    ROW(test_other_kek),
	    ROW(test_every_length),
	    ROW(test_seals_only_what_fits),
	    ROW(test_kek_modes),
	    ROW(test_kek_sizes),
	    ROW(test_kek_owner),
	    ROW(test_kek_symlink),
	    ROW(test_kek_no_file),
	    ROW(test_kek_is_made),
	    ROW(test_kek_cannot_be_made),
	    ROW(test_credential_first),
	    cmocka_unit_test(test_little_room_says_nothing_about_a_key),
	    cmocka_unit_test(test_free_accepts_null),
	};

	return cmocka_run_group_tests_name(
	    "envelope", tests, group_setup, group_teardown);
}
