-- Attempts that ran in a run that `of` repeats, or in one that this repeats, and so on, with the run that had the worker: their
-- logs lie below that. Results that were adopted have the attempt and no worker. At most 1,000 runs back; each is read by its key.
CREATE FUNCTION leat_adopted_from(of uuid) RETURNS TABLE (attempt_id uuid, run uuid) LANGUAGE sql STABLE ROWS 100 AS $$
    WITH RECURSIVE line AS (
        SELECT of AS id, 0 AS back
        UNION ALL
        SELECT o.id, l.back + 1 FROM line l CROSS JOIN LATERAL (
            SELECT coalesce(r.retry_of, r.rerun_of, r.inputs_from) AS id FROM run r WHERE r.id = l.id LIMIT 1) AS o
        WHERE o.id IS NOT NULL AND l.back < 1000)
    SELECT s.attempt_id, s.run FROM line l CROSS JOIN LATERAL (
        SELECT x.attempt_id, x.run FROM step_result x
        WHERE x.run = l.id AND x.attempt_id IS NOT NULL AND x.worker IS NOT NULL OFFSET 0) AS s
    WHERE l.back > 0
$$;
