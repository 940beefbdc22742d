"""A second scheduler stands by and takes over within 5 s; a leader that was stopped and comes back changes nothing."""
import contextlib
import json
import os
import pathlib
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


def bells(leat):
    """The doorbells that somebody listens at, by the names of their files."""
    inodes = set()
    for name in ("leat-scheduler", "leat-worker", "leat-api"):
        for pid in leat.pids(name):
            for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    inodes.add(os.readlink(fd).removeprefix("socket:[").rstrip("]"))
    rows = [line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()]
    return {row[7].rpartition("/")[2] for row in rows if len(row) == 8 and row[6] in inodes and "," in row[7]}


def test_readers_are_rung_for_after_many_deaths(leat):
    """Each leaves its doorbells behind. Who takes them away takes no living reader's: that one would see what comes at
    its next look, a second later, for as long as it lives."""
    for _ in range(3):
        before = epoch(leat)
        leat.kill("leat-scheduler")
        until(lambda: epoch(leat) > before, what="the next leader, which listens beside what the dead one left")
        check(leat, start(leat))
        time.sleep(2.1)  # what a dead one has left may be taken away by then
    check(leat, start(leat))
    heard = bells(leat)
    assert {name.partition(",")[0] for name in heard} >= {"leat.commands", "leat.events", "leat.reports", "leat.changes", "leat.orders.local"}
    assert heard <= {file.name for file in (leat.data / "run" / "doorbells").iterdir()}
