-- jwksd: key sets and the generations of their keys.
--
-- Columns named *_at are facts (when a thing happened), columns named *_due
-- are deadlines (when a thing may or must happen); seconds since the epoch,
-- NULL: not (yet).  The state of a generation follows from its facts alone,
-- never from a comparison of a deadline with the clock.

-- One row a name: what is true of the database as a whole.
--   uuid           names this database for ever; sealed keys are bound to it
--   created_at     when it was made
CREATE TABLE meta (
	name  TEXT PRIMARY KEY NOT NULL,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A key set: one policy, one URL.  A removed one stays as a tombstone.
CREATE TABLE key_set (
	id       INTEGER PRIMARY KEY,
	name     TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 127),
	-- +1 with every commit: the compare-and-swap of all changes
	revision INTEGER NOT NULL DEFAULT 1 CHECK (revision > 0),

	-- the policy; durations in seconds
	algorithm                    TEXT NOT NULL,
	rsa_bits                     INTEGER NOT NULL
	    CHECK (rsa_bits IN (2048, 3072, 4096)),
	mode                         TEXT NOT NULL
	    CHECK (mode IN ('auto', 'manual', 'frozen')),
	rotation_period              INTEGER NOT NULL CHECK (rotation_period > 0),
	cache_max_age                INTEGER NOT NULL CHECK (cache_max_age > 0),
	cache_stale_while_revalidate INTEGER NOT NULL
	    CHECK (cache_stale_while_revalidate >= 0),
	cache_stale_if_error         INTEGER NOT NULL
	    CHECK (cache_stale_if_error >= 0),
	verifier_max_age             INTEGER NOT NULL
	    CHECK (verifier_max_age > 0),
	propagation_delay            INTEGER NOT NULL
	    CHECK (propagation_delay >= 0),
	publish_safety               INTEGER NOT NULL CHECK (publish_safety >= 0),
	token_max_ttl                INTEGER NOT NULL CHECK (token_max_ttl > 0),
	clock_skew                   INTEGER NOT NULL CHECK (clock_skew >= 0),
	signer_drain                 INTEGER NOT NULL CHECK (signer_drain >= 0),
	retire_safety                INTEGER NOT NULL CHECK (retire_safety >= 0),
	rollback_window              INTEGER NOT NULL
	    CHECK (rollback_window >= 0),
	standby_count                INTEGER NOT NULL CHECK (standby_count > 0),
	max_published_keys           INTEGER NOT NULL
	    CHECK (max_published_keys > 1),

	-- the number of the next generation; never goes back
	next_number  INTEGER NOT NULL CHECK (next_number > 0),
	-- of the published bytes; 0: nothing has been published
	version      INTEGER NOT NULL CHECK (version >= 0),
	version_at   INTEGER,
	-- an operator wants a rotation, not before then
	wanted_at    INTEGER,
	-- copies, and tokens, from before a change of policy live until then
	copies_until INTEGER,
	tokens_until INTEGER,
	removed_at   INTEGER,
	-- by an operator, whatever the mode says
	frozen       INTEGER NOT NULL CHECK (frozen IN (0, 1))
) STRICT;

CREATE UNIQUE INDEX key_set_name ON key_set (name) WHERE removed_at IS NULL;

-- A generation: one key pair.  Rows are never deleted: a kid names one key
-- for ever, so removed and revoked generations stay.
CREATE TABLE generation (
	key_set_id   INTEGER NOT NULL REFERENCES key_set (id),
	number       INTEGER NOT NULL CHECK (number > 0),
	-- RFC 7638 SHA-256 thumbprint
	kid          TEXT NOT NULL UNIQUE CHECK (length(kid) = 43),
	alg          TEXT NOT NULL,
	-- the public JWK, as published
	jwk          TEXT NOT NULL,
	-- the private key in its envelope; NULL: verify-only, or destroyed
	sealed       BLOB,

	created_at   INTEGER NOT NULL,
	published_at INTEGER,
	ready_at     INTEGER,
	activated_at INTEGER,
	retired_at   INTEGER,
	removed_at   INTEGER,
	revoked_at   INTEGER,
	destroyed_at INTEGER,
	-- a version without this key was servable until then
	absent_until INTEGER,
	-- the largest exp of a token that it signed
	max_exp      INTEGER,

	publish_due  INTEGER,
	ready_due    INTEGER,
	rotate_due   INTEGER,
	destroy_due  INTEGER,
	remove_due   INTEGER,

	-- how often it became the signer, and how often it stopped being it
	activations  INTEGER NOT NULL CHECK (activations >= 0),
	retirements  INTEGER NOT NULL CHECK (retirements >= 0),
	verify_only  INTEGER NOT NULL CHECK (verify_only IN (0, 1)),
	-- what the operator said when revoking it
	reason       TEXT,

	PRIMARY KEY (key_set_id, number),
	CHECK (activations - retirements <= 1),
	CHECK (activations = 0 OR published_at IS NOT NULL),
	CHECK (activations = 0 OR verify_only = 0),
	CHECK (sealed IS NULL OR destroyed_at IS NULL),
	CHECK (removed_at IS NULL OR sealed IS NULL),
	CHECK (revoked_at IS NULL OR sealed IS NULL)
) STRICT, WITHOUT ROWID;

-- Exactly one signer: the database itself refuses a second.
CREATE UNIQUE INDEX one_active ON generation (key_set_id)
    WHERE activations > retirements
    AND removed_at IS NULL AND revoked_at IS NULL;

CREATE INDEX living ON generation (key_set_id, number)
    WHERE removed_at IS NULL AND revoked_at IS NULL;

-- What became of a request, so that repeating it changes nothing.
--   outcome  the parameters of the reply, JSON
CREATE TABLE request (
	id      TEXT PRIMARY KEY NOT NULL CHECK (length(id) BETWEEN 1 AND 128),
	at      INTEGER NOT NULL,
	uid     INTEGER NOT NULL,
	method  TEXT NOT NULL,
	-- what was asked, JSON; another question with this id is a mistake
	asked   TEXT NOT NULL,
	outcome TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX request_at ON request (at);

-- Everything that happened, in order; rows are only added.
--   event  the state that was entered, or the verb that was asked
--   uid, gid, pid, request_id, reason  of the operator, if one asked
CREATE TABLE audit (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT,
	at         INTEGER NOT NULL,
	key_set    TEXT,
	generation INTEGER,
	kid        TEXT,
	event      TEXT NOT NULL,
	from_state TEXT,
	to_state   TEXT,
	cause      TEXT,
	uid        INTEGER,
	gid        INTEGER,
	pid        INTEGER,
	request_id TEXT,
	reason     TEXT
) STRICT;
