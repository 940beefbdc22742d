"""The crash matrix of the leader on a real Kafka, with two schedulers and three workers: at every failpoint of the scheduler
it is killed by kill -9, and it is stopped for longer than a takeover takes and then goes on as a zombie. Every shape of a
pipeline (the files of examples/shapes as they are) and a stream of events are under way. The other one has committed within
5 s; in the end nothing is lost or doubled, by the effect ledger, Postgres and the brokers' end offsets."""
import itertools
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
from kafka_site import Load, Site
from leat import ROOT, request, signal_all, stalled, until
from test_crash import AT_BIRTH, AT_START, POINTS

TAKEOVER_S = 5
SHAPES = ROOT / "examples" / "shapes"
# Every step that the examples have says so to the ledger, by the PATH of the workers; but for one of an example that has a
# PATH of its own.
SILENT = {"shapes-pool"}
WRAPPED = ("sh", "echo", "false", "cat")
WRAPPER = """#!/bin/dash
if [ -z "$LEDGERED" ] && [ -n "$LEAT_ATTEMPT_ID" ]; then
    echo "$LEAT_RUN_ID $LEAT_STEP $LEAT_ATTEMPT_ID" >> {ledger}
    sleep 0.3
fi
LEDGERED=1 exec /bin/{program} "$@"
"""
HOLD = "name: hold\nsteps: {one: {command: [sh, -c, 'while [ -e HELD ]; do sleep 0.1; done']}}\n"
SCHEDULERS = [name for name, process in POINTS if process == "scheduler" and name not in AT_BIRTH]


# What the examples wait for, and those whose runs give way to each other.
ANSWERS = {
    "shapes-wait": lambda site, run: site.deliver(f"checked-{run}", "dev.example.checked", {"run": run, "most": 1, "who": "a test"}),
    "shapes-approval": lambda site, run: site.leat.ok("approve", run, "ask", "--by", "anna"),
}
ENDS = {"shapes-concurrency": {"succeeded", "cancelled", "skipped"}}


class Watch(threading.Thread):
    """Who leads and how many batches it has committed, looked at without a pause: [(when, epoch, tx_seq)]."""

    def __init__(self, leat):
        super().__init__(daemon=True)
        self.seen = []
        self.process = subprocess.Popen(["psql", "-h", leat.data / "run", "-p", "5432", "-U", "leat", "-d", "leat", "-XAtq"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write("SELECT 'at', extract(epoch FROM clock_timestamp()), epoch, tx_seq FROM leader \\watch 0.05\n")
        self.process.stdin.flush()
        self.start()

    def run(self):
        for line in self.process.stdout:
            if line.startswith("at|"):
                _, when, epoch, tx_seq = line.strip().split("|")
                self.seen.append((float(when), int(epoch), int(tx_seq)))

    def took_over(self, epoch):
        """When a leader after `epoch` was first seen to have committed a batch; None = not yet."""
        first = None
        for when, its, tx_seq in self.seen:
            if its > epoch:
                first = first or (its, tx_seq)
                if (its, tx_seq) > first:
                    return when
        return None

    def end(self):
        self.process.kill()
        self.process.wait()


class Matrix(Site):
    """With the examples, a stream of events, and what the strikes need."""

    def __init__(self):
        self.watch = self.load = None
        self.runs, self.took = [], {}
        super().__init__(slots=16)
        self.held = self.leat.work / "held"
        wrappers = self.leat.work / "wrappers"
        wrappers.mkdir()
        for program in WRAPPED:
            (wrappers / program).write_text(WRAPPER.format(ledger=self.leat.ledger, program=program))
            (wrappers / program).chmod(0o755)
        self.leat.path = f"{wrappers}:{self.leat.path}"

    def up(self):
        super().up()
        self.leat.ok("apply", SHAPES)
        self.leat.apply(HOLD.replace("HELD", str(self.held)))
        self.every_shape = sorted(p["name"] for p in self.leat.json("pipelines") if p["name"].startswith("shapes-"))
        self.shapes = itertools.cycle(self.every_shape)
        self.watch = Watch(self.leat)
        self.load = Load(self, 3, pause=0.1)
        return self

    def remove(self):
        if self.load:
            self.load.ended.set()
        if self.watch:
            self.watch.end()
        super().remove()

    # ---- live work ------------------------------------------------------------------------------

    def begin(self, *names):
        for name in names:
            body = json.dumps({"pipeline": name, "idempotency_key": f"{name}-{len(self.runs)}"}).encode()
            answer = request("POST", f"{self.leat.api}/api/v1/runs", body, {"Content-Type": "application/json"})
            assert answer.status in (201, 202), answer.body
            self.runs.append((name, answer.json()["id"]))

    def is_running(self, run):
        return self.is_in(run, "running")

    def is_waiting(self, run):
        return self.is_in(run, "waiting")

    def is_in(self, run, state):
        return self.leat.sql(f"SELECT count(*) FROM step_live WHERE run = '{run}' AND state = '{state}'") == [["1"]]

    def between_202_and_inbox(self):
        """Events that the brokers hold and no leader has committed."""
        read = {int(n): int(offset) for n, offset in self.leat.sql(
            "SELECT partition, next FROM read_offset WHERE topic = 'leat.events'")}
        return sum(end - read.get(n, 0) for (_, n), end in self.ends("leat.events").items())

    # ---- schedulers -----------------------------------------------------------------------------

    def stand_by(self):
        """One leads and the other has looked at it: both have run for two seconds, and the one beside `leat up` is started
        again when it has ended."""
        def both():
            if self.alone["second"].poll() is not None:
                self.start_scheduler("second")
            pids = self.leat.pids_of("leat-scheduler")
            return len(pids) == 2 and all(age(pid) > 2 for pid in pids) and self.leader()[0] in pids
        try:
            until(both, 60, what="a leader and a standby")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.said()}") from None
        return self.leader()

    def said(self):
        """Who leads, and the last words of both."""
        logs = [self.leat.work / "second.log", self.leat.data / "log" / "scheduler.log"]
        return "\n".join([f"{self.leader()} leads of {self.leat.pids_of('leat-scheduler')}", *(log.read_text()[-3000:] for log in logs)])

    def lead_beside(self):
        """The same, with the one beside `leat up` as the leader. When it is killed it can be started again at once, and so
        stands by when the other is struck while it takes over; `leat up` waits longer after each death."""
        pid, _ = self.stand_by()
        if pid != self.alone["second"].pid:
            signal_all(signal.SIGKILL, [pid])
            self.stand_by()
        return self.leader()

    def kill_beside(self):
        self.alone["second"].kill()
        self.alone["second"].wait()
        self.start_scheduler("second")


def age(pid):
    try:
        ticks = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def state(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


@pytest.fixture(scope="module")
def site():
    made = Matrix()
    try:
        yield made.up()
    finally:
        made.remove()


@pytest.fixture(autouse=True)
def nothing_stays_struck(site):
    """One that fails half way leaves no point armed, nothing held and nobody stopped for the next."""
    yield
    site.held.unlink(missing_ok=True)
    site.leat.arm()
    for pid in site.leat.pids_of("leat-scheduler"):
        if state(pid) in ("T", "t"):
            signal_all(signal.SIGCONT, [pid])


def strike(site, name, act):
    """Arms the point with work under way and waits until it has struck. (when, stalled() then, victim's pid, its epoch)"""
    leat = site.leat
    (site.lead_beside if name in AT_START else site.stand_by)()
    leat.failpoint_log.write_text("")
    site.held.touch()
    site.begin("hold")
    held = site.runs[-1][1]
    until(lambda: site.is_running(held), what="a running step")
    site.begin(next(site.shapes), next(site.shapes))
    leat.arm(f"{name}:1:{act}")
    if name in AT_START:
        site.kill_beside()
    before = [stalled()]

    def is_struck():
        now = stalled()
        if not leat.struck(name):
            before[0] = now  # the last word of a time when it was not
            return False
        return True
    for last in (False, True):
        try:
            until(is_struck, every=0.01, what=f"{name} is struck: it was never reached")
            break
        except AssertionError as error:
            if last or name not in AT_START:
                raise AssertionError(f"{error}\n{site.said()}") from None
            signal_all(signal.SIGKILL, [site.leader()[0]])  # it had passed to the other in between: who was killed stood by
    struck = leat.failpoint_log.stat().st_mtime
    pid, epoch = site.leader()
    # The log is written just before it dies, and a process takes a moment to be dead.
    until(lambda: state(pid) in (("T", "t") if act == "stop" else (None, "Z")), 10, what=f"{pid} is who was struck")
    until(site.between_202_and_inbox, 10, what="an event between its 202 and the inbox")
    assert site.is_running(held), "no step was running"
    leat.arm()
    return struck, before[0], pid, epoch


@pytest.mark.parametrize("act", ["kill", "stop"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_leader_is_struck_at(site, name, act):
    struck, waited, pid, epoch = strike(site, name, act)
    done = until(lambda: site.watch.took_over(epoch), 60, what="a commit of the other")
    took, waited = done - struck, stalled() - waited
    site.took[name, act] = (took, waited)
    if act == "stop":
        assert state(pid) in ("T", "t"), "the zombie has to outlast the takeover"
        os.kill(pid, signal.SIGCONT)
        until(lambda: state(pid) in (None, "Z"), what="the end of the zombie")
    assert took < TAKEOVER_S + waited, f"the takeover took {took:.1f} s, in {waited:.1f} s of which somebody waited for a processor"


def test_every_point_was_struck(site):
    assert set(site.took) == {(name, act) for name in SCHEDULERS for act in ("kill", "stop")}
    worst = max(site.took.values())
    print(f"{len(site.took)} takeovers, the median in {sorted(site.took.values())[len(site.took) // 2][0]:.1f} s, "
          f"the longest in {worst[0]:.1f} s, with {worst[1]:.1f} s in which somebody waited for a processor")


def test_nothing_was_lost_or_doubled(site):
    leat = site.leat
    site.load.end()
    site.load.check()
    assert {name for name, _ in site.runs} == {"hold", *site.every_shape}, "a shape was never under way"
    for name, run in site.runs:
        if name in ANSWERS:
            until(lambda run=run: site.is_waiting(run), what=f"{name} waits for what is now given")
            ANSWERS[name](site, run)
    for name, run in site.runs:
        assert leat.wait_run(run, 120)["state"] in ENDS.get(name, {"succeeded"}), name
    assert len({run for _, run in site.runs}) == len(site.runs)
    site.check_at_rest()
    # Runs that others have started and did not wait for are among them.
    until(lambda: leat.sql("SELECT (SELECT count(*) FROM run_live), (SELECT count(*) FROM step_live)") == [["0", "0"]], what="the end of all runs")
    # A leader that comes late finds a worker whose lease is over, which refuses what it is given: that had not begun.
    ran = {line[2] for line in leat.ledger_lines()}
    lost = leat.sql("SELECT attempt_id, worker, reason, coalesce(started::text, '-') FROM attempt_done WHERE state = 'lost'")
    print(f"{len(lost)} attempts were given back: {lost}")
    assert [row for row in lost if row[0] in ran or row[3] != "-"] == [], "a worker's work was lost"


def test_each_attempt_ran_once_and_each_result_really_ran(site):
    """The effect ledger against Postgres: of each run the same attempts, each of them once."""
    ours = {run for _, run in site.runs}
    ran = [(line[0], line[2]) for line in site.leat.ledger_lines() if line[0] in ours]
    assert len(ran) == len(set(ran)), "an attempt was executed twice"
    committed = {(run, attempt) for table in ("step_result", "attempt_done") for run, attempt in site.leat.sql(
        f"SELECT run, attempt_id FROM {table} WHERE attempt_id IS NOT NULL AND worker IS NOT NULL AND state <> 'lost'")}
    of_ours = {pair for pair in committed if pair[0] in ours}
    silent = {run for name, run in site.runs if name in SILENT}
    never = {pair for pair in of_ours - set(ran) if pair[0] not in silent}
    assert set(ran) <= of_ours, f"not committed: {set(ran) - of_ours}"
    assert never == set(), f"never ran: {never}"
    assert {run for run, _ in ran} >= {run for name, run in site.runs if name not in ENDS}, "a run of which nothing ran"
