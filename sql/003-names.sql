-- A new key set asks what earlier ones of its name left behind: without this,
-- each of many new ones would read the whole table.
CREATE INDEX key_set_removed_too ON key_set (name);
