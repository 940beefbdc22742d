-- Why no worker of the pool will ever take a step that asks for so much, were all of it free; NULL: one may, or none is active.
CREATE FUNCTION leat_fit_wait(wanted text, asks jsonb, runner text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN max(w.slots) < a.slots THEN format('wants %s slots, and no worker of pool %s has more than %s', a.slots, wanted, max(w.slots))
        WHEN max(w.cpu) < a.cpu THEN format('wants %s cores, and no worker of pool %s has more than %s', trim_scale(a.cpu), wanted, trim_scale(max(w.cpu)))
        WHEN max(w.memory) < a.memory
            THEN format('wants %s of memory, and no worker of pool %s has more than %s', pg_size_pretty(a.memory), wanted, pg_size_pretty(max(w.memory)))
        WHEN max(w.gpu) < a.gpu THEN format('wants %s GPUs, and no worker of pool %s has more than %s', a.gpu, wanted, max(w.gpu))
        WHEN NOT bool_or(w.runs) THEN format('wants the executor %s, which no worker of pool %s has', runner, wanted)
        WHEN NOT bool_or(w.runs AND w.slots >= a.slots AND coalesce(w.cpu >= a.cpu AND w.memory >= a.memory AND w.gpu >= a.gpu, true))
            THEN format('no worker of pool %s has all that it wants at once', wanted) END
    FROM (SELECT coalesce((asks->>'slots')::bigint, 1) AS slots, coalesce((asks->>'cpu')::numeric, 0) AS cpu,
                 coalesce((asks->>'memory')::bigint, 0) AS memory, coalesce((asks->>'gpu')::bigint, 0) AS gpu) AS a
    CROSS JOIN (SELECT (info->>'slots')::bigint AS slots, (info->>'cpu')::numeric AS cpu, (info->>'memory')::bigint AS memory,
                       (info->>'gpu')::bigint AS gpu, runner = '' OR info->'executors' ? runner AS runs
                FROM worker WHERE state = 'active' AND NOT info ? 'removed' AND coalesce(info->>'pool', 'default') = wanted) AS w
    GROUP BY a.slots, a.cpu, a.memory, a.gpu
$$;
