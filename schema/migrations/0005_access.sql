-- Who started a run from inside of another one, and the tokens that the API gives out.

-- Written by the API before it publishes the command; a row without its run means that nobody took
-- the command, and does no harm. Few rows: only runs that steps started.
CREATE TABLE run_cause (
    run     uuid PRIMARY KEY,
    attempt uuid NOT NULL,                  -- that asked for it by its token
    by_run  uuid NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);

-- leat_KIND_ID_SECRET: the id finds the row, the secret is random and only its SHA-256 is here.
CREATE TABLE token (
    id      text PRIMARY KEY,
    kind    text NOT NULL CHECK (kind IN ('user', 'join', 'worker')),
    hash    bytea NOT NULL,
    worker  text CHECK (worker IS NOT NULL OR kind <> 'worker'),   -- whose credential it is
    pool    text,                           -- join: the pool that the worker will work for
    created timestamptz NOT NULL DEFAULT now(),
    expires timestamptz,                    -- NULL = never
    used    timestamptz,                    -- join: once
    used_by text,
    revoked timestamptz
);
CREATE INDEX token_worker ON token (worker) WHERE kind = 'worker';
