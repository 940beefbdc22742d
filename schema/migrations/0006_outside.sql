-- What is known of places outside: objects of S3 buckets, offsets in topics of other Kafka clusters.
CREATE TABLE s3_object (                    -- the present state of a key, as it was last heard of or seen
    source    text NOT NULL,
    key       text COLLATE "C" NOT NULL,    -- ordered as S3 lists
    delivery  text NOT NULL,                -- what the event's id is made of, besides bucket and key
    etag      text NOT NULL,
    size      bigint NOT NULL,
    at        timestamptz NOT NULL,         -- by the service's clock
    gone      boolean NOT NULL,
    listed    boolean NOT NULL,             -- found by looking, not told
    announced boolean NOT NULL,             -- its event is on the queue
    PRIMARY KEY (source, key)
);
CREATE TABLE s3_look (                      -- what is older than the first look at a bucket is no news
    source text PRIMARY KEY,
    place  text NOT NULL,                   -- endpoint, bucket, prefix, suffix: another place begins anew
    since  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE topic_offset (                 -- the next offset to read
    source    text NOT NULL,
    cluster   text NOT NULL,                -- Kafka's id of the cluster
    topic     text NOT NULL,
    partition integer NOT NULL,
    next      bigint NOT NULL,
    PRIMARY KEY (source, cluster, topic, partition)
);
