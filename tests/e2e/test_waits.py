"""Steps that wait for what comes from outside, on real daemons: the example, a leader that dies meanwhile, cancel and timeout."""
import json
import pathlib

import pytest
from leat import request, until

SHAPES = pathlib.Path(__file__).parents[2] / "examples" / "shapes"
SECRET = {"Authorization": "Bearer s3cr3t", "Content-Type": "application/cloudevents+json"}


@pytest.fixture(scope="module", autouse=True)
def prepared(leat):
    leat.ok("secret", "set", "hook-secret", stdin="s3cr3t")
    leat.apply("{kind: source, name: ce, provider: cloudevents, secret: hook-secret}\n", "ce.yaml")


def start(leat, pipeline, *words):
    return leat.json("run", pipeline, *words)["id"]


def steps(leat, run):
    return {step["name"]: step for step in leat.json("show", run)["steps"]}


def until_step(leat, run, name, state):
    def there():
        step = steps(leat, run).get(name)
        return step if step and step["state"] == state else None
    return until(there, 60, what=f"step {name} is {state}")


def tell(leat, type_, data, n=[0]):
    n[0] += 1
    body = {"specversion": "1.0", "id": f"{type_}-{n[0]}", "source": "/test", "type": type_, "data": data}
    return leat.hook("ce", json.dumps(body).encode(), SECRET).json()["event"]


def event(leat, id_):
    return until(lambda: (lambda done: json.loads(done.stdout) if done.returncode == 0 else None)(leat.leat("event", id_, "-o", "json")),
                 60, what="the event is known")


def test_the_example_waits_for_its_event(leat):
    leat.ok("apply", str(SHAPES / "wait.yaml"))
    run = start(leat, "shapes-wait")
    waiting = until_step(leat, run, "checked", "waiting")
    assert waiting["reason"] == "waits for an event of type dev.example.checked"
    assert "waits for an event of type dev.example.checked" in leat.ok("show", run)
    low = event(leat, tell(leat, "dev.example.checked", {"run": run, "most": 0.01, "who": "anna"}))
    assert low["verdicts"] == [], "its filter is false"
    odd = event(leat, tell(leat, "dev.example.checked", {"who": "nobody"}))
    assert [v["verdict"] for v in odd["verdicts"]] == ["failed"]
    assert "its filter failed on event" in steps(leat, run)["checked"]["reason"]
    leat.kill("leat-scheduler")
    good = tell(leat, "dev.example.checked", {"run": run, "most": 0.1, "who": "bruno"})
    assert leat.wait_run(run)["state"] == "succeeded"
    said = event(leat, good)["verdicts"]
    assert [(v["verdict"], v["waiting"], v["step"]) for v in said] == [("ended", run, "checked")]
    assert event(leat, good)["runs"] == [], "it started none"
    assert steps(leat, run)["checked"]["outputs"]["event"]["data"]["who"] == "bruno"
    assert "bruno looked at it" in leat.ok("logs", run, "ship")


def test_one_event_ends_the_waits_of_many_items_and_runs(leat):
    leat.apply("name: many\nsteps:\n  e: {for_each: [1, 2, 3, 4], steps: {hold: {wait: {type: 'dev.many.*'}}}}\n")
    runs = [start(leat, "many") for _ in range(3)]

    def waits():
        shown = [step for run in runs for step in leat.json("show", run)["steps"]]
        return sum(step["state"] == "waiting" for step in shown) == 12
    until(waits, 60, what="all wait")
    said = event(leat, tell(leat, "dev.many.go", {}))["verdicts"]
    assert len(said) == 12 and {v["waiting"] for v in said} == set(runs)
    for run in runs:
        assert leat.wait_run(run)["state"] == "succeeded"


def test_cancel_and_timeout_end_a_wait(leat):
    leat.apply("name: never\nsteps:\n  hold: {wait: {type: dev.never}, timeout: 1s}\n")
    leat.apply("name: long\nsteps:\n  hold: {wait: {type: dev.never}}\nfinally: {tell: {command: [echo, '${{ outcome.state }}']}}\n", "long.yaml")
    shown = leat.wait_run(start(leat, "never"))
    assert shown["state"] == "failed" and "no event of type dev.never came that fits" in shown["reason"]
    run = start(leat, "long")
    until_step(leat, run, "hold", "waiting")
    tell_step = steps(leat, run)["tell"]
    assert (tell_step["state"], tell_step["reason"]) == ("pending", ""), "it is for the end, and waits for no capacity"
    leat.ok("cancel", run)
    shown = leat.wait_run(run)
    assert shown["state"] == "cancelled" and {s["name"]: s["state"] for s in shown["steps"]} == {"hold": "cancelled", "tell": "succeeded"}


# ---- approvals -----------------------------------------------------------------------------------

def refused(leat, *words):
    done = leat.leat("approve", *words)
    assert done.returncode == 4, done.stdout + done.stderr
    return done.stderr


def token_of(leat, name):
    return leat.json("token", "create", "--name", name)["token"]


def post(leat, path, token, body):
    return request("POST", f"{leat.api}{path}", json.dumps(body).encode(),
                   {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})


def test_the_example_waits_for_the_right_person(leat):
    leat.ok("apply", str(SHAPES / "approval.yaml"))
    run = start(leat, "shapes-approval")
    assert until_step(leat, run, "ask", "waiting")["reason"] == "waits for an answer of anna or bruno: Ship a model with an error of 0.07?"
    assert "waits for an answer of anna or bruno" in leat.ok("show", run)
    assert "anna or bruno may answer step ask, not mallory" in refused(leat, run, "ask", "--by", "mallory")
    assert "step fit waits for no person" in refused(leat, run, "fit", "--by", "anna")
    assert "no step nothing" in refused(leat, run, "nothing", "--by", "anna")
    leat.kill("leat-scheduler")
    leat.ok("approve", run, "ask", "--by", "bruno", "--comment", "low enough")
    assert leat.wait_run(run)["state"] == "succeeded"
    assert steps(leat, run)["ask"]["outputs"] == {"answer": "approved", "by": "bruno", "comment": "low enough"}
    assert "bruno said low enough" in leat.ok("logs", run, "ship")
    assert "over already: succeeded" in refused(leat, run, "ask", "--by", "anna")


def test_the_first_answer_counts(leat):
    run = start(leat, "shapes-approval")
    until_step(leat, run, "ask", "waiting")
    leat.ok("approve", run, "ask", "--by", "anna", "--reject", "--comment", "too late")
    shown = leat.wait_run(run)
    assert shown["state"] == "failed" and "rejected by anna: too late" in shown["reason"]
    assert steps(leat, run)["ask"]["outputs"]["answer"] == "rejected"


def test_a_token_says_who_answers(leat):
    run = start(leat, "shapes-approval")
    until_step(leat, run, "ask", "waiting")
    mallory, anna = token_of(leat, "mallory"), token_of(leat, "anna")
    path = f"/api/v1/runs/{run}/approve"
    assert post(leat, path, mallory, {"step": "ask", "by": "anna"}).status == 403, "nobody answers for another"
    assert post(leat, path, mallory, {"step": "ask"}).status == 409
    assert post(leat, "/api/v1/tokens", mallory, {"kind": "user", "name": "anna"}).status == 403, "nor makes a token of another"
    assert post(leat, "/api/v1/tokens", mallory, {"kind": "user"}).status == 403
    assert post(leat, path, anna, {"step": "ask", "answer": "perhaps"}).status == 400
    assert post(leat, path, anna, {"step": "ask"}).status == 201
    assert leat.wait_run(run)["state"] == "succeeded"
    assert steps(leat, run)["ask"]["outputs"] == {"answer": "approved", "by": "anna"}


def test_each_item_is_asked(leat):
    leat.apply("name: asks\nsteps:\n  e:\n    for_each: [x, y]\n    steps: {ask: {approval: {message: '${{ item }}?'}}}\n    outputs: {by: ask.by}\n")
    run = start(leat, "asks")
    until(lambda: sum(step["state"] == "waiting" for step in leat.json("show", run)["steps"]) == 2, 60, what="both wait")
    assert "say which, e/ask[ITERATION]" in refused(leat, run, "e/ask", "--by", "anna")
    for item in [step for step in leat.json("show", run)["steps"] if step["step"] == "e/ask"]:
        leat.ok("approve", run, item["name"], "--by", "anna-" + item["item"])
    assert leat.wait_run(run)["state"] == "succeeded"
    assert steps(leat, run)["e"]["outputs"] == {"by": ["anna-x", "anna-y"]}


def test_nobody_answers(leat):
    for word, state, run_state in (("fail", "failed", "failed"), ("skip", "skipped", "succeeded"), ("approve", "succeeded", "succeeded")):
        leat.apply("name: silent\nsteps: {ask: {approval: {on_timeout: %s}, timeout: 1s}}\n" % word)
        shown = leat.wait_run(start(leat, "silent"))
        assert (shown["state"], shown["steps"][0]["state"]) == (run_state, state)
        assert "nobody has answered" in shown["steps"][0]["reason"]


# ---- runs that steps start -----------------------------------------------------------------------

def test_the_example_starts_its_runs(leat):
    leat.ok("apply", str(SHAPES / "report.yaml"), str(SHAPES / "start.yaml"))
    run = start(leat, "shapes-start")
    assert leat.wait_run(run)["state"] == "succeeded"
    shown = steps(leat, run)
    assert shown["days"]["outputs"] == {"pages": [7, 7]}
    assert "[7,7] pages" in leat.ok("logs", run, "tell")
    child = leat.json("show", shown["later"]["outputs"]["run"])
    assert child["pipeline"] == "shapes-report" and child["params"] == {"day": "someday"}
    assert child["started_by"] == {"run": run, "step": "later", "iteration": 0, "attempt": 1, "depth": 1}
    assert leat.wait_run(child["id"])["state"] == "succeeded"
    names = [r["name"] for r in leat.json("runs", "--pipeline", "shapes-report")]
    assert sorted(names)[:2] == ["report of monday", "report of tuesday"]


SLOW = """
name: slow
params: {seconds: 300}
steps: {nap: {command: [sh, -c, 'sleep "$1"; echo 3 > "$2"', sh, "${{ params.seconds }}", "${{ outputs.n.path }}"], outputs: {n: {type: integer}}}}
outputs: {n: nap.n}
"""


def child_of(leat, run, name):
    step = until_step(leat, run, name, "running")
    return step["reason"].split()[1]


def test_a_cancel_goes_down_across_a_takeover(leat):
    leat.apply(SLOW)
    leat.apply("name: above\nsteps: {s: {start: {pipeline: slow}}}\n", "above.yaml")
    leat.apply("name: top\nsteps: {a: {start: {pipeline: above}}}\n", "top.yaml")
    run = start(leat, "top")
    middle = child_of(leat, run, "a")
    low = child_of(leat, middle, "s")
    until_step(leat, low, "nap", "running")
    leat.kill("leat-scheduler")
    leat.ok("cancel", run)
    leat.kill("leat-scheduler")
    assert [leat.wait_run(r)["state"] for r in (low, middle, run)] == ["cancelled"] * 3


def test_a_run_outlives_the_leader_and_ends_its_step(leat):
    leat.apply(SLOW)
    leat.apply("name: one\nsteps: {s: {start: {pipeline: slow, params: {seconds: 4}}, outputs: {n: {type: number}}}}\n", "one.yaml")
    run = start(leat, "one")
    child_of(leat, run, "s")
    leat.kill("leat-scheduler")
    assert leat.wait_run(run)["state"] == "succeeded"
    assert steps(leat, run)["s"]["outputs"]["n"] == 3


def test_what_fails_below_fails_above_and_nothing_starts_itself_for_ever(leat):
    leat.apply("name: bad\nsteps: {b: {command: ['false']}}\n", "bad.yaml")
    leat.apply("name: calls\nsteps: {s: {start: {pipeline: bad}}}\n", "calls.yaml")
    shown = leat.wait_run(start(leat, "calls"))
    assert shown["state"] == "failed" and "failed: step b failed" in shown["reason"]
    leat.apply("name: self\nsteps: {first: {command: ['true']}}\n", "self.yaml")
    leat.apply("name: self\nsteps: {again: {start: {pipeline: self}}}\n", "self.yaml")
    shown = leat.wait_run(start(leat, "self"))
    assert shown["state"] == "failed"
    assert len(leat.json("runs", "--pipeline", "self")) == 17
    deepest = leat.json("runs", "--pipeline", "self")
    reasons = [leat.json("show", r["id"])["steps"][0]["reason"] for r in deepest]
    assert any("may start one another 16 deep" in reason and "run " not in reason for reason in reasons), reasons
