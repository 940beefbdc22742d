-- Made by schema/gen.py from common/base/states.h; do not edit.
-- The states that a column may hold, and the moves that a row may make.

ALTER TABLE run_live ADD CONSTRAINT run_live_state CHECK (state IN ('pending', 'queued', 'running', 'cancelling'));
ALTER TABLE run_done ADD CONSTRAINT run_done_state CHECK (state IN ('succeeded', 'failed', 'cancelled', 'skipped'));
ALTER TABLE step_live ADD CONSTRAINT step_live_state CHECK (state IN ('pending', 'waiting', 'ready', 'placed', 'running', 'cancelling'));
ALTER TABLE step_result ADD CONSTRAINT step_result_state CHECK (state IN ('succeeded', 'failed', 'skipped', 'cancelled', 'upstream_failed'));
ALTER TABLE attempt_done ADD CONSTRAINT attempt_done_state CHECK (state IN ('succeeded', 'failed', 'timed_out', 'lost', 'cancelled'));
ALTER TABLE worker ADD CONSTRAINT worker_state CHECK (state IN ('active', 'unreachable', 'draining', 'gone'));

CREATE FUNCTION run_live_moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('pending', 'queued'), ('pending', 'running'), ('pending', 'cancelling'),
        ('pending', 'succeeded'), ('pending', 'failed'), ('pending', 'cancelled'),
        ('pending', 'skipped'), ('queued', 'running'), ('queued', 'cancelling'),
        ('queued', 'succeeded'), ('queued', 'failed'), ('queued', 'cancelled'),
        ('queued', 'skipped'), ('running', 'cancelling'), ('running', 'succeeded'),
        ('running', 'failed'), ('running', 'cancelled'), ('cancelling', 'failed'),
        ('cancelling', 'cancelled')) THEN
        RAISE EXCEPTION 'run: % does not follow %', NEW.state, OLD.state;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER run_live_moves BEFORE UPDATE OF state ON run_live FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION run_live_moves();
CREATE FUNCTION run_done_is_final() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'run_done is history: a row of it never changes';
END $$;
CREATE TRIGGER run_done_is_final BEFORE UPDATE ON run_done
    FOR EACH ROW EXECUTE FUNCTION run_done_is_final();
CREATE FUNCTION step_live_moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('pending', 'waiting'), ('pending', 'ready'), ('pending', 'placed'),
        ('pending', 'running'), ('pending', 'cancelling'), ('pending', 'succeeded'),
        ('pending', 'failed'), ('pending', 'skipped'), ('pending', 'cancelled'),
        ('pending', 'upstream_failed'), ('waiting', 'ready'), ('waiting', 'placed'),
        ('waiting', 'running'), ('waiting', 'cancelling'), ('waiting', 'succeeded'),
        ('waiting', 'failed'), ('waiting', 'skipped'), ('waiting', 'cancelled'),
        ('ready', 'waiting'), ('ready', 'placed'), ('ready', 'running'),
        ('ready', 'cancelling'), ('ready', 'succeeded'), ('ready', 'failed'),
        ('ready', 'skipped'), ('ready', 'cancelled'), ('placed', 'waiting'),
        ('placed', 'ready'), ('placed', 'running'), ('placed', 'cancelling'),
        ('placed', 'succeeded'), ('placed', 'failed'), ('placed', 'skipped'),
        ('placed', 'cancelled'), ('running', 'waiting'), ('running', 'ready'),
        ('running', 'placed'), ('running', 'cancelling'), ('running', 'succeeded'),
        ('running', 'failed'), ('running', 'skipped'), ('running', 'cancelled'),
        ('cancelling', 'waiting'), ('cancelling', 'ready'), ('cancelling', 'placed'),
        ('cancelling', 'running'), ('cancelling', 'succeeded'), ('cancelling', 'failed'),
        ('cancelling', 'skipped'), ('cancelling', 'cancelled')) THEN
        RAISE EXCEPTION 'step: % does not follow %', NEW.state, OLD.state;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER step_live_moves BEFORE UPDATE OF state ON step_live FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION step_live_moves();
CREATE FUNCTION step_result_is_final() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'step_result is history: a row of it never changes';
END $$;
CREATE TRIGGER step_result_is_final BEFORE UPDATE ON step_result
    FOR EACH ROW EXECUTE FUNCTION step_result_is_final();
CREATE FUNCTION attempt_done_is_final() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'attempt_done is history: a row of it never changes';
END $$;
CREATE TRIGGER attempt_done_is_final BEFORE UPDATE ON attempt_done
    FOR EACH ROW EXECUTE FUNCTION attempt_done_is_final();
CREATE FUNCTION worker_moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('active', 'unreachable'), ('active', 'draining'), ('active', 'gone'),
        ('unreachable', 'active'), ('unreachable', 'draining'), ('unreachable', 'gone'),
        ('draining', 'active'), ('draining', 'unreachable'), ('draining', 'gone'),
        ('gone', 'active'), ('gone', 'unreachable'), ('gone', 'draining')) THEN
        RAISE EXCEPTION 'worker: % does not follow %', NEW.state, OLD.state;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER worker_moves BEFORE UPDATE OF state ON worker FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION worker_moves();
