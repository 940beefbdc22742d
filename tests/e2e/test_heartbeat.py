"""Steps that must touch LEAT_PROGRESS: who falls silent is ended and tried again, and who is well goes on whatever
becomes of its worker."""
import time

import leat as leat_module

SAID = "heartbeat: its program did not touch LEAT_PROGRESS for"
LIVELY = """
name: lively
steps:
  work:
    heartbeat: 3s
    command: [sh, -c, 'for i in $(seq 120); do touch $LEAT_PROGRESS; sleep 0.1; done; echo whole']
"""
ENDS = """
name: ends
steps:
  silent: {heartbeat: 1s, grace: 1s, allow_failure: true, command: [sleep, "3600"]}
  slow:   {timeout: 1s, grace: 1s, allow_failure: true, command: [sleep, "3600"]}
  not-meant:
    heartbeat: 1s
    grace: 1s
    allow_failure: true
    retry: {attempts: 3, on: [failed]}
    command: [sleep, "3600"]
"""


def run(leat, pipeline):
    return leat.json("run", pipeline)["id"]


def by_name(shown):
    return {step["name"]: step for step in shown["steps"]}


def test_who_falls_silent_is_tried_again(leat):
    leat.ok("apply", str(leat_module.ROOT / "examples" / "shapes" / "heartbeat.yaml"))
    shown = leat.wait_run(run(leat, "shapes-heartbeat"))
    step = by_name(shown)["fetch"]
    assert shown["state"] == "succeeded" and step["attempt"] == 2
    first = leat.sql("SELECT reason FROM attempt_done WHERE state = 'timed_out'")
    assert first == [[f"{SAID} 2 s"]]


def test_it_is_told_apart_from_a_timeout(leat):
    leat.apply(ENDS)
    steps = by_name(leat.wait_run(run(leat, "ends")))
    assert steps["silent"]["reason"] == f"{SAID} 1 s"
    assert steps["slow"]["reason"] == "timed out after 1 s"
    assert steps["not-meant"]["reason"] == f"{SAID} 1 s" and steps["not-meant"]["attempt"] == 1


def test_a_worker_that_is_killed_ends_nobody(leat):
    leat.apply(LIVELY)
    started = run(leat, "lively")
    leat_module.until(lambda: by_name(leat.json("show", started))["work"]["state"] == "running")
    for _ in range(2):
        time.sleep(1)
        leat.kill("leat-worker")
    shown = leat.wait_run(started)
    assert shown["state"] == "succeeded", by_name(shown)["work"]["reason"]
    assert by_name(shown)["work"]["attempt"] == 1 and leat.ok("logs", started, "work").strip() == "whole"
