-- +goose Up
CREATE TABLE layers (
	diff_id TEXT NOT NULL PRIMARY KEY,
	walk    INTEGER NOT NULL,          -- version of the walk that made the file table
	entries INTEGER NOT NULL,
	bytes   INTEGER NOT NULL,          -- of the stored file table
	digest  TEXT NOT NULL,             -- SHA-256 of the stored file table
	created INTEGER NOT NULL,          -- Unix seconds
	used    INTEGER NOT NULL
);
CREATE TABLE layer_records (
	diff_id  TEXT NOT NULL REFERENCES layers (diff_id) ON DELETE CASCADE,
	analyzer TEXT NOT NULL,
	version  INTEGER NOT NULL,
	config   TEXT NOT NULL,
	data     BLOB,                     -- NULL: the analyzer found nothing
	PRIMARY KEY (diff_id, analyzer, version, config)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE layer_records;
DROP TABLE layers;
