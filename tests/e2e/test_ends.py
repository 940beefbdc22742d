"""How attempts, steps, groups and runs end, and which ends are tried again: real workers, by exit code and by reason;
the timeouts of a step, a group and a run apart."""
import leat as leat_module

RETRIES = """
name: retries
defaults: {grace: 1s}
steps:
  by-code:     {command: [sh, -c, 'exit $((74 + LEAT_ATTEMPT))'], allow_failure: true, retry: {attempts: 5, exit_codes: [75, 76], backoff: {first: 100ms}}}
  not-by-code: {command: [sh, -c, 'exit $((1 + LEAT_ATTEMPT))'], allow_failure: true, retry: {attempts: 5, not_exit_codes: [4], backoff: {first: 100ms}}}
  by-signal:   {command: [sh, -c, 'kill -9 $$'], allow_failure: true, retry: {attempts: 3, exit_codes: [137], backoff: {first: 100ms}}}
  timed-out:   {command: [sh, -c, '[ $LEAT_ATTEMPT = 2 ] || exec sleep 600'], timeout: 10s, retry: {attempts: 2, on: [timed_out], backoff: {first: 100ms}}}
  only-failed: {command: [sleep, "600"], timeout: 1s, allow_failure: true, retry: {attempts: 3, on: [failed], backoff: {first: 100ms}}}
  only-late:   {command: ["false"], allow_failure: true, retry: {attempts: 3, on: [timed_out], backoff: {first: 100ms}}}
  no-output:   {command: ["true"], outputs: {n: {type: integer}}, allow_failure: true, retry: {attempts: 2, exit_codes: [1], backoff: {first: 100ms}}}
"""
LOST = """
name: lost
steps:
  again:  {command: [sh, -c, 'echo $$ > "$1/again.$LEAT_ATTEMPT"; [ $LEAT_ATTEMPT = 2 ] || exec sleep 600', sh, "${{ params.work }}"]}
  never:  {allow_failure: true, retry: {attempts: 5, on: [failed, timed_out]}, command: [sh, -c, 'echo $$ > "$1/never.$LEAT_ATTEMPT"; exec sleep 600', sh, "${{ params.work }}"]}
  spent:  {allow_failure: true, retry: {lost: 0}, command: [sh, -c, 'echo $$ > "$1/spent.$LEAT_ATTEMPT"; exec sleep 600', sh, "${{ params.work }}"]}
params: {work: {}}
"""
TIMEOUTS = """
name: timeouts
defaults: {grace: 1s}
steps:
  step:  {command: [sleep, "600"], timeout: 1s, allow_failure: true}
  group:
    timeout: 2s
    allow_failure: true
    steps: {slow: {command: [sleep, "600"]}}
  again:
    timeout: 2s
    retry: {attempts: 2, on: [timed_out], backoff: {first: 100ms}}
    allow_failure: true
    steps: {slow: {command: [sleep, "600"]}}
  not-again:
    timeout: 2s
    retry: {attempts: 3, on: [failed], backoff: {first: 100ms}}
    allow_failure: true
    steps: {slow: {command: [sleep, "600"]}}
  inner:
    timeout: 10m
    allow_failure: true
    steps: {slow: {command: [sleep, "600"], timeout: 1s}}
"""
RUN = """
name: slow-run
timeout: 3s
defaults: {grace: 1s}
steps:
  slow: {command: [sleep, "600"], timeout: 10m, retry: {attempts: 3}}
finally:
  tell: {command: [echo, "${{ outcome.state }}: ${{ outcome.reason }}"]}
"""


def run(leat, *words):
    return leat.json("run", *words)["id"]


def ended(leat, started):
    return {step["name"]: step for step in leat.wait_run(started)["steps"]}


def attempts(leat, pipeline):
    """(step, attempt): (state, exit code) of those that were not the last."""
    rows = leat.sql("SELECT v.ir->'steps'->a.step->>'name', a.attempt, a.state, a.exit_code FROM attempt_done a"
                    " JOIN run r ON r.id = a.run JOIN pipeline_version v ON v.pipeline = r.pipeline AND v.hash = r.version"
                    f" WHERE r.pipeline = '{pipeline}'")
    return {(step, int(attempt)): (state, code) for step, attempt, state, code in rows}


def test_retry_by_exit_code_and_by_reason(leat):
    leat.apply(RETRIES)
    steps = ended(leat, run(leat, "retries"))
    ends = {name: (step["state"], step["attempt"], step["exit_code"]) for name, step in steps.items()}
    assert ends == {
        "by-code": ("failed", 3, 77),      # 75, 76 are tried again, 77 is not
        "not-by-code": ("failed", 3, 4),   # 2, 3 are, 4 is not
        "by-signal": ("failed", 3, 137),
        "timed-out": ("succeeded", 2, 0),
        "only-failed": ("failed", 1, steps["only-failed"]["exit_code"]),
        "only-late": ("failed", 1, 1),
        "no-output": ("failed", 1, 0),     # it exited with 0, which is none of the codes
    }
    assert steps["only-failed"]["reason"] == "timed out after 1 s"
    before = attempts(leat, "retries")
    assert before["by-code", 1] == ("failed", "75") and before["by-code", 2] == ("failed", "76")
    assert before["timed-out", 1][0] == "timed_out"


def test_lost_has_a_budget_of_its_own(leat):
    leat.apply(LOST)
    started = run(leat, "lost", "-p", f"work={leat.work}")
    for name in ("again", "never", "spent"):
        leat_module.until(lambda name=name: (leat.work / f"{name}.1").exists())
    leat.kill("leat-keeper")
    steps = ended(leat, started)
    assert {name: (step["state"], step["attempt"]) for name, step in steps.items()} == {
        "again": ("succeeded", 2), "never": ("failed", 1), "spent": ("failed", 1)}
    assert attempts(leat, "lost") == {("again", 1): ("lost", attempts(leat, "lost")["again", 1][1])}
    assert not (leat.work / "never.2").exists() and not (leat.work / "spent.2").exists()


def test_timeouts_of_steps_and_groups(leat):
    leat.apply(TIMEOUTS)
    steps = ended(leat, run(leat, "timeouts"))
    reasons = {name: steps[name]["reason"] for name in ("step", "group", "again", "not-again", "inner")}
    assert reasons == {
        "step": "timed out after 1 s",
        "group": "timed out after 2 s",
        "again": "timed out after 2 s",
        "not-again": "timed out after 2 s",
        "inner": "step inner/slow failed: timed out after 1 s",
    }, reasons
    assert [steps[name]["attempt"] for name in ("group", "again", "not-again")] == [1, 2, 1]
    inside = leat.sql("SELECT s.state, count(*) FROM step_result s JOIN run r ON r.id = s.run"
                      " WHERE r.pipeline = 'timeouts' AND s.iteration > 0 GROUP BY 1 ORDER BY 1")
    assert inside == [["cancelled", "4"], ["failed", "1"]]


def test_the_timeout_of_a_run(leat):
    leat.apply(RUN)
    started = run(leat, "slow-run")
    shown = leat.wait_run(started)
    steps = {step["name"]: step for step in shown["steps"]}
    assert shown["state"] == "failed" and shown["reason"] == "timed out after 3 s"
    assert (steps["slow"]["state"], steps["slow"]["attempt"], steps["tell"]["state"]) == ("cancelled", 1, "succeeded")
    assert leat.ok("logs", started, "tell").strip() == "failed: timed out after 3 s"
