-- Since when the finally steps of an instance of a DAG have been going on: a takeover goes on with their time.
-- Rows of live runs only.
CREATE TABLE finally_start (
    run       uuid    NOT NULL,
    iteration integer NOT NULL,             -- of the frame; 0 = the run's own DAG
    started   timestamptz NOT NULL,
    PRIMARY KEY (run, iteration)
);
