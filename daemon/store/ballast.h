/*
 * A file that holds room on the disk for nothing, to be given up piece by
 * piece when an order has to be kept although the disk is full.
 */
#ifndef JWKSD_DAEMON_STORE_BALLAST_H
#define JWKSD_DAEMON_STORE_BALLAST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
	BALLAST_STEP = 64 * 1024, /* a revocation takes less */
	BALLAST_SIZE = 8 * BALLAST_STEP,
};

struct store_ballast;

/* What is at path counts, as far as the disk really has it.  Makes nothing
 * yet.  JW_NO_MEMORY. */
enum jw_err store_ballast_new(
    const char *path, struct store_ballast **ret_ballast);
/* The file stays; NULL is fine. */
void store_ballast_free(struct store_ballast *ballast);

const char *store_ballast_path(const struct store_ballast *ballast);
/* Whole steps, at most BALLAST_SIZE; less when the file has been cut. */
int64_t store_ballast_size(struct store_ballast *ballast);

/*
 * Up to that size (whole steps), written and synced; blocks on the disk.
 * JW_NO_SPACE, or JW_IO with errno; then it is as large as before.
 */
enum jw_err store_ballast_grow(struct store_ballast *ballast, int64_t size);

/* One step less, and the disk has the room again.  False: none is left, or the
 * file cannot be cut. */
bool store_ballast_release(struct store_ballast *ballast);

#endif
