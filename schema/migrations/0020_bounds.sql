-- `busy`: refused only because there were too many runs; asked again later it may be accepted.
ALTER TABLE command_done DROP CONSTRAINT command_done_status_check,
    ADD CONSTRAINT command_done_status_check CHECK (status IN ('accepted', 'refused', 'busy'));

-- How much there may be, as the leader is configured; written when it takes over.
ALTER TABLE leader ADD COLUMN most_runs bigint;
