-- When the last key set of the same name was servable for the last time: the
-- first key of this one waits until copies of that one have expired.  NULL:
-- there was none.
ALTER TABLE key_set ADD COLUMN follows_at INTEGER;

CREATE INDEX key_set_tombstone ON key_set (name)
    WHERE removed_at IS NOT NULL;
