"""at_most_once on real daemons: one process for a step, whoever is killed where; in doubt it has failed and says so."""
import time

import pytest
from leat import until
from test_crash import AT_BIRTH, AT_START, POINTS

ONCE = """
name: once
steps:
  pay:
    at_most_once: true
    command: [sh, -c, 'echo "$LEAT_RUN_ID pay $LEAT_ATTEMPT_ID" >> LEDGER; sleep 0.5; for i in $(seq 600); do test -e HELD || break; sleep 0.1; done; test ! -e BROKEN && echo 7 > "$0" && echo 8 > "$1"', "${{ outputs.n.path }}", "${{ outputs.file.path }}"]
    outputs: {n: {type: integer}, file: {}}
  tell:
    rule: all_done
    command: [echo, "pay ${{ steps.pay.state }}"]
"""
DOUBT = "it may have run, and at_most_once tries nothing twice"
STRUCK = [name for name, process in POINTS if process in ("scheduler", "worker", "keeper") and name not in AT_BIRTH | AT_START]


@pytest.fixture(scope="module")
def once(leat):
    leat.apply(ONCE.replace("LEDGER", str(leat.ledger)).replace("BROKEN", str(leat.work / "broken"))
               .replace("HELD", str(leat.work / "held")))
    return leat


def start(leat):
    return leat.json("run", "once")["id"]


def executions(leat, run):
    return len([line for line in leat.ledger_lines() if line[0] == run])


def pay_of(leat, shown):
    return {step["name"]: step for step in shown["steps"]}["pay"]


def running(leat, run):
    until(lambda: executions(leat, run) == 1, 60, what="pay runs")


def test_it_runs_once(once):
    run = start(once)
    assert once.wait_run(run)["state"] == "succeeded"
    assert executions(once, run) == 1


def test_a_failure_is_not_tried_again_but_a_person_may(once):
    (once.work / "broken").touch()
    run = start(once)
    shown = once.wait_run(run)
    (once.work / "broken").unlink()
    assert shown["state"] == "failed" and pay_of(once, shown)["attempt"] == 1
    assert executions(once, run) == 1
    again = once.json("retry", run)["id"]
    assert once.wait_run(again)["state"] == "succeeded"
    assert executions(once, again) == 1 and executions(once, run) == 1


def test_the_worker_dies_and_its_process_is_followed(once):
    run = start(once)
    running(once, run)
    once.kill("leat-worker")
    assert once.wait_run(run)["state"] == "succeeded"
    assert executions(once, run) == 1


@pytest.fixture
def held(once):
    """It does not end by itself before it is struck."""
    (once.work / "held").touch()
    yield
    (once.work / "held").unlink()


def test_the_keeper_dies_and_it_is_in_doubt(once, held):
    run = start(once)
    running(once, run)
    once.kill("leat-keeper")
    shown = once.wait_run(run)
    assert shown["state"] == "failed" and DOUBT in pay_of(once, shown)["reason"]
    assert executions(once, run) == 1


def test_all_die_at_once(once, held):
    run = start(once)
    running(once, run)
    once.kill("leat-scheduler", "leat-worker", "leat-keeper")
    shown = once.wait_run(run)
    assert shown["state"] == "failed" and DOUBT in pay_of(once, shown)["reason"]
    assert executions(once, run) == 1


def test_killed_between_leave_and_start_it_has_failed(once):
    once.arm("spawn-before:1:kill")
    run = start(once)
    shown = once.wait_run(run)
    once.arm()
    assert once.struck("spawn-before")
    assert shown["state"] == "failed" and DOUBT in pay_of(once, shown)["reason"]
    assert executions(once, run) == 0
    assert {step["name"]: step["state"] for step in shown["steps"]}["tell"] == "succeeded"


@pytest.mark.parametrize("name", [name for name in STRUCK if name != "spawn-before"])
def test_killed_at(once, name):
    once.arm(f"{name}:1:kill")
    run = start(once)
    shown = once.wait_run(run)
    pay, ran = pay_of(once, shown), executions(once, run)
    assert ran <= 1, f"it ran {ran} times"
    if shown["state"] == "succeeded":
        assert ran == 1
    else:
        assert DOUBT in pay["reason"], pay
    until(lambda: once.struck(name) or start_another(once), 60, every=0.5, what=f"{name} is struck: it was never reached")
    once.arm()


def start_another(leat):
    """A point that one run alone does not pass: reached by the next."""
    run = start(leat)
    leat.wait_run(run)
    assert executions(leat, run) <= 1
    time.sleep(0.1)
    return False
