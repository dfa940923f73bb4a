-- +goose Up
CREATE TABLE generations (
	id     INTEGER PRIMARY KEY AUTOINCREMENT, -- raised in commit order
	at     INTEGER NOT NULL,                  -- Unix milliseconds: when we knew
	kind   TEXT NOT NULL,                     -- feed, import, policy …
	source TEXT NOT NULL,
	note   TEXT NOT NULL
);

-- What publishers say, one row per record and version of it. A row is true
-- from gen_from up to but not including gen_to; NULL: it is true now.
CREATE TABLE records (
	id       INTEGER PRIMARY KEY,
	kind     INTEGER NOT NULL,  -- 1 advisory, 2 exploited, 3 cycle, 4 statement
	source   TEXT NOT NULL,
	ext_id   TEXT NOT NULL,     -- the publisher's own
	digest   BLOB NOT NULL,     -- of the whole record: equal digests, equal records
	head     BLOB NOT NULL,     -- CBOR, without long texts and affected packages
	body     BLOB,              -- CBOR, zstd: the long texts
	gen_from INTEGER NOT NULL,
	gen_to   INTEGER
);
CREATE INDEX records_by_id ON records (source, ext_id);

CREATE TABLE feed_keys (
	id     INTEGER PRIMARY KEY,
	stream TEXT NOT NULL,
	name   TEXT NOT NULL,
	UNIQUE (stream, name)
);

-- What a record says of one key.
CREATE TABLE claims (
	key      INTEGER NOT NULL,
	record   INTEGER NOT NULL,
	affected BLOB,              -- CBOR: the advisory's entries of this key
	PRIMARY KEY (key, record)
) WITHOUT ROWID;
CREATE INDEX claims_by_record ON claims (record);

-- Every other name of a vulnerability, to find its records by.
CREATE TABLE aliases (
	alias  TEXT NOT NULL,
	record INTEGER NOT NULL,
	PRIMARY KEY (alias, record)
) WITHOUT ROWID;
CREATE INDEX aliases_by_record ON aliases (record);

-- Scores of one day in blocks of consecutive identifiers.
CREATE TABLE epss (
	day   INTEGER NOT NULL,     -- days since 1970
	first TEXT NOT NULL,        -- lowest identifier of the block
	data  BLOB NOT NULL,
	PRIMARY KEY (day, first)
) WITHOUT ROWID;

CREATE TABLE feeds (
	source     TEXT NOT NULL PRIMARY KEY,
	state      TEXT NOT NULL,             -- JSON: what the source remembers
	generation INTEGER NOT NULL,          -- of the last change
	records    INTEGER NOT NULL,          -- true now
	changed    INTEGER NOT NULL,          -- Unix seconds of the last change
	checked    INTEGER NOT NULL,          -- Unix seconds of the last check that succeeded
	tried      INTEGER NOT NULL,          -- Unix seconds of the last try
	error      TEXT NOT NULL              -- of the last try, "" when it succeeded
);
CREATE TABLE feed_streams (               -- which streams a source has records of
	source  TEXT NOT NULL,
	stream  TEXT NOT NULL,
	records INTEGER NOT NULL,
	PRIMARY KEY (source, stream)
) WITHOUT ROWID;
CREATE TABLE feed_bad (                   -- records kept aside by the last update
	source TEXT NOT NULL,
	record TEXT NOT NULL,
	error  TEXT NOT NULL
);
CREATE INDEX feed_bad_by_source ON feed_bad (source);
CREATE TABLE feed_settings (              -- the owner's choices
	source  TEXT NOT NULL PRIMARY KEY,
	setting TEXT NOT NULL                 -- JSON
);

-- +goose Down
DROP TABLE feed_settings;
DROP TABLE feed_bad;
DROP TABLE feed_streams;
DROP TABLE feeds;
DROP TABLE epss;
DROP TABLE aliases;
DROP TABLE claims;
DROP TABLE feed_keys;
DROP TABLE records;
DROP TABLE generations;
