-- +goose Up
CREATE TABLE joined_images (
	key      TEXT NOT NULL PRIMARY KEY, -- digest of all that the joined inventory depends on
	diff_ids TEXT NOT NULL,             -- of its layers, bottom first, separated by blanks
	bytes    INTEGER NOT NULL,          -- of record and file table
	digest   TEXT NOT NULL,             -- SHA-256 of the stored record
	files    TEXT NOT NULL,             -- SHA-256 of the stored file table
	created  INTEGER NOT NULL,          -- Unix seconds
	used     INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE joined_images;
