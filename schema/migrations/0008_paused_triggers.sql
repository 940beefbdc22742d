-- Triggers that are paused alone, by name: a name of an older version waits for the one that has it again.
ALTER TABLE pipeline ADD COLUMN paused_triggers text[] NOT NULL DEFAULT '{}';
