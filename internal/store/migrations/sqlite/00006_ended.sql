-- +goose Up
-- What ceased to be true since a generation.
CREATE INDEX records_by_end ON records (gen_to) WHERE gen_to IS NOT NULL;
-- Whether the record may say something of the vulnerability of that name as
-- such: 1 yes, 0 no, NULL it was written before this was told.
ALTER TABLE aliases ADD COLUMN general INTEGER;

-- +goose Down
ALTER TABLE aliases DROP COLUMN general;
DROP INDEX records_by_end;
