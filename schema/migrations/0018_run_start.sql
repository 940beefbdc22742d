-- Runs that a step has started: one row each, written with the run and never changed. While the
-- step waits for it both are live.
CREATE TABLE run_start (
    child     uuid PRIMARY KEY,
    parent    uuid        NOT NULL,         -- the run of the step
    step      integer     NOT NULL,
    iteration integer     NOT NULL,
    attempt   integer     NOT NULL,
    depth     integer     NOT NULL,         -- runs above the child
    at        timestamptz NOT NULL
);
CREATE INDEX run_start_parent ON run_start (parent);
CREATE INDEX run_start_at ON run_start USING brin (at);
