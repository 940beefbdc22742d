-- Of the connection itself and of migrations (common/pg/).

-- name: migrations_applied
SELECT number, name, sha256 FROM leat_migration ORDER BY number;

-- name: migration_record
INSERT INTO leat_migration (number, name, sha256) VALUES ($1::int, $2::text, $3::text);

-- Who applies, pauses or deletes says `NOTIFY leat_catalog`; never inside a hot transaction.
-- name: catalog_listen
LISTEN leat_catalog;
