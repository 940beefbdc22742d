-- The text of a run's concurrency key, worked out once at its birth: runs of a pipeline with the
-- same text share a limit, and a takeover finds the groups again without an expression.
ALTER TABLE run_live ADD COLUMN concurrency_key text NOT NULL DEFAULT '';
