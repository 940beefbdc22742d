"""A second scheduler stands by and takes over within 5 s; a leader that was stopped and comes back changes nothing."""
import json
import os
import signal
import subprocess
import time

import pytest
from leat import BUILD, Leat, signal_all, until

PIPELINE = """
name: steady
steps:
  one: {command: [sh, -c, 'echo "$LEAT_RUN_ID one $LEAT_ATTEMPT_ID" >> LEDGER; sleep 0.2']}
  two: {needs: [one], command: [sh, -c, 'echo "$LEAT_RUN_ID two $LEAT_ATTEMPT_ID" >> LEDGER']}
"""


@pytest.fixture(scope="module")
def leat():
    instance = Leat()
    try:
        instance.up()
        instance.apply(PIPELINE.replace("LEDGER", str(instance.ledger)))
        yield instance
    finally:
        instance.remove()


def standby(leat, node):
    command = [str(leat.data / "bin" / "leat-scheduler"), "--database", f"host={leat.data}/run port=5432 user=leat dbname=leat",
               "--bus", "embedded", "--doorbells", str(leat.data / "run" / "doorbells"), "--node", node]
    if os.getuid() == 0:
        command = ["setpriv", "--reuid=leat", "--regid=leat", "--init-groups", *command]
    log = (leat.work / f"{node}.log").open("ab")
    env = {name: value for name, value in leat.env.items() if name != "LEAT_LISTEN"}
    return subprocess.Popen(command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def epoch(leat):
    return int(leat.sql("SELECT epoch FROM leader")[0][0])


def holder(leat):
    return leat.sql("SELECT holder FROM leader")[0][0]


def check(leat, run):
    assert leat.wait_run(run)["state"] == "succeeded"
    ran = [line[1] for line in leat.ledger_lines() if line[0] == run]
    assert sorted(ran) == ["one", "two"], ran


def start(leat):
    return json.loads(leat.ok("run", "steady", "-o", "json"))["id"]


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["kill -9", "SIGSTOP"])
def test_the_standby_takes_over_within_5_s(leat, fault):
    assert BUILD.exists()
    second = standby(leat, f"second-{fault}")
    try:
        until(lambda: second.poll() is None and time.sleep(1.5) is None, what="the standby stands by")
        leading, before = holder(leat), epoch(leat)
        first = [pid for pid in leat.pids("leat-scheduler") if pid != second.pid and str(pid) in leading] or \
            [pid for pid in leat.pids("leat-scheduler") if pid != second.pid]
        run = start(leat)
        signal_all(fault, first)
        began = time.monotonic()
        until(lambda: epoch(leat) > before, 10, what="a new epoch")
        took = time.monotonic() - began
        assert took < 5, f"takeover took {took:.1f} s"
        check(leat, run)
        if fault == signal.SIGSTOP:
            signal_all(signal.SIGCONT, first)
        check(leat, start(leat))
    finally:
        second.kill()
        second.wait()
    check(leat, start(leat))
