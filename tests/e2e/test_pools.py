"""Pools that a file speaks of, on real daemons: their slots across runs and leaders, their PATH, and names that nobody has heard of."""
import json
import time

import pytest

from leat import until

HOLD = """
name: NAME
steps:
  hold: {command: [sh, -c, 'while ! [ -e "$1" ]; do sleep 0.1; done', sh, "GATE"], resources: {slots: 1}}
"""


@pytest.fixture
def default_pool(leat):
    yield lambda more: leat.apply(f"kind: pool\nname: default\n{more}\n", "pool.yaml")
    leat.leat("pool", "remove", "default")


def steps(leat, run):
    return [(step["state"], step["reason"]) for step in leat.json("show", run)["steps"]]


def step_is(leat, run, state, reason=None):
    def shown():
        done = leat.leat("show", run, "-o", "json")
        if done.returncode:
            return False
        step = json.loads(done.stdout)["steps"][0]
        return step["state"] == state and (reason is None or step["reason"] == reason)
    return until(shown, what=f"step of {run} {state}: {reason}")


def pool(leat, name):
    row, = [row for row in leat.json("pools") if row["name"] == name]
    return row


def test_slots_are_kept_across_runs_and_leaders(leat, default_pool):
    gate = leat.work / "gate-pool"
    default_pool("slots: 2")
    leat.apply(HOLD.replace("NAME", "pooled").replace("GATE", str(gate)))
    runs = [leat.json("run", "pooled")["id"] for _ in range(4)]
    step_is(leat, runs[1], "running")
    step_is(leat, runs[2], "ready", "waits for pool default: 2 of 2 slots in use")
    row = pool(leat, "default")
    assert (row["slots"], row["used"], row["workers"], row["active"], row["file"]) == (2, 2, 1, 1, True)
    assert row["capacity"] > 2
    holders = leat.json("pool", "show", "default")["holders"]
    assert [(h["run"], h["step"], h["n"]) for h in holders] == [(runs[0], "hold", 1), (runs[1], "hold", 1)]
    leat.kill("leat-scheduler")
    default_pool("slots: 3")  # nothing else comes that could wake the next leader
    step_is(leat, runs[2], "running")
    step_is(leat, runs[3], "ready", "waits for pool default: 3 of 3 slots in use")
    default_pool("slots: 0")
    time.sleep(1.5)
    assert pool(leat, "default")["used"] == 3  # nobody was ended
    step_is(leat, runs[3], "ready", "wants 1 of the slots of pool default, which has 0")
    gate.touch()
    assert [leat.wait_run(run)["state"] for run in runs[:3]] == ["succeeded"] * 3
    step_is(leat, runs[3], "ready", "wants 1 of the slots of pool default, which has 0")
    leat.ok("pool", "remove", "default")  # no version writes it out
    assert leat.wait_run(runs[3])["state"] == "succeeded"
    row = pool(leat, "default")
    assert (row["slots"], row["used"], row["file"]) == (None, 0, False)
    assert leat.leat("pool", "remove", "default").returncode == 3


def test_what_a_worker_uses_is_counted_in_slots(leat):
    gate = leat.work / "gate-used"
    hold = HOLD.replace("GATE", str(gate))
    leat.apply(hold.replace("NAME", "narrow"))
    leat.apply(hold.replace("NAME", "broad").replace("slots: 1", "slots: 3"))
    runs = [leat.json("run", name)["id"] for name in ("narrow", "broad")]
    for run in runs:
        step_is(leat, run, "running")
    row, = leat.json("workers")
    assert row["used"] == 4 <= row["slots"]
    assert leat.json("worker", "drain", row["id"])["used"] == 4
    leat.ok("worker", "resume", row["id"])
    gate.touch()
    for run in runs:
        assert leat.wait_run(run)["state"] == "succeeded"
    assert leat.json("workers")[0]["used"] == 0


def test_its_path_is_that_of_processes(leat, default_pool):
    tools = leat.work / "tools"
    tools.mkdir()
    (tools / "of-the-pool").write_text("#!/bin/sh\necho $PATH\n")
    (tools / "of-the-pool").chmod(0o755)
    leat.apply("name: tooled\nsteps:\n  tool: {command: [of-the-pool]}\n  own: {command: [sh, -c, 'echo $PATH'], env: {PATH: '/bin:/own'}}\n")
    assert leat.wait_run(leat.json("run", "tooled")["id"])["state"] == "failed"
    default_pool(f"path: {tools}:/usr/bin:/bin")
    until(lambda: leat.wait_run(leat.json("run", "tooled")["id"])["state"] == "succeeded", what="a run with the pool's PATH")
    run = leat.json("runs", "--pipeline", "tooled")[0]["id"]
    assert leat.ok("logs", run, "tool").strip() == f"{tools}:/usr/bin:/bin"
    assert leat.ok("logs", run, "own").strip() == "/bin:/own"


def test_a_name_that_nobody_has_heard_of(leat):
    text = leat.file("far.yaml", "name: far\nsteps: {s: {command: [echo], pool: moon}}\n")
    warning = "warning: far: step s: pool moon: no worker is of it and no file of kind: pool names it; what wants it waits until a worker comes\n"
    assert leat.leat("apply", "--dry-run", text).stderr == warning
    done = leat.leat("apply", text)
    assert done.returncode == 0 and done.stderr == warning
    run = leat.json("run", "far")["id"]
    step_is(leat, run, "ready", "no worker is of pool moon and no file names it: waits until one comes")
    assert leat.leat("pool", "show", "moon").returncode == 3
    both = leat.file("both.yaml", "kind: pool\nname: moon\ndescription: far away\n---\nname: far\nsteps: {s: {command: [echo], pool: moon}}\n")
    done = leat.leat("apply", both)
    assert done.returncode == 0 and done.stderr == ""
    step_is(leat, run, "ready", "no worker of pool moon is active")
    assert pool(leat, "moon")["description"] == "far away"
    again = leat.json("apply", both)
    assert [(item["kind"], item["action"]) for item in again] == [("pool", "unchanged"), ("pipeline", "unchanged")]
    refused = leat.leat("pool", "remove", "moon")
    assert refused.returncode == 4 and "pipeline far names it" in refused.stderr
    leat.ok("cancel", run)
    assert leat.wait_run(run)["state"] == "cancelled"
    leat.ok("delete", "far")
    leat.ok("pool", "remove", "moon")
    assert leat.leat("pool", "show", "moon").returncode == 3
    wrong = leat.leat("apply", leat.file("wrong.yaml", "kind: pool\nname: moon\nslots: 1000001\npath: bin\n"))
    assert wrong.returncode != 0 and "at most 1000000" in wrong.stderr and "absolute folders" in wrong.stderr


def test_show_says_of_what_no_worker_has_enough(leat):
    """Waiting for capacity would be no answer: nothing that runs gives it back."""
    asks = {"slots": ("{slots: 999}", "wants 999 slots, and no worker of pool default has more than "),
            "cores": ("{cpu: 4000.5}", "wants 4000.5 cores, and no worker of pool default has more than "),
            "memory": ("{memory: 900TiB}", "wants 900 TB of memory, and no worker of pool default has more than "),
            "gpus": ("{gpu: 900}", "wants 900 GPUs, and no worker of pool default has more than ")}
    rows = "".join(f"  {name}: {{command: ['true'], resources: {ask}}}\n" for name, (ask, _) in asks.items())
    leat.apply("name: huge\nsteps:\n" + rows + "  boxed: {image: x, executor: docker, command: ['true']}\n  fits: {executor: noop}\n")
    run = leat.json("run", "huge")["id"]
    until(lambda: {s["name"]: s["state"] for s in leat.json("show", run)["steps"]}["fits"] == "succeeded", what="the one that fits")
    why = {s["name"]: (s["state"], s["reason"]) for s in leat.json("show", run)["steps"]}
    for name, (_, words) in asks.items():
        state, reason = why[name]
        assert state == "ready" and reason.startswith(words) and reason != words, reason
    assert why["boxed"] == ("ready", "wants the executor docker, which no worker of pool default has")
    leat.ok("cancel", run)
    assert leat.wait_run(run)["state"] == "cancelled"
