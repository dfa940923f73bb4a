-- +goose Up
CREATE TABLE images (                     -- images that were judged
	digest    TEXT NOT NULL PRIMARY KEY,  -- of the manifest, else of the configuration
	chain     TEXT NOT NULL,              -- chain id of all layers: equal chains, equal layers
	layers    TEXT NOT NULL,              -- DiffIDs from the lowest up, a line each
	inventory TEXT NOT NULL,              -- digest of the inventory when it was first judged
	first     INTEGER NOT NULL            -- Unix milliseconds
);
CREATE INDEX images_by_chain ON images (chain);

-- Which image had a tag from when on. Rows are only added.
CREATE TABLE tags (
	tag    TEXT NOT NULL,                 -- whole: docker.io/library/debian:12
	at     INTEGER NOT NULL,              -- Unix milliseconds
	digest TEXT NOT NULL REFERENCES images (digest),
	PRIMARY KEY (tag, at, digest)
) WITHOUT ROWID;
CREATE INDEX tags_by_digest ON tags (digest);

-- +goose Down
DROP TABLE tags;
DROP TABLE images;
