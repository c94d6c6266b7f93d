/*
 * Transactions: key sets, generations, audit and requests.  Must never report
 * a commit that is not on disk, nor write into a database whose file has been
 * moved.
 */
#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/internal.h"
#include "daemon/store/place.h"
#include "daemon/store/refusal.h"

enum jw_err
store_withdrawn(struct store *store, int64_t at)
{
	sqlite3_stmt *st = store_statement(store, ST_WITHDRAWN);

	sqlite3_bind_int64(st, 1, at);
	return store_run(store, st);
}

static enum jw_err
write_set(
    struct store *store, const struct store_change *change, int64_t *ret_id)
{
	bool is_new = change->set->id == 0;
	sqlite3_stmt *st =
	    store_statement(store, is_new ? ST_SET_INSERT : ST_SET_UPDATE);
	int at = store_bind_columns(st, STORE_SET, change->facts);
	enum jw_err err;

	if (is_new) {
		store_bind_text(st, at, change->set->name);
	} else {
		sqlite3_bind_int64(st, at, change->set->id);
		sqlite3_bind_int64(st, at + 1, change->set->revision);
	}
	err = store_run(store, st);
	if (err != JW_OK)
		return err;
	if (sqlite3_changes(store->db) != 1) {
		snprintf(store->message, sizeof(store->message),
		    "key set %s: changed meanwhile", change->set->name);
		return JW_CONFLICT;
	}
	*ret_id =
	    is_new ? sqlite3_last_insert_rowid(store->db) : change->set->id;
	return JW_OK;
}

static enum jw_err
update_key(struct store *store, const struct store_change *change, int64_t id,
    const struct generation *gen)
{
	sqlite3_stmt *st = store_statement(store, ST_KEY_UPDATE);
	int at = store_bind_columns(st, STORE_KEY, gen);
	enum jw_err err;

	sqlite3_bind_int64(st, at, id);
	sqlite3_bind_int64(st, at + 1, gen->number);
	err = store_run(store, st);
	if (err == JW_OK && sqlite3_changes(store->db) != 1)
		err = JW_BUG;
	if (err != JW_OK || gen->revoked_at == 0 || change->reason == NULL)
		return err;
	st = store_statement(store, ST_KEY_REASON);
	store_bind_text(st, 1, change->reason);
	sqlite3_bind_int64(st, 2, id);
	sqlite3_bind_int64(st, 3, gen->number);
	return store_run(store, st);
}

static bool
is_signer(const struct generation *gen)
{
	return gen->activations > gen->retirements && gen->removed_at == 0 &&
	       gen->revoked_at == 0;
}

/* Generations that stop signing are written first: the index one_active allows
 * only one signer. */
static enum jw_err
update_keys(struct store *store, const struct store_change *change, int64_t id)
{
	enum jw_err err = JW_OK;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; err == JW_OK && i < change->nupdated; i++)
			if (is_signer(&change->updated[i]) == (pass == 1))
				err = update_key(
				    store, change, id, &change->updated[i]);
	return err;
}

static enum jw_err
insert_key(struct store *store, int64_t id, const struct store_new_key *new)
{
	sqlite3_stmt *st = store_statement(store, ST_KEY_INSERT);
	int at = store_bind_columns(st, STORE_KEY, &new->key->facts);

	sqlite3_bind_int64(st, at++, id);
	sqlite3_bind_int64(st, at++, new->key->facts.number);
	store_bind_text(st, at++, new->key->kid);
	store_bind_text(st, at++, jw_alg_name(new->key->facts.alg));
	store_bind_text(st, at++, new->key->jwk);
	if (new->sealed != NULL)
		sqlite3_bind_blob(
		    st, at, new->sealed, (int)new->sealed_len, SQLITE_STATIC);
	return store_run(store, st);
}

/* states: the audited change.  NULL: calls that were refused, which have a
 * count instead. */
static enum jw_err
insert_audit_row(struct store *store, const struct store_refusal *row,
    const struct store_audit *states)
{
	sqlite3_stmt *st = store_statement(store, ST_AUDIT_INSERT);

	sqlite3_bind_int64(st, 1, row->at);
	store_bind_text(st, 2, row->key_set);
	if (row->generation != 0)
		sqlite3_bind_int64(st, 3, row->generation);
	store_bind_text(st, 4, row->kid);
	store_bind_text(st, 5, row->event);
	store_bind_text(st, 6, row->cause);
	if (row->actor.uid >= 0) {
		sqlite3_bind_int64(st, 7, row->actor.uid);
		sqlite3_bind_int64(st, 8, row->actor.gid);
		sqlite3_bind_int64(st, 9, row->actor.pid);
	}
	store_bind_text(st, 10, row->request_id);
	store_bind_text(st, 11, row->reason);
	store_bind_text(st, 12, row->method);
	store_bind_text(st, 13, row->outcome);
	if (states == NULL) {
		sqlite3_bind_int64(st, 14, row->count);
	} else {
		store_bind_text(st, 15, states->from_state);
		store_bind_text(st, 16, states->to_state);
	}
	return store_run(store, st);
}

static enum jw_err
insert_audit(struct store *store, const struct store_change *change,
    const struct store_audit *audit)
{
	const struct store_refusal row = {
	    .at = change->now,
	    .actor = change->actor,
	    .event = audit->event,
	    .cause = audit->cause,
	    .key_set = change->set == NULL ? NULL : change->set->name,
	    .generation = audit->generation,
	    .kid = audit->kid,
	    .request_id = change->request == NULL ? NULL : change->request->id,
	    .reason = change->audit_reason,
	};

	return insert_audit_row(store, &row, audit);
}

static enum jw_err
insert_request(struct store *store, const struct store_change *change)
{
	sqlite3_stmt *st;

	if (change->request == NULL)
		return JW_OK;
	st = store_statement(store, ST_REQUEST_INSERT);
	store_bind_text(st, 1, change->request->id);
	sqlite3_bind_int64(st, 2, change->now);
	sqlite3_bind_int64(st, 3, change->actor.uid);
	store_bind_text(st, 4, change->request->method);
	store_bind_text(st, 5, change->request->asked);
	store_bind_text(st, 6, change->request->outcome);
	return store_run(store, st);
}

static enum jw_err
insert_audits(struct store *store, const struct store_change *change)
{
	enum jw_err err = JW_OK;

	for (size_t i = 0; err == JW_OK && i < change->naudit; i++)
		err = insert_audit(store, change, &change->audit[i]);
	return err;
}

static enum jw_err
write_change(
    struct store *store, const struct store_change *change, int64_t *ret_id)
{
	enum jw_err err = write_set(store, change, ret_id);

	if (err == JW_OK)
		err = update_keys(store, change, *ret_id);
	for (size_t i = 0; err == JW_OK && i < change->ncreated; i++)
		err = insert_key(store, *ret_id, &change->created[i]);
	return err == JW_OK ? insert_audits(store, change) : err;
}

/* End a transaction whose writes ended with err. */
static enum jw_err
end_transaction(struct store *store, enum jw_err err)
{
	char message[sizeof(store->message)];

	/* A commit into a file that was moved is missing after a restart. */
	if (err == JW_OK && !store_in_place(store))
		err = JW_STORE_FAILED;
	if (err != JW_OK) {
		memcpy(message, store->message, sizeof(message));
		if (!sqlite3_get_autocommit(store->db))
			store_run(store, store_statement(store, ST_ROLLBACK));
		memcpy(store->message, message, sizeof(message));
		return err;
	}
	err = store_run(store, store_statement(store, ST_COMMIT));
	assert(err != JW_OK || sqlite3_get_autocommit(store->db));
	if (err == JW_OK)
		return JW_OK;
	memcpy(message, store->message, sizeof(message));
	/* SQLITE_FULL fails before the commit record is written; any other
	 * error of COMMIT leaves the outcome unknown. */
	if (!sqlite3_get_autocommit(store->db))
		store_run(store, store_statement(store, ST_ROLLBACK));
	if (err != JW_NO_SPACE)
		store_doubt(store);
	memcpy(store->message, message, sizeof(message));
	return err == JW_NO_SPACE ? err : JW_OUTCOME_UNKNOWN;
}

static enum jw_err
begin_transaction(struct store *store)
{
	enum jw_err err;

	if (!store_in_place(store))
		return JW_STORE_FAILED;
	err = store_run(store, store_statement(store, ST_BEGIN));
	return err == JW_OK || err == JW_NO_SPACE ? err : JW_STORE_FAILED;
}

enum jw_err
store_commit_all(struct store *store, const struct store_change *changes,
    size_t count, int64_t *ret_ids)
{
	enum jw_err err = begin_transaction(store);

	if (err != JW_OK)
		return err;
	for (size_t i = 0; err == JW_OK && i < count; i++)
		err = write_change(store, &changes[i], &ret_ids[i]);
	if (err == JW_OK)
		err = insert_request(store, &changes[0]);
	err = end_transaction(store, err);
	for (size_t i = 0; err == JW_OK && i < count; i++)
		for (size_t k = 0; k < changes[i].nupdated; k++)
			store->unscrubbed |=
			    changes[i].updated[k].destroyed_at != 0;
	return err;
}

enum jw_err
store_commit(
    struct store *store, const struct store_change *change, int64_t *ret_id)
{
	int64_t id;
	enum jw_err err = store_commit_all(store, change, 1, &id);

	if (err == JW_OK)
		*ret_id = id;
	return err;
}

enum jw_err
store_scrub(struct store *store)
{
	enum jw_err err;
	int rc;

	if (!store->unscrubbed)
		return JW_OK;
	if (store->db == NULL || !store_in_place(store))
		return JW_STORE_FAILED;
	rc = sqlite3_wal_checkpoint_v2(
	    store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc != SQLITE_OK) {
		err = store_failed(store, rc);
		return err == JW_NO_SPACE ? err : JW_STORE_FAILED;
	}
	store->unscrubbed = false;
	store_look_at_file(store, &store->files[FILE_LOG]);
	return JW_OK;
}

enum jw_err
store_meta_commit(struct store *store, const char *name, const char *value,
    const struct store_change *change)
{
	enum jw_err err = begin_transaction(store);

	if (err != JW_OK)
		return err;
	err = store_meta_set(store, name, value);
	if (err == JW_OK)
		err = insert_audits(store, change);
	if (err == JW_OK)
		err = insert_request(store, change);
	return end_transaction(store, err);
}

enum jw_err
store_audit_refusals(
    struct store *store, const struct store_refusal *rows, size_t count)
{
	enum jw_err err = begin_transaction(store);

	if (err != JW_OK)
		return err;
	for (size_t i = 0; err == JW_OK && i < count; i++)
		err = insert_audit_row(store, &rows[i], NULL);
	return end_transaction(store, err);
}
