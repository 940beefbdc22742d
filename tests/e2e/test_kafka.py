"""All of Leat on a real Kafka broker, two schedulers and three workers: it runs pipelines; each daemon may be killed; a
leader that was stopped and comes back changes nothing; a broker that dies in a burst loses and doubles nothing; what is
away comes back and everything goes on by itself."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from leat import ROOT, Leat, request, until

sys.path.insert(0, str(ROOT / "dev"))
from parts import part  # noqa: E402

SOURCES = "{kind: source, name: ce, provider: cloudevents, secret: s}\n"
STEADY = """
name: steady
on: {event: {type: dev.example.steady}}
steps:
  one: {command: [sh, -c, 'echo "$LEAT_RUN_ID one $LEAT_ATTEMPT_ID" >> LEDGER; sleep 0.7']}
  two: {needs: [one], command: [sh, -c, 'echo "$LEAT_RUN_ID two $LEAT_ATTEMPT_ID" >> LEDGER; sleep 0.3']}
  three: {needs: [two], command: [sh, -c, 'echo "$LEAT_RUN_ID three $LEAT_ATTEMPT_ID" >> LEDGER']}
"""
WIDE = "name: wide\nsteps:\n" + "".join(
    f"  s{i}: {{command: [sh, -c, 'echo \"$LEAT_RUN_ID s{i} $LEAT_ATTEMPT_ID\" >> LEDGER; sleep 0.5']}}\n" for i in range(24))
LONG = """
name: long
steps: {one: {command: [sh, -c, 'echo "$LEAT_RUN_ID one $LEAT_ATTEMPT_ID" >> LEDGER; sleep 20']}}
"""
BURST = "name: burst\non: {event: {type: dev.example.burst}}\nsteps: {one: {executor: noop}}\n"
MARKED = """
name: marked
on: {event: {type: dev.example.burst, filter: "event.data.n % 10 == 0"}}
steps: {one: {command: [sh, -c, 'echo "$LEAT_RUN_ID marked $LEAT_ATTEMPT_ID" >> LEDGER']}}
"""


class Site:
    """One broker, one `leat up` on it, and daemons beside it, each started alone with a file of settings."""

    def __init__(self):
        self.broker = part("kafka", pathlib.Path(tempfile.mkdtemp(prefix="leat-ke-")), {})
        self.bus = "kafka://" + self.broker.up()["KAFKA"]
        self.leat = Leat(slots=4, extra=["--bus", self.bus])
        self.alone = {}

    def up(self):
        self.leat.up()
        self.leat.ok("secret", "set", "s", stdin="sesame")
        self.leat.apply(SOURCES, "sources.yaml")
        for text in (STEADY, WIDE, LONG, BURST, MARKED):
            self.leat.apply(text.replace("LEDGER", str(self.leat.ledger)))
        data = self.leat.data
        self.start("leat-scheduler", "second", f"database = host={data}/run port=5432 user=leat dbname=leat\nnode = second\n")
        for name in ("w2", "w3"):
            self.start("leat-worker", name, f"name = {name}\ndata = {self.leat.work}/{name}\nstore = {data}/store\nslots = 4\n"
                       f"api = {self.leat.api}\ntoken-file = {data}/token\n")
        until(lambda: len(self.active()) == 3, 60, what="three active workers")
        return self

    def active(self):
        return [w for w in self.leat.json("workers") if w["state"] == "active"]

    def start(self, program, name, settings):
        file = self.leat.file(f"{name}.conf", f"bus = {self.bus}\n{settings}")
        command = [str(self.leat.data / "bin" / program), "--config", str(file)]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=leat", "--regid=leat", "--init-groups", *command]
        env = {k: v for k, v in self.leat.env.items() if k != "LEAT_LISTEN"}
        with (self.leat.work / f"{name}.log").open("ab") as log:
            self.alone[name] = subprocess.Popen(command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def remove(self):
        for process in self.alone.values():
            process.kill()
            process.wait()
        for pid in self.keepers():
            os.kill(pid, signal.SIGKILL)
        self.leat.remove()
        self.broker.remove()
        self.broker.folder.parent.rmdir()

    def keepers(self):
        """Of the workers beside `leat up`."""
        return self.leat.pids("leat-keeper", self.leat.work)

    def kill_supervised(self, name):
        """The one that `leat up` started and starts again; those beside it go on."""
        alone = {process.pid for process in self.alone.values()}
        pids = [pid for pid in self.leat.pids(name) if pid not in alone]
        assert len(pids) == 1, pids
        os.kill(pids[0], signal.SIGKILL)

    # ---- what is looked at ----------------------------------------------------------------------

    def event(self, ident, kind, data=None, timeout=30):
        body = json.dumps({"specversion": "1.0", "id": ident, "source": "/t", "type": kind, "data": data or {}}).encode()
        return request("POST", f"{self.leat.hooks}/hooks/ce", body, {"Content-Type": "application/cloudevents+json",
                                                                    "Authorization": "Bearer sesame"}, timeout)

    def deliver(self, ident, kind="dev.example.steady", data=None, seconds=60):
        """The same delivery until it is answered 202."""
        def one():
            try:
                answer = self.event(ident, kind, data)
            except OSError:
                return None
            assert answer.status in (202, 503), answer.body
            assert answer.status == 202 or int(answer.headers["Retry-After"]) > 0
            return answer.json()["event"] if answer.status == 202 else None
        return until(one, seconds, every=0.2, what=f"a 202 for {ident}")

    def check_once(self, run, steps):
        """It succeeded and each step ran once."""
        shown = self.leat.wait_run(run, 120)
        assert shown["state"] == "succeeded", shown
        ran = sorted(line[1] for line in self.leat.ledger_lines() if line[0] == run)
        assert ran == sorted(steps), ran

    def check_steady(self, event):
        runs = self.leat.event_runs(event, 90)
        assert len(runs) == 1, runs
        self.check_once(runs[0], ["one", "two", "three"])

    def leader(self):
        holder, epoch = self.leat.sql("SELECT holder, epoch FROM leader")[0]
        return int(holder.rpartition("/")[2]), int(epoch)


@pytest.fixture(scope="module")
def site():
    made = Site()
    try:
        yield made.up()
    finally:
        made.remove()


def test_steps_run_on_all_three_workers(site):
    run = json.loads(site.leat.ok("run", "wide", "--wait", "-o", "json", timeout=120))["id"]
    site.check_once(run, [f"s{i}" for i in range(24)])
    used = site.leat.sql(f"SELECT DISTINCT worker FROM step_result WHERE run = '{run}'")
    assert sorted(w for w, in used) == ["local", "w2", "w3"]


def test_workers_hold_no_login_of_postgres(site):
    for pid in site.leat.pids_of("leat-worker"):
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"database" not in words and b"dbname" not in words
        sockets = {os.readlink(f) for f in pathlib.Path(f"/proc/{pid}/fd").iterdir() if f.is_symlink()}
        assert not any(".s.PGSQL" in s for s in sockets)
    for name in ("w2", "w3"):
        assert "dbname" not in (site.leat.work / f"{name}.conf").read_text()


def test_status_says_what_this_survives(site):
    def status():
        shown = request("GET", f"{site.leat.api}/api/v1/status").json()
        return shown if shown["bus"]["lag"] == 0 else None
    shown = until(status, 30, what="a queue that is read to its end")
    assert shown["bus"]["backend"] == "kafka"
    assert shown["class"] == "survives process crashes"  # one broker: one copy


def test_the_doctor_looks_at_the_brokers(site):
    shown = json.loads(site.leat.leat("doctor", "--data", site.leat.data, "-o", "json").stdout)
    bus = next(finding for finding in shown if finding["what"] == "bus")
    assert bus["level"] == "ok" and "1 brokers" in bus["why"] and "not power loss" in bus["why"], bus


@pytest.mark.parametrize("daemon", ["leat-scheduler", "leat-worker", "leat-triggers", "leat-api"])
def test_kill_9_of_each_daemon_with_work_under_way(site, daemon):
    before = site.deliver(f"{daemon}-before")
    run = site.leat.event_runs(before)[0]
    until(lambda: any(line[0] == run for line in site.leat.ledger_lines()), what="a running step")
    site.kill_supervised(daemon)
    after = site.deliver(f"{daemon}-after")
    site.check_steady(before)
    site.check_steady(after)


def test_a_leader_stopped_for_longer_than_its_lease_changes_nothing(site):
    until(lambda: site.leader()[0] in site.leat.pids_of("leat-scheduler"), 30, what="a leader that lives")
    events = [site.deliver(f"zombie-{i}") for i in range(6)]
    pid, epoch = site.leader()
    os.kill(pid, signal.SIGSTOP)
    try:
        events += [site.deliver(f"zombie-{i}") for i in range(6, 9)]
        until(lambda: site.leader()[1] > epoch, 15, what="another leader")
        time.sleep(12)
        events += [site.deliver(f"zombie-{i}") for i in range(9, 12)]
    finally:
        os.kill(pid, signal.SIGCONT)
    for event in events:
        site.check_steady(event)
    assert all(process.poll() is None for name, process in site.alone.items() if process.pid != pid)
    until(lambda: pid not in site.leat.pids_of("leat-scheduler"), 20, what="the end of the old leader")
    now = site.leader()
    assert now[1] == epoch + 1 and now[0] != pid


def push(site, numbers, answered, late):
    """Each of these events until it is answered 202, over one connection while it holds."""
    connection = None
    for n in numbers:
        body = json.dumps({"specversion": "1.0", "id": f"burst-{n}", "source": "/t", "type": "dev.example.burst", "data": {"n": n}})
        end = time.monotonic() + 120
        while True:
            assert time.monotonic() < end, f"event {n} is never taken"
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", site.leat.hooks_port, timeout=30)
                connection.request("POST", "/hooks/ce", body, {"Content-Type": "application/cloudevents+json",
                                                               "Authorization": "Bearer sesame"})
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                connection = None
                continue
            if answer.status == 202:
                answered[n] = json.loads(text)["event"]
                break
            assert answer.status == 503 and answer.headers["Retry-After"], (answer.status, text)
            late.add(n)
            time.sleep(0.5)


def test_a_broker_that_dies_in_a_burst_of_10_000_events(site):
    count, clients, answered, late = 10000, 16, {}, set()
    began = time.monotonic()

    def strike():
        until(lambda: len(answered) > count // 4, 60, what="a quarter of the burst")
        site.broker.kill()
        time.sleep(8)
        site.broker.up()
    striker = threading.Thread(target=strike)
    striker.start()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda c: push(site, range(c, count, clients), answered, late), range(clients)))
    striker.join()
    took = time.monotonic() - began
    assert len(set(answered.values())) == count
    assert late, "the broker's death struck nothing"
    leat = site.leat
    until(lambda: leat.sql("SELECT count(*) FROM run_done WHERE pipeline IN ('burst', 'marked')") == [[str(count + count // 10)]],
          180, every=1, what="every run")
    time.sleep(3)
    per_event = leat.sql("SELECT event, pipeline, count(*), bool_and(state = 'succeeded') FROM run_done "
                         "WHERE pipeline IN ('burst', 'marked') GROUP BY 1, 2")
    assert all(n == "1" and fine == "t" for _, _, n, fine in per_event)
    assert {e for e, p, _, _ in per_event if p == "burst"} == set(answered.values())
    assert {e for e, p, _, _ in per_event if p == "marked"} == {answered[n] for n in range(0, count, 10)}
    ran = [line for line in leat.ledger_lines() if line[1] == "marked"]
    assert len(ran) == count // 10 and len({line[0] for line in ran}) == count // 10
    print(f"{count} events in {took:.0f} s, {len(late)} first answered 503, every one has its run")


def wait_away(site, seconds, what):
    """While something is away: each hook is answered in time, 202 or 503 with Retry-After. Returns what was taken."""
    end, taken, refused, n = time.monotonic() + seconds, [], 0, 0
    while time.monotonic() < end:
        n += 1
        asked = time.monotonic()
        answer = site.event(f"{what}-{n}", "dev.example.steady", timeout=20)
        assert time.monotonic() - asked < 9, "an answer came late"
        assert answer.status in (202, 503), answer.body
        if answer.status == 202:
            taken.append(answer.json()["event"])
        else:
            refused += 1
            assert int(answer.headers["Retry-After"]) > 0
        time.sleep(3)
    return taken, refused


def begin_long(site):
    run = json.loads(site.leat.ok("run", "long", "-o", "json"))["id"]
    until(lambda: any(line[0] == run for line in site.leat.ledger_lines()), what="the long step")
    return run


def test_the_broker_is_away_for_60_s(site):
    run = begin_long(site)
    site.broker.kill()
    taken, refused = wait_away(site, 60, "broker")
    assert not taken and refused >= 5
    site.broker.up()
    site.check_steady(site.deliver("broker-back", seconds=15))
    site.check_once(run, ["one"])


def test_postgres_is_away_for_60_s(site):
    """The queue goes on taking events: they run when Postgres is back."""
    run = begin_long(site)
    leat = site.leat
    postmaster = int((leat.data / "postgres" / "postmaster.pid").read_text().split()[0])
    children = pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    stopped = [postmaster, *map(int, children)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        taken, _ = wait_away(site, 60, "postgres")
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert taken
    site.check_steady(site.deliver("postgres-back", seconds=30))
    for event in taken:
        site.check_steady(event)
    site.check_once(run, ["one"])
