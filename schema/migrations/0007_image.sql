-- What ran in a container, by content: a tag may name another image tomorrow.
ALTER TABLE step_result ADD COLUMN image text;  -- REPOSITORY@sha256:… or the image's id; NULL = no container
ALTER TABLE attempt_done ADD COLUMN image text;
