-- A retry takes over results in several batches: a leader that goes on with it must know from which
-- step on all runs anew.
ALTER TABLE run_live ADD COLUMN retry_from text NOT NULL DEFAULT '';   -- '' = what did not succeed
