/*
 * The keeper's way to rows of the audit alone.  Must never try while it is
 * known that nothing can be written: each try would be a line in the log.
 */
#include "daemon/keeper/audit.h"

#include "daemon/keeper/internal.h"
#include "daemon/keeper/keeper.h"
#include "daemon/store/refusal.h"

enum jw_err
keeper_audit_refusals(
    struct keeper *keeper, const struct store_refusal *rows, size_t count)
{
	enum jw_err err;

	if (keeper->store == NULL || keeper->misplaced ||
	    store_in_doubt(keeper->store))
		return JW_STORE_FAILED;
	/* Room that is short is for what changes something. */
	if (keeper_is_full(keeper) || keeper->room.level != ROOM_FINE)
		return JW_NO_SPACE;
	err = store_audit_refusals(keeper->store, rows, count);
	if (err == JW_OK || err == JW_NO_SPACE)
		return err;
	return keeper_commit_failed(keeper, "refused calls", err);
}
