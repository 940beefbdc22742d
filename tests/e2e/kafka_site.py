"""Leat on real brokers for a test: `leat up` and daemons beside it, each started alone with a file of settings; events
sent as a good sender does; what happened told by others than Leat (the effect ledger, Postgres, the brokers)."""
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

from leat import ROOT, Leat, request, signal_all, until

sys.path.insert(0, str(ROOT / "dev"))
from parts import part  # noqa: E402
from parts.base import start_time  # noqa: E402

SOURCES = "{kind: source, name: ce, provider: cloudevents, secret: s}\n"
HEADERS = {"Content-Type": "application/cloudevents+json", "Authorization": "Bearer sesame"}
STEADY = """
name: steady
on: {event: {type: dev.example.steady}}
steps:
  one: {command: [sh, -c, 'echo "$LEAT_RUN_ID one $LEAT_ATTEMPT_ID" >> LEDGER; sleep 0.7; while [ -e LEDGER.held ]; do sleep 0.1; done']}
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


def envelope(ident, kind, data=None):
    return json.dumps({"specversion": "1.0", "id": ident, "source": "/t", "type": kind, "data": data or {}}).encode()


class Site:
    """Brokers, one `leat up` on them, a second scheduler, workers w2 and w3."""

    def __init__(self, slots=4, extra=(), **settings):
        self.broker = part("kafka", pathlib.Path(tempfile.mkdtemp(prefix="leat-ke-")), settings)
        self.alone = {}
        self.leat = None
        try:
            self.bus = "kafka://" + self.broker.up()["KAFKA"]
            self.leat = Leat(slots=slots, extra=["--bus", self.bus, *extra])
        except BaseException:
            self.remove()
            raise

    def up(self):
        self.leat.up()
        self.leat.ok("secret", "set", "s", stdin="sesame")
        self.leat.apply(SOURCES, "sources.yaml")
        for text in (STEADY, WIDE, LONG, BURST, MARKED):
            self.leat.apply(text.replace("LEDGER", str(self.leat.ledger)))
        self.start_scheduler("second")
        for name in ("w2", "w3"):
            self.start("leat-worker", name, f"name = {name}\ndata = {self.leat.work}/{name}\nstore = {self.leat.data}/store\n"
                       f"slots = {self.leat.slots}\npath = {self.leat.path}\napi = {self.leat.api}\ntoken-file = {self.leat.data}/token\n")
        until(lambda: len(self.active()) == 3, 120, what="three active workers")
        return self

    @contextlib.contextmanager
    def steady_held(self):
        """Meanwhile no first step of steady ends."""
        file = self.leat.ledger.with_suffix(".held")
        file.touch()
        try:
            yield
        finally:
            file.unlink()

    def active(self):
        return [w for w in self.leat.json("workers") if w["state"] == "active"]

    def start_scheduler(self, name):
        self.start("leat-scheduler", name, f"database = host={self.leat.data}/run port=5432 user=leat dbname=leat\nnode = {name}\n")

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
        if self.leat:
            signal_all(signal.SIGKILL, self.keepers())
            self.leat.remove()
        self.broker.kill()
        self.broker.remove()
        self.broker.folder.parent.rmdir()

    def keepers(self):
        """Of the workers beside `leat up`."""
        return self.leat.pids("leat-keeper", self.leat.work)

    def kill_supervised(self, name):
        """The one that `leat up` started and starts again; those beside it go on."""
        alone = {process.pid for process in self.alone.values()}
        pids = until(lambda: [pid for pid in self.leat.pids(name) if pid not in alone], what=f"the supervised {name}")
        assert len(pids) == 1, pids
        os.kill(pids[0], signal.SIGKILL)
        until(lambda: not start_time(pids[0]), what="its end")

    # ---- events ---------------------------------------------------------------------------------

    def event(self, ident, kind, data=None, timeout=30):
        return request("POST", f"{self.leat.hooks}/hooks/ce", envelope(ident, kind, data), HEADERS, timeout)

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

    # ---- what is looked at ----------------------------------------------------------------------

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

    def begin_long(self):
        """A run whose step runs for 20 s."""
        run = json.loads(self.leat.ok("run", "long", "-o", "json"))["id"]
        until(lambda: any(line[0] == run for line in self.leat.ledger_lines()), what="the long step")
        return run

    def leader(self):
        """(pid, epoch)"""
        holder, epoch = self.leat.sql("SELECT holder, epoch FROM leader")[0]
        return int(holder.rpartition("/")[2]), int(epoch)

    def leading(self):
        """The same once it is one that lives."""
        def living():
            leader = self.leader()
            return leader if leader[0] in self.leat.pids_of("leat-scheduler") else None
        return until(living, what="a leader that lives")

    def check_at_rest(self):
        """I13: every record that the brokers hold of what the leader reads has been taken in, by the brokers' own word."""
        def behind():
            read = {(topic, int(n)): int(offset) for topic, n, offset in self.leat.sql(
                "SELECT topic, partition, next FROM read_offset WHERE topic IN ('leat.events', 'leat.commands')")}
            return {at: (end, read.get(at, 0)) for at, end in self.ends("leat.events", "leat.commands").items()
                    if end != read.get(at, 0)}
        until(lambda: not behind(), what=f"offsets in Postgres that are the brokers' ends: {behind()}")

    def ends(self, *topics):
        """{(topic, partition): end offset}, as the brokers say."""
        listed = {t["topic"]: t["partitions"] for t in self.broker.metadata()["topics"]}
        at = [(topic, p["partition"]) for topic in topics for p in listed[topic]]
        words = [w for topic, n in at for w in ("-t", f"{topic}:{n}:-1")]
        done = subprocess.run(["kcat", "-b", self.broker.listed("kafka"), "-Q", *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        found = {}
        for line in done.stdout.splitlines():  # leat.events [0] offset 12
            topic, n, _, offset = line.split()
            found[topic, int(n.strip("[]"))] = int(offset)
        assert set(found) == set(at), done.stdout
        return found


class Load:
    """Events from several senders at once, each repeated until it is answered 202, over one connection while it holds:
    `count` of them, or as many as there are until `end`."""

    def __init__(self, site, clients, count=None, pause=0.0):
        self.site, self.pause = site, pause
        self.numbers = iter(range(count)) if count else itertools.count()
        self.answered, self.late, self.ended = {}, set(), threading.Event()  # {n: (event, when)}
        self.asked, self.refused = {}, {}  # {n: when what was answered 202 was sent}, {sender: when it was last answered 503}
        self.wrong = []
        self.threads = [threading.Thread(target=self.send_all) for _ in range(clients)]
        for each in self.threads:
            each.start()

    def send_all(self):
        connection = None
        try:
            for n in self.numbers:
                connection = self.send(connection, n)
                if self.ended.wait(self.pause):
                    return
        except Exception as error:  # shown by end()
            self.wrong.append(error)

    def send(self, connection, n):
        end = time.monotonic() + 120
        while True:
            assert time.monotonic() < end, f"event {n} is never taken"
            try:
                self.asked[n] = time.monotonic()
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.site.leat.hooks_port, timeout=30)
                connection.request("POST", "/hooks/ce", envelope(f"burst-{n}", "dev.example.burst", {"n": n}), HEADERS)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.1)
                continue
            if answer.status == 202:
                self.answered[n] = (json.loads(text)["event"], time.monotonic())
                return connection
            assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0, (answer.status, text)
            self.late.add(n)
            self.refused[threading.get_ident()] = time.monotonic()
            time.sleep(0.5)

    def end(self):
        """When what was begun is answered."""
        self.ended.set()
        self.join()

    def join(self):
        for each in self.threads:
            each.join()
        assert not self.wrong, self.wrong

    def between(self, begin, end):
        return [n for n, (_, when) in list(self.answered.items()) if begin < when < end]

    def sent_and_taken(self, begin, end):
        """Sent after `begin`, answered 202 before `end`."""
        return [n for n in self.between(begin, end) if self.asked[n] > begin]

    def all_refused(self, begin):
        """Each sender has had a 503 since then."""
        return sum(when > begin for when in list(self.refused.values())) == len(self.threads)

    def check(self, seconds=180):
        """I1: every event has exactly the runs that its triggers say, each of which succeeded and ran its step once."""
        leat, count = self.site.leat, len(self.answered)
        assert set(self.answered) == set(range(count))
        events = {n: event for n, (event, _) in self.answered.items()}
        assert len(set(events.values())) == count
        marked = {events[n] for n in range(0, count, 10)}
        done = "FROM run_done WHERE pipeline IN ('burst', 'marked')"
        until(lambda: int(leat.sql(f"SELECT count(*) {done}")[0][0]) >= count + len(marked), seconds, every=0.5, what="every run")
        self.site.check_at_rest()  # nothing is on its way that could become a run too many
        per_event = leat.sql(f"SELECT event, pipeline, count(*), bool_and(state = 'succeeded') {done} GROUP BY 1, 2")
        assert [row for row in per_event if row[2:] != ["1", "t"]] == []
        assert {e for e, p, _, _ in per_event if p == "burst"} == set(events.values())
        assert {e for e, p, _, _ in per_event if p == "marked"} == marked
        assert leat.sql("SELECT count(*) FROM run_live WHERE pipeline IN ('burst', 'marked')") == [["0"]]
        ran = [line for line in leat.ledger_lines() if line[1] == "marked"]
        assert len(ran) == len({line[0] for line in ran}) == len(marked)
