-- When the last key set of the same name was servable for the last time: the
-- first key of this one waits until copies of that one have expired.  NULL:
-- there was none.
ALTER TABLE key_set ADD COLUMN follows_at INTEGER;

CREATE INDEX key_set_tombstone ON key_set (name)
    WHERE removed_at IS NOT NULL;

-- The order in which requests came, whatever the clock said: the latest are
-- kept.  0: from before there was this column.
ALTER TABLE request ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;

CREATE INDEX request_seq ON request (seq);

-- Copies from before a change of cache_max_age (in caches that honour it) and
-- of verifier_max_age (with verifiers that poll) live until then.
ALTER TABLE key_set ADD COLUMN cached_until INTEGER;
ALTER TABLE key_set ADD COLUMN polled_until INTEGER;

-- Which of the two an earlier change was about is not known any more.
UPDATE key_set SET cached_until = copies_until, polled_until = copies_until;

-- Calls that were refused: which method, with which error, and how many alike
-- within a second the row stands for.  NULL in every other row.
ALTER TABLE audit ADD COLUMN method TEXT;
ALTER TABLE audit ADD COLUMN outcome TEXT;
ALTER TABLE audit ADD COLUMN count INTEGER CHECK (count > 0);

-- When every front had read that a removed key set is gone; NULL: not yet.
ALTER TABLE key_set ADD COLUMN withdrawn_at INTEGER;
UPDATE key_set SET withdrawn_at = removed_at + 1 WHERE removed_at IS NOT NULL;
