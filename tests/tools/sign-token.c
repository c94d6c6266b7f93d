/*
 * A test tool: print a JWT that the active key of a key set has signed.
 *
 *	sign-token DIRECTORY KEYSET CLAIMS
 *	sign-token DIRECTORY KEYSET --private
 *
 * or the octets of its private half, in hexadecimal.
 *
 * DIRECTORY holds copies of jwksd.db and jwksd.kek.  The private key comes
 * out of its envelope the way it does in the daemon; nothing is written but
 * the token.  Must never be installed.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/base/base64url.h"
#include "daemon/crypto/envelope.h"
#include "daemon/crypto/keys.h"
#include "daemon/lifecycle/lifecycle.h"
#include "daemon/store/store.h"

enum { HEAP = 1024 * 1024, PATH_SIZE = 4096 };

/* Which key set is wanted, and its active key as it was found. */
struct wanted {
	const char *name;
	char kid[MODEL_KID_SIZE];
	char *jwk;
	int64_t set_id;
	int64_t number;
	enum jw_alg alg;
};

static enum jw_err
look(struct key_set *take_set, void *arg)
{
	struct wanted *wanted = arg;

	for (size_t i = 0; i < take_set->nkeys; i++) {
		const struct key *key = &take_set->keys[i];

		if (strcmp(take_set->name, wanted->name) != 0 ||
		    lc_state(&key->facts) != GEN_ACTIVE)
			continue;
		memcpy(wanted->kid, key->kid, sizeof(wanted->kid));
		wanted->jwk = strdup(key->jwk);
		wanted->set_id = take_set->id;
		wanted->number = key->facts.number;
		wanted->alg = (enum jw_alg)key->facts.alg;
	}
	store_set_done(take_set);
	return JW_OK;
}

static enum jw_err
unseal(struct store *store, const struct envelope_kek *kek,
    const struct wanted *wanted, struct keys_pair **ret_pair)
{
	struct crypto_envelope_row row = {
	    .database_uuid = store_uuid(store),
	    .key_set = wanted->name,
	    .kid = wanted->kid,
	    .generation = wanted->number,
	    .alg = jw_alg_name(wanted->alg),
	};
	struct keys_pair *public = NULL;
	struct jw_why why = {"", ""};
	uint8_t *blob = NULL;
	size_t len;
	enum jw_err err;

	err = crypto_from_jwk(
	    wanted->alg, wanted->jwk, strlen(wanted->jwk), &public, &why);
	if (err == JW_OK)
		err = store_sealed(
		    store, wanted->set_id, wanted->number, &blob, &len);
	if (err == JW_OK)
		err = crypto_unseal(
		    kek, &row, crypto_spki_hash(public), blob, len, ret_pair);
	free(blob);
	crypto_free(public);
	return err;
}

/* RFC 7515 section 3.1: the header says exactly alg, kid and typ. */
static enum jw_err
sign(const struct keys_pair *pair, const char *claims)
{
	uint8_t signature[KEYS_SIGNATURE_MAX];
	char *header, *h, *c, *s = NULL, *input = NULL;
	json_t *object =
	    json_pack("{s:s, s:s, s:s}", "alg", jw_alg_name(crypto_alg(pair)),
		"kid", crypto_kid(pair), "typ", "JWT");
	size_t len;
	enum jw_err err = JW_NO_MEMORY;

	header = json_dumps(object, JSON_COMPACT);
	h = jw_base64url(header, strlen(header));
	c = jw_base64url(claims, strlen(claims));
	if (asprintf(&input, "%s.%s", h, c) > 0)
		err = crypto_sign(pair, input, strlen(input), signature, &len);
	if (err == JW_OK) {
		s = jw_base64url(signature, len);
		printf("%s.%s\n", input, s);
	}
	free(s);
	free(input);
	free(c);
	free(h);
	free(header);
	json_decref(object);
	return err;
}

/* For a test that looks for these octets where they must not be. */
static enum jw_err
show_private(const struct keys_pair *pair)
{
	uint8_t *der = NULL;
	size_t len = 0;
	enum jw_err err = crypto_private_export(pair, &der, &len);

	for (size_t i = 0; err == JW_OK && i < len; i++)
		printf("%02x", der[i]);
	puts("");
	crypto_private_free(der, len);
	return err;
}

static enum jw_err
run(const char *directory, struct wanted *wanted, const char *claims)
{
	char path[PATH_SIZE];
	struct envelope_kek *kek = NULL;
	struct store *store = NULL;
	struct keys_pair *pair = NULL;
	struct jw_why why = {"", ""};
	enum jw_err err;

	snprintf(path, sizeof(path), "%s/jwksd.kek", directory);
	err = crypto_kek_load(path, false, &kek, &why);
	snprintf(path, sizeof(path), "%s/jwksd.db", directory);
	if (err == JW_OK)
		err = store_open(path, NULL, (int64_t)time(NULL), &store, &why);
	if (err == JW_OK)
		err = store_load(store, look, wanted);
	if (err == JW_OK && wanted->jwk == NULL)
		err = JW_NO_ACTIVE_KEY;
	if (err == JW_OK)
		err = unseal(store, kek, wanted, &pair);
	if (err == JW_OK)
		err = strcmp(claims, "--private") == 0 ? show_private(pair)
						       : sign(pair, claims);
	if (err != JW_OK)
		fprintf(stderr, "sign-token: %s%s%s\n", jw_err_text(err),
		    why.text[0] == '\0' ? "" : ": ", why.text);
	crypto_free(pair);
	store_close(store);
	crypto_kek_free(kek);
	return err;
}

int
main(int argc, char **argv)
{
	struct wanted wanted = {.jwk = NULL};
	int locked;
	enum jw_err err;

	if (argc != 4) {
		fputs("usage: sign-token DIRECTORY KEYSET CLAIMS\n", stderr);
		return EX_USAGE;
	}
	wanted.name = argv[2];
	err = crypto_init(HEAP, &locked);
	if (err == JW_OK)
		err = run(argv[1], &wanted, argv[3]);
	free(wanted.jwk);
	crypto_done();
	return jw_err_exit(err);
}
