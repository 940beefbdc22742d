"""A second scheduler stands by and takes over within 5 s; a leader that was stopped and comes back changes nothing."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
from leat import BUILD, Leat, in_background, signal_all, sockets, stalled, until

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


def stands_by(leat):
    """One that looks at the leader's beat has done so for as long as a look takes and longer."""
    return leat.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'leat-scheduler' AND query LIKE '%FROM leader l, leader_beat b%'"
                    " AND query_start > backend_start + interval '0.9 s'")


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
        until(lambda: stands_by(leat), what="the standby stands by")
        run = start(leat)
        leading, before = int(holder(leat).rpartition("/")[2]), epoch(leat)
        waited, began = stalled(), time.monotonic()
        signal_all(fault, [leading])
        try:
            until(lambda: epoch(leat) > before, what="a new epoch")
            took, waited = time.monotonic() - began, stalled() - waited
            assert took < 5 + waited, f"the takeover took {took:.1f} s, in {waited:.1f} s of which somebody waited for a processor"
            check(leat, run)
        finally:
            signal_all(signal.SIGCONT, [leading])
        check(leat, start(leat))
    finally:
        second.kill()
        second.wait()
    check(leat, start(leat))


def test_who_waits_for_a_run_outwaits_a_time_without_a_leader(leat):
    """The queue has the command, and whoever leads next runs it: that nobody knows of it yet is no answer."""
    done = []
    leat.kill("leat-scheduler", signo=signal.SIGSTOP)
    try:
        waits = [in_background(lambda option=option: done.append(leat.leat("run", "steady", option, timeout=180))) for option in ("--wait", "--follow")]
        time.sleep(1)
        assert leat.json("run", "steady")["state"] == "unknown", "after 5 s, so theirs is too"
        time.sleep(1)
    finally:
        leat.kill("leat-scheduler", signo=signal.SIGCONT)
    for each in waits:
        each.join(180)
    assert [each.returncode for each in done] == [0, 0], done


def bells(leat):
    """The doorbells that somebody listens at, by the names of their files."""
    inodes = {inode for name in ("leat-scheduler", "leat-worker", "leat-api") for pid in leat.pids(name) for inode in sockets(pid)}
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
