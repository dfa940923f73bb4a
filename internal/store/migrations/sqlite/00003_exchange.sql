-- +goose Up
CREATE TABLE meta (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
);
CREATE TABLE exports (                    -- what was handed out, so that a delta can follow
	id         TEXT NOT NULL PRIMARY KEY,
	generation INTEGER NOT NULL,
	at         INTEGER NOT NULL           -- Unix seconds
);
CREATE TABLE imports (                    -- the last export taken of each origin
	origin     TEXT NOT NULL PRIMARY KEY, -- fingerprint of the signer's key
	export     TEXT NOT NULL,
	generation INTEGER NOT NULL,          -- the signer's
	at         INTEGER NOT NULL
);

-- +goose Down
DROP TABLE imports;
DROP TABLE exports;
DROP TABLE meta;
