/*
 * A file that takes up room on the disk, to be shortened step by step when a
 * revocation has to be committed although the disk is full.
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

/* A file at path is used as far as the disk really has its octets.  Writes
 * nothing yet.  JW_NO_MEMORY. */
struct store_ballast *store_ballast_new(const char *path);
/* The file stays; NULL is fine. */
void store_ballast_free(struct store_ballast *ballast);

const char *store_ballast_path(const struct store_ballast *ballast);
/* In whole steps, at most BALLAST_SIZE. */
int64_t store_ballast_size(struct store_ballast *ballast);

/* Grow to that size (whole steps), written and synced; blocks on the disk.
 * JW_NO_SPACE, or JW_IO with errno; then the size is as before. */
enum jw_err store_ballast_grow(struct store_ballast *ballast, int64_t size);

/* Shorten the file by one step, which the disk has free then.  False: no step
 * is left, or the file cannot be shortened. */
bool store_ballast_release(struct store_ballast *ballast);

#endif
