-- Named limits: how much of something the steps of all runs may use at once. A change raises catalog.gen.
CREATE TABLE named_limit (
    name        text PRIMARY KEY,
    n           bigint NOT NULL CHECK (n BETWEEN 0 AND 1000000),
    description text,
    gen         bigint NOT NULL,
    updated     timestamptz NOT NULL DEFAULT now()
);
