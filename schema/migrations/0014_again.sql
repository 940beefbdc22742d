-- How a run repeats the one that retry_of names: '' = a retry, 'rerun' = all anew with the event, the
-- objects and the images of then, 'only' = some steps (retry_from) with what they need of it.
ALTER TABLE run_live ADD COLUMN again text NOT NULL DEFAULT '' CHECK (again IN ('', 'rerun', 'only'));
ALTER TABLE run_done ADD COLUMN retry_from text NOT NULL DEFAULT '';
ALTER TABLE run_done ADD COLUMN again text NOT NULL DEFAULT '';

-- People see which of the three it is by which column has it.
CREATE OR REPLACE VIEW run AS
    SELECT id, pipeline, version, name, number, experiment, state, reason, trigger, event, params, vars,
           CASE again WHEN '' THEN retry_of END AS retry_of, created, started, cancelled, finished,
           nullif(CASE again WHEN '' THEN retry_from ELSE '' END, '') AS retry_from,
           CASE again WHEN 'rerun' THEN retry_of END AS rerun_of,
           CASE again WHEN 'only' THEN retry_of END AS inputs_from,
           CASE again WHEN 'only' THEN string_to_array(retry_from, ',') END AS only
    FROM (SELECT id, pipeline, version, name, number, experiment, state, reason, trigger, event, params, vars,
                 retry_of, created, started, cancelled, NULL::timestamptz AS finished, retry_from, again FROM run_live
          UNION ALL
          SELECT id, pipeline, version, name, number, experiment, state, reason, trigger, event, params, vars,
                 retry_of, created, started, cancelled, finished, retry_from, again FROM run_done) AS r;
