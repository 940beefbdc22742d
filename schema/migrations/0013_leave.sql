-- at_most_once: its attempt was let start. Committed before the worker hears of it: from then on it
-- may have run, and if it is lost nobody tries again.
ALTER TABLE step_live ADD COLUMN leave boolean NOT NULL DEFAULT false;
