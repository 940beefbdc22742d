-- Results that steps with `cache` may take: the newest of each key. A row says where to look; whether the
-- result is still there its own table says, whose weeks go by themselves.
CREATE TABLE cached_result (
    key       text        PRIMARY KEY,      -- sha256 of what the step's order says
    run       uuid        NOT NULL,
    step      integer     NOT NULL,
    iteration integer     NOT NULL,
    finished  timestamptz NOT NULL          -- the leader's clock, when it was committed
);
CREATE INDEX cached_result_finished ON cached_result (finished);

ALTER TABLE step_result ADD COLUMN cached_from uuid;     -- whose result it is; NULL = its own
ALTER TABLE run_live ADD COLUMN no_cache boolean NOT NULL DEFAULT false;
