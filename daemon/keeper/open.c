/*
 * Opening.  Must never make a key-encryption key, or a database, where one is
 * missing that was there.
 */
#include "daemon/keeper/open.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/config/config.h"
#include "daemon/crypto/envelope.h"
#include "daemon/keeper/domain.h"
#include "daemon/keeper/room.h"
#include "daemon/keeper/state.h"
#include "daemon/store/anchor.h"
#include "daemon/store/place.h"
#include "daemon/store/store.h"

/* Comes before anything is made: a key-encryption key would seal nothing. */
static enum jw_err
read_anchor(const struct jw_config *config, struct store_anchor *ret_anchor,
    struct jw_why *why)
{
	enum jw_err err = store_anchor_read(config->anchor, ret_anchor, why);

	if (err != JW_OK)
		return err;
	return store_anchor_expect(
	    config->anchor, ret_anchor, config->store_path, why);
}

/*
 * Name the database that is open, for the next start.  Signing goes on without
 * that, but not with an anchor whose permissions would refuse the next start.
 */
static enum jw_err
write_anchor(const struct jw_config *config, bool new_database,
    const struct store_anchor *known, const struct store *store,
    struct jw_why *why, bool *ret_unanchored)
{
	struct store_anchor anchor = {.uuid = ""};
	enum jw_err err;

	snprintf(anchor.uuid, sizeof(anchor.uuid), "%s", store_uuid(store));
	snprintf(anchor.path, sizeof(anchor.path), "%s", config->store_path);
	if (strcmp(anchor.uuid, known->uuid) == 0 &&
	    strcmp(anchor.path, known->path) == 0)
		return JW_OK;
	err = store_anchor_write(config->anchor, &anchor, why);
	if (err == JW_OK || new_database || err == JW_PERMISSION_DENIED)
		return err;
	jw_log(JW_LOG_WARNING, "%s", why->text);
	if (why->hint[0] != '\0')
		jw_log(JW_LOG_WARNING, "hint: %s", why->hint);
	*why = (struct jw_why){"", ""};
	*ret_unanchored = true;
	return JW_OK;
}

static enum jw_err
open_store(const struct jw_config *config, bool new_database,
    const struct store_anchor *known, bool *ret_unanchored,
    struct store **ret_store, struct jw_why *why)
{
	const char *uuid = known->uuid[0] == '\0' ? NULL : known->uuid;
	struct store *store = NULL;
	enum jw_err err = store_open(
	    config->store_path, uuid, jw_clock_wall_s(), &store, why);

	if (err == JW_OK)
		err = write_anchor(
		    config, new_database, known, store, why, ret_unanchored);
	if (err == JW_OK)
		*ret_store = store;
	else
		store_close(store);
	return err;
}

enum jw_err
keeper_open(const struct jw_config *config, bool new_database,
    struct event_base *base, struct keeper **ret_keeper, struct jw_why *why)
{
	struct store_anchor known = {.uuid = ""};
	struct keeper_options options = {
	    .base = base,
	    .store_path = config->store_path,
	    .policy = &config->policy,
	};
	struct envelope_kek *kek = NULL;
	struct keeper *keeper = NULL;
	bool unanchored = false;
	enum jw_err err = JW_OK;

	if (!new_database)
		err = read_anchor(config, &known, why);
	if (err == JW_OK)
		err = crypto_kek_load(config->key_encryption_key,
		    store_is_new(config->store_path), &kek, why);
	if (err == JW_OK)
		err = open_store(config, new_database, &known, &unanchored,
		    &options.take_store, why);
	options.kek = kek;
	if (err == JW_OK)
		err = keeper_new(&options, &keeper, why);
	if (err != JW_OK) {
		crypto_kek_free(kek);
		return err;
	}
	keeper->own_kek = kek;
	keeper->unanchored = unanchored;
	keeper_note_domain(keeper, config->domain);
	keeper_keep_room(keeper);
	*ret_keeper = keeper;
	return JW_OK;
}

enum jw_err
keeper_check_lock(const struct jw_config *config, struct jw_why *why)
{
	return store_check_lock(config->store_path, why);
}

bool
keeper_is_unanchored(const struct keeper *keeper)
{
	return keeper->unanchored;
}
