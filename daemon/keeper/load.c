/*
 * Loading at the start.  Must never begin with a key-encryption key that the
 * database was not sealed with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/crypto/envelope.h"
#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/lifecycle/clock_guard.h"
#include "daemon/lifecycle/outage.h"

/* Make the key set that every installation has. */
static enum jw_err
create_default(struct keeper *keeper, int64_t now)
{
	struct key_set row = {.name = "default"};
	struct key_set_facts facts = {
	    .policy = keeper->policy,
	    .next_number = 1,
	};
	struct store_audit audit = {
	    .event = "keyset",
	    .cause = "first start",
	};
	struct store_change change = {
	    .set = &row,
	    .facts = &facts,
	    .now = now,
	    .audit = &audit,
	    .naudit = 1,
	    .actor = {-1, -1, -1},
	};
	enum jw_err err = store_commit(keeper->store, &change, &row.id);

	if (err != JW_OK)
		return err;
	row.revision = 1;
	row.facts = facts;
	return keeper_hold_set(&row, keeper);
}

/* Done once: a key set `default` that was removed later does not come back. */
static enum jw_err
first_start(struct keeper *keeper)
{
	char *made = NULL;
	enum jw_err err = store_meta_get(keeper->store, "first_start", &made);

	free(made);
	if (err != JW_NO_SUCH_KEY)
		return err;
	if (keeper->nsets == 0)
		err = create_default(keeper, keeper_now(keeper));
	else
		err = JW_OK;
	return err == JW_OK
		   ? store_meta_set(keeper->store, "first_start", "done")
		   : err;
}

/* A wrong key-encryption key must be found before it seals anything. */
static enum jw_err
check_kek(struct keeper *keeper, struct jw_why *why)
{
	char hex[2 * ENVELOPE_KEK_ID_SIZE + 1], *known = NULL;
	const uint8_t *id = crypto_kek_id(keeper->kek);
	enum jw_err err;

	for (int i = 0; i < ENVELOPE_KEK_ID_SIZE; i++)
		snprintf(hex + (ptrdiff_t)2 * i, 3, "%02x", id[i]);
	err = store_meta_get(keeper->store, "kek_id", &known);
	if (err == JW_NO_SUCH_KEY)
		return store_meta_set(keeper->store, "kek_id", hex);
	if (err == JW_OK && strcmp(known, hex) != 0) {
		jw_why_set(why, "the key-encryption key is not the one that "
				"sealed the keys of this database");
		jw_why_hint(why, "put the right one in place: without it the "
				 "private keys cannot be opened");
		err = JW_BAD_KEK;
	}
	free(known);
	return err;
}

/* Values that hold for all key sets; one that makes no sense counts as
 * absent. */
static enum jw_err
load_values(struct keeper *keeper)
{
	char *frozen = NULL, *servable = NULL, *clock = NULL, *at = NULL;
	enum jw_err err = store_meta_get(keeper->store, "frozen", &frozen);

	if (err == JW_OK || err == JW_NO_SUCH_KEY)
		err = store_meta_get(keeper->store, "servable", &servable);
	if (err == JW_OK || err == JW_NO_SUCH_KEY)
		err = store_meta_get(keeper->store, "clock", &clock);
	if (err == JW_OK || err == JW_NO_SUCH_KEY)
		err = store_meta_get(keeper->store, "retimed", &at);
	if (at != NULL)
		keeper->retimed_at = strtoll(at, NULL, 10);
	keeper->frozen = frozen != NULL && strcmp(frozen, "1") == 0;
	if (servable != NULL && !keeper->servable.serving)
		lc_outage_parse(servable, &keeper->servable);
	if (clock != NULL && !keeper->clock.started)
		keeper->same_boot =
		    lc_clock_parse(&keeper->clock, keeper->boot_id, clock);
	free(frozen);
	free(servable);
	free(clock);
	free(at);
	return err == JW_NO_SUCH_KEY ? JW_OK : err;
}

enum jw_err
keeper_load(struct keeper *keeper, struct jw_why *why)
{
	enum jw_err err = check_kek(keeper, why);

	if (err == JW_BAD_KEK)
		return err;
	if (err == JW_OK)
		err = load_values(keeper);
	if (err == JW_OK)
		err = store_load(keeper->store, keeper_hold_set, keeper);
	if (err == JW_OK)
		err = keeper_look_for_damage(keeper);
	if (err == JW_OK)
		err = first_start(keeper);
	if (err != JW_OK)
		jw_why_set(why, "%s: %s", keeper->store_path,
		    store_message(keeper->store));
	return err;
}
