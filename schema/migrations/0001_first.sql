-- The first shape of Leat's database. Applied by the leader only, once, in one transaction,
-- under the advisory lock of migrations. Expand then contract: version N-1 works beside N.
--
-- Hot tables (leader, run_live, step_live, bus_*) hold live rows only; history (run_done,
-- step_result, attempt_done, event) is append-only and split by time. Runs are UUIDv7, so a
-- range of ids is a range of time and needs no column of its own.

-- ---- who leads ------------------------------------------------------------------------------
CREATE TABLE leader (
    one           boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch         bigint NOT NULL DEFAULT 0,      -- raised by every takeover
    tx_seq        bigint NOT NULL DEFAULT 0,      -- raised by every batch: the fence and the answer to "is it in?"
    holder        text   NOT NULL DEFAULT '',     -- node and pid, for people
    backend_pid   integer,                        -- of the connection that commits batches
    backend_start timestamptz
) WITH (fillfactor = 10);
CREATE TABLE leader_beat (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL DEFAULT 0,
    beat  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO leader DEFAULT VALUES;
INSERT INTO leader_beat DEFAULT VALUES;

-- ---- embedded bus ---------------------------------------------------------------------------
CREATE TABLE bus (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id  uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO bus DEFAULT VALUES;
CREATE TABLE bus_topic (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);
-- One partition a stable producer name; `next` is raised inside the inserting transaction, so
-- offsets become visible in order and without gaps.
CREATE TABLE bus_partition (
    topic     integer NOT NULL REFERENCES bus_topic,
    partition integer NOT NULL,
    producer  text    NOT NULL,
    next      bigint  NOT NULL DEFAULT 0,
    first     bigint  NOT NULL DEFAULT 0,   -- records below it are trimmed
    PRIMARY KEY (topic, partition),
    UNIQUE (topic, producer)
) WITH (fillfactor = 20);
CREATE TABLE bus_record (
    topic     integer NOT NULL,
    partition integer NOT NULL,
    off       bigint  NOT NULL,
    key       bytea,
    value     bytea   NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, off)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
ALTER TABLE bus_record ALTER COLUMN value SET STORAGE EXTERNAL;

-- Where the leader stands on each partition of whichever bus it reads; next offset to read.
CREATE TABLE read_offset (
    bus       uuid    NOT NULL,
    topic     text    NOT NULL,
    partition integer NOT NULL,
    next      bigint  NOT NULL,
    PRIMARY KEY (bus, topic, partition)
) WITH (fillfactor = 20);

-- ---- catalog --------------------------------------------------------------------------------
CREATE TABLE catalog (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    gen bigint NOT NULL DEFAULT 0           -- raised by every apply, pause, resume, delete
);
INSERT INTO catalog DEFAULT VALUES;
CREATE TABLE source (
    name     text PRIMARY KEY,
    provider text NOT NULL,
    secret   text,                          -- name of a secret, never its value
    config   jsonb NOT NULL DEFAULT '{}',
    gen      bigint NOT NULL,
    updated  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE pipeline (
    name        text PRIMARY KEY,
    version     text NOT NULL,              -- hash of the current version
    paused      boolean NOT NULL DEFAULT false,
    deleted     boolean NOT NULL DEFAULT false,
    next_number bigint NOT NULL DEFAULT 1,  -- of the next run: PIPELINE-N
    gen         bigint NOT NULL
);
CREATE TABLE pipeline_version (
    pipeline text NOT NULL,
    hash     text NOT NULL,                 -- sha256 of the canonical IR
    number   integer NOT NULL,              -- 1, 2, … in order of first apply
    file     text NOT NULL,                 -- the file as applied
    ir       jsonb NOT NULL,
    created  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline, hash),
    UNIQUE (pipeline, number)
);
CREATE TABLE secret (
    name    text PRIMARY KEY,
    sealed  bytea NOT NULL,                 -- AES-256-GCM under the cluster's key file
    updated timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE cron_slot (
    pipeline text NOT NULL,
    trigger  text NOT NULL,
    last     timestamptz NOT NULL,          -- the last slot published or passed over
    PRIMARY KEY (pipeline, trigger)
);
CREATE TABLE bucket_object (                -- directory buckets: what has been announced
    bucket  text NOT NULL,
    key     text NOT NULL,
    version text NOT NULL,                  -- mtime_ns-inode-size
    size    bigint NOT NULL,
    PRIMARY KEY (bucket, key)
);

-- ---- what was seen: one row removes every later duplicate ------------------------------------
CREATE TABLE inbox (
    id       uuid PRIMARY KEY,              -- event id, command id or run id
    received timestamptz NOT NULL
);
CREATE INDEX inbox_received ON inbox USING brin (received);
CREATE TABLE run_tombstone (                -- cancelled before the run itself was seen
    run uuid PRIMARY KEY,
    at  timestamptz NOT NULL
);
CREATE TABLE idempotency (                  -- made by the API before it publishes
    key text PRIMARY KEY,
    run uuid NOT NULL,
    at  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE command_done (
    id     uuid PRIMARY KEY,
    kind   text NOT NULL,
    status text NOT NULL CHECK (status IN ('accepted', 'refused')),
    detail text NOT NULL,                   -- why refused; the run's id when accepted
    at     timestamptz NOT NULL
);

-- ---- live -----------------------------------------------------------------------------------
CREATE TABLE worker (
    id          text PRIMARY KEY,
    incarnation uuid NOT NULL,
    boot        text NOT NULL,
    state       text NOT NULL,
    report_n    bigint NOT NULL,            -- highest contiguous committed report
    info        jsonb NOT NULL,             -- slots, labels, executors, … as its hello said
    heard       timestamptz NOT NULL
) WITH (fillfactor = 20);
CREATE TABLE run_live (
    id         uuid PRIMARY KEY,
    pipeline   text NOT NULL,
    version    text NOT NULL,
    name       text NOT NULL,
    number     bigint NOT NULL,
    experiment text NOT NULL,
    state      text NOT NULL,
    reason     text NOT NULL DEFAULT '',
    trigger    text NOT NULL DEFAULT '',    -- name of the `on:` entry; '' = by hand
    event      uuid,
    params     jsonb NOT NULL,
    vars       jsonb NOT NULL DEFAULT '{}',
    retry_of   uuid,
    created    timestamptz NOT NULL,
    started    timestamptz,
    cancelled  timestamptz                  -- when a cancel was committed
) WITH (fillfactor = 70);
-- A row for a step that is placed, running, waiting or cancelling; pending and ready steps have
-- none (they follow from the results; but a step that is ready again after a lost attempt keeps its
-- row, for the counts), finished ones move to step_result.
CREATE TABLE step_live (
    run         uuid    NOT NULL,
    step        integer NOT NULL,           -- index in the version's IR
    iteration   integer NOT NULL DEFAULT 0,
    state       text    NOT NULL,
    attempt     integer NOT NULL,           -- 1, 2, …
    attempt_id  uuid,
    nonce       bigint,
    worker      text,
    incarnation uuid,
    since       timestamptz NOT NULL,       -- when this state began
    started     timestamptz,                -- when this attempt began to run
    due         bigint NOT NULL DEFAULT 0,  -- length in µs of the wait or timeout that `since` began; 0 = none
    lost        integer NOT NULL DEFAULT 0, -- attempts of this step that ended lost, refused or revoked
    reason      text NOT NULL DEFAULT '',
    PRIMARY KEY (run, step, iteration)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- ---- history --------------------------------------------------------------------------------
CREATE TABLE run_done (LIKE run_live INCLUDING DEFAULTS, finished timestamptz NOT NULL,
                       PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE step_result (
    run        uuid    NOT NULL,
    step       integer NOT NULL,
    iteration  integer NOT NULL DEFAULT 0,
    state      text    NOT NULL,
    attempt    integer NOT NULL,            -- attempts made; 0 = none was needed
    attempt_id uuid,
    worker     text,
    exit_code  integer,
    reason     text NOT NULL DEFAULT '',
    outputs    jsonb,                       -- {name: value} and {name: {"artifact": sha256, "size": n, "folder": bool}}
    metrics    jsonb,
    log        jsonb,                       -- {"chunks": n, "bytes": n, "sha256": hex, "truncated": bool}
    started    timestamptz,
    finished   timestamptz NOT NULL,
    PRIMARY KEY (run, step, iteration)      -- at most one committed result
) PARTITION BY RANGE (run);
CREATE TABLE attempt_done (                 -- attempts that did not become the result
    run        uuid    NOT NULL,
    step       integer NOT NULL,
    iteration  integer NOT NULL DEFAULT 0,
    attempt    integer NOT NULL,
    attempt_id uuid    NOT NULL,
    state      text    NOT NULL,
    worker     text,
    exit_code  integer,
    reason     text NOT NULL DEFAULT '',
    log        jsonb,
    started    timestamptz,
    finished   timestamptz NOT NULL,
    PRIMARY KEY (run, step, iteration, attempt)
) PARTITION BY RANGE (run);
CREATE TABLE event (
    id       uuid NOT NULL,
    received timestamptz NOT NULL,
    source   text NOT NULL,
    type     text NOT NULL,
    envelope jsonb NOT NULL,                -- the CloudEvent
    verdicts jsonb NOT NULL,                -- [{pipeline, trigger, verdict, run?, reason?}]
    PRIMARY KEY (received, id)
) PARTITION BY RANGE (received);
CREATE INDEX event_id ON event (id);
CREATE INDEX run_done_pipeline ON run_done (pipeline, id);

CREATE TABLE run_done_rest     PARTITION OF run_done     DEFAULT;
CREATE TABLE step_result_rest  PARTITION OF step_result  DEFAULT;
CREATE TABLE attempt_done_rest PARTITION OF attempt_done DEFAULT;
CREATE TABLE event_rest        PARTITION OF event        DEFAULT;

-- The smallest UUIDv7 of an instant: the bound of a partition and of `--since`.
CREATE FUNCTION uuid_at(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0')
            || '00000000000000000000')::uuid
$$;

CREATE VIEW run AS
    SELECT *, NULL::timestamptz AS finished FROM run_live
    UNION ALL
    SELECT * FROM run_done;

-- The fence of the leader's transaction: raises (and so takes the transaction back) when another
-- epoch leads or another batch is in. Its new tx_seq answers "is it in?" after a lost COMMIT.
CREATE FUNCTION leat_fence(my_epoch bigint, my_seq bigint) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    UPDATE leader SET tx_seq = tx_seq + 1 WHERE epoch = my_epoch AND tx_seq = my_seq;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another leader has taken over' USING ERRCODE = 'LE001';
    END IF;
END $$;

-- Makes the partitions of the week of `at` and of the two after it. Rows of a week that came before
-- its partition stay in the default one.
CREATE FUNCTION leat_partitions_make(at timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    week timestamptz;
    parent text;
    child text;
    made integer := 0;
BEGIN
    FOR i IN 0..2 LOOP
        week := (date_trunc('week', at AT TIME ZONE 'UTC') + i * interval '7 days') AT TIME ZONE 'UTC';
        FOREACH parent IN ARRAY ARRAY['run_done', 'step_result', 'attempt_done', 'event'] LOOP
            child := parent || to_char(week AT TIME ZONE 'UTC', '_YYYYMMDD');
            CONTINUE WHEN to_regclass(child) IS NOT NULL;
            BEGIN
                IF parent = 'event' THEN
                    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                                   child, parent, week, week + interval '7 days');
                ELSE
                    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                                   child, parent, uuid_at(week), uuid_at(week + interval '7 days'));
                END IF;
                made := made + 1;
            EXCEPTION WHEN check_violation THEN
                NULL;
            END;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- Drops the partitions of events that ended before `before`.
CREATE FUNCTION leat_events_drop(before timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    child text;
    gone integer := 0;
BEGIN
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'event'::regclass AND c.relname ~ '^event_[0-9]{8}$'
          AND to_date(substr(c.relname, 7), 'YYYYMMDD') + 7 <= (before AT TIME ZONE 'UTC')::date
    LOOP
        EXECUTE format('DROP TABLE %I', child);
        gone := gone + 1;
    END LOOP;
    RETURN gone;
END $$;

SELECT leat_partitions_make(now());
