ALTER TABLE leader ADD COLUMN most_pipelines bigint, ADD COLUMN most_workers bigint;

-- 'created', unless there are so many already.
CREATE FUNCTION leat_room(what text, present bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    most bigint := (SELECT coalesce(most_pipelines, 10000) FROM leader);
BEGIN
    IF present >= most THEN
        RAISE EXCEPTION 'there are % % already, and there may be %: take some away that nobody needs, or raise most-pipelines of the scheduler',
            present, what, most USING ERRCODE = 'LE002';
    END IF;
    RETURN 'created';
END $$;
