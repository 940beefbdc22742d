"""Workers on other machines (network namespaces of the test's own) that joined over a real Kafka, with TLS and a password at
the brokers and a token at the API; the store is an S3 service. They have no way to Postgres. Each may be killed, and its link
cut for longer than a lease and longer than `lost_after`: each step has one result, each attempt ran once."""
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from leat import ROOT, TERMINAL, Leat, signal_all, until
from machines import Network
from s3client import S3

sys.path.insert(0, str(ROOT / "dev"))
from parts import PartError, part  # noqa: E402
from parts.kafka import PASSWORD, USER  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: network namespaces need root")
SECRET = "kept-from-everybody-7f3a"
TALK = """
name: talk
defaults: {pool: far}
steps:
  write:
    command: [sh, -c, 'echo "$LEAT_RUN_ID write $LEAT_ATTEMPT_ID" >> LEDGER; seq 1000 > "$0"; sha256sum < "$LEAT_SECRETS/far-secret" > "$1"; echo written by $(ip -o -4 addr show eth0 | cut -d" " -f7)', "${{ outputs.table.path }}", "${{ outputs.seen.path }}"]
    secrets: [far-secret]
    outputs: {table: {}, seen: {type: string}}
  read:
    command: [sh, -c, 'echo "$LEAT_RUN_ID read $LEAT_ATTEMPT_ID" >> LEDGER; wc -l < "$0" > "$1"', "${{ inputs.table.path }}", "${{ outputs.lines.path }}"]
    inputs: {table: write.table}
    outputs: {lines: {type: integer}}
  here:
    pool: default
    command: [sh, -c, 'echo "$LEAT_RUN_ID here $LEAT_ATTEMPT_ID" >> LEDGER; tail -1 "$0"', "${{ inputs.table.path }}"]
    inputs: {table: write.table}
"""
# Each execution leaves a line in the ledger and its last sign of life beside it. A second attempt is short.
SLOW = """
name: {name}
steps:
  one:
    pool: far
    lost_after: {lost_after}
    command: [sh, -c, 'echo "$LEAT_RUN_ID one $LEAT_ATTEMPT_ID $(date +%s.%N)" >> LEDGER; [ "$LEAT_ATTEMPT" = 1 ] && n={tenths} || n=5; for i in $(seq $n); do date +%s.%N > "$0/$LEAT_ATTEMPT_ID.new"; mv "$0/$LEAT_ATTEMPT_ID.new" "$0/$LEAT_ATTEMPT_ID"; sleep 0.1; done; echo "done by $LEAT_ATTEMPT_ID"', SIGNS]
"""


class Site:
    def __init__(self):
        self.network = self.leat = None
        self.parts = []
        try:
            self.network = Network()
            self.make()
        except BaseException:
            self.remove()
            raise

    def part(self, name, **settings):
        made = part(name, self.folder, {"host": self.network.address, **settings})
        self.parts.append(made)
        return made.up()

    def make(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="leat-kj-"))
        self.folder.chmod(0o755)
        kafka, s3 = self.part("kafka", secure="1"), self.part("versitygw")
        self.kafka, self.ca = kafka["KAFKA_SECURE"], kafka["KAFKA_CA"]
        S3(s3["VERSITYGW"]).make("leat")
        self.password, self.keys = self.folder / "kafka-password", self.folder / "s3-keys"
        self.password.write_text(f"{PASSWORD}\n")
        self.keys.write_text(f"{s3['VERSITYGW_USER']}:{s3['VERSITYGW_PASSWORD']}\n")
        self.leat = Leat(host=self.network.address, slots=4, extra=[
            "--insecure", "--bus", f"kafka://{self.kafka}", "--bus-tls", "--bus-ca-file", self.ca, "--bus-sasl", "plain",
            "--bus-user", USER, "--bus-password-file", self.password, "--store", "s3://leat", "--store-endpoint", s3["VERSITYGW"],
            "--store-credentials", self.keys])
        self.leat.up()
        self.leat.env["LEAT_TOKEN"] = (self.leat.data / "token").read_text().strip()
        self.leat.ok("secret", "set", "far-secret", stdin=SECRET)
        self.signs = self.leat.work / "signs"
        self.signs.mkdir()
        self.signs.chmod(0o1777)
        self.machines = [self.network.machine(self.leat.folder / name, [self.leat.data]) for name in ("m2", "m3")]

    def apply(self, text):
        self.leat.apply(text.replace("LEDGER", str(self.leat.ledger)).replace("SIGNS", str(self.signs)))

    def join(self, machine):
        token = json.loads(self.leat.ok("token", "create", "--worker", "--pool", "far", "--ttl", "10m", "-o", "json"))["token"]
        return machine.run(machine.folder / "leat", "worker", "join", token, "--api", self.leat.api, "--name", machine.name,
                           "--config", machine.folder / "worker.conf", "--data", machine.folder / "data", "--bus-ca-file", self.ca,
                           "--bus-password-file", self.password, "--store-credentials", self.keys)

    def start(self, machine):
        machine.start("worker", machine.folder / "leat-worker", "--config", machine.folder / "worker.conf")
        until(lambda: self.workers().get(machine.name) == "active", 120, what=f"worker {machine.name}\n{self.log(machine)}")

    def log(self, machine):
        return (machine.folder / "worker.log").read_text()[-3000:]

    def workers(self):
        return {w["id"]: w["state"] for w in self.leat.json("workers")}

    def remove(self):
        if self.network:
            self.network.remove()
        if self.leat:
            self.leat.remove()
        for each in reversed(self.parts):
            each.kill()
            each.remove()
        if self.network:
            self.folder.rmdir() if not list(self.folder.iterdir()) else subprocess.run(["rm", "-r", self.folder], check=True)

    # ---- runs -----------------------------------------------------------------------------------

    def begin(self, name, tenths, lost_after="90s"):
        """A run of one step that goes on for so many tenths of a second. Returns its id when it runs."""
        self.apply(SLOW.format(name=name, tenths=tenths, lost_after=lost_after))
        run = self.leat.json("run", name)["id"]
        until(lambda: self.executions(run), 60, what=f"the step of {name}")
        return run

    def executions(self, run):
        return [line for line in self.leat.ledger_lines() if line[0] == run]

    def attempts(self, run):
        """[(worker, state)] of its step's attempts, the first first."""
        ended = " UNION ALL ".join(f"SELECT attempt, worker, state FROM {table} WHERE run = '{run}'"
                                   for table in ("attempt_done", "step_result"))
        return [(worker, state) for _, worker, state in self.leat.sql(f"{ended} ORDER BY attempt")]

    def check(self, run, ends):
        """It succeeded; its attempts ended so; each was executed once; the one that is committed really ran."""
        shown = self.leat.wait_run(run, 120)
        assert shown["state"] == "succeeded", shown
        assert self.attempts(run) == ends
        ran = [line[2] for line in self.executions(run)]
        assert len(ran) == len(set(ran)) == len(ends), ran
        committed = self.leat.sql(f"SELECT attempt_id FROM step_result WHERE run = '{run}'")
        assert len(committed) == 1 and committed[0][0] == ran[-1]
        assert f"done by {ran[-1]}" in self.leat.ok("logs", run, "one")

    def lives(self, run):
        """[(began, last sign of life)] of its executions."""
        return [(float(began), float((self.signs / attempt).read_text())) for _, _, attempt, began in self.executions(run)]


@pytest.fixture(scope="module")
def site():
    try:
        made = Site()
    except PartError as error:
        if "is built with Go" in str(error):
            pytest.skip(f"SKIPPED: {error}")
        raise
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def joined(site):
    for machine in site.machines:
        done = site.join(machine)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"joined as worker {machine.name}" in done.stdout and "still" not in done.stdout, done.stdout
        with (machine.folder / "worker.conf").open("a") as config:
            config.write("slots = 4\n")
        site.start(machine)
    return site


def test_joining_says_what_is_missing(site, tmp_path):
    """The password of the brokers and the keys of the store are nobody's to send: join says where they go."""
    machine = site.machines[0]
    token = json.loads(site.leat.ok("token", "create", "--worker", "-o", "json"))["token"]
    done = machine.run(machine.folder / "leat", "worker", "join", token, "--api", site.leat.api, "--name", "bare",
                       "--config", machine.folder / "bare.conf")
    assert done.returncode == 0, done.stderr
    for key in ("bus-password-file", "store-credentials"):
        assert key in done.stdout, done.stdout
    again = machine.run(machine.folder / "leat", "worker", "join", token, "--api", site.leat.api, "--name", "twice",
                        "--config", machine.folder / "twice.conf")
    assert again.returncode == 4 and not (machine.folder / "twice.conf").exists(), again.stderr
    for file in ("bare.conf", "bare.conf.token"):
        assert (machine.folder / file).stat().st_mode & 0o077 == 0


def test_a_joined_worker_has_what_it_needs_and_no_more(joined):
    machine = joined.machines[0]
    keys = dict(line.split(" = ", 1) for line in (machine.folder / "worker.conf").read_text().splitlines() if " = " in line)
    assert keys["bus"] == f'"kafka://{joined.kafka}"' and keys["bus-sasl"] == '"plain"' and keys["store"] == '"s3://leat"'
    assert "database" not in keys and PASSWORD not in str(keys) and "leat-secret" not in str(keys)


def psql(*argv):
    return subprocess.run([*argv], capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"], "PGCONNECT_TIMEOUT": "3"})


def test_no_way_leads_from_there_to_postgres(joined):
    """What opens it here opens nothing there; nor does a worker hold a socket to it, or a word of it."""
    leat, machine = joined.leat, joined.machines[0]
    ask = ["psql", "-h", str(leat.data / "run"), "-p", "5432", "-U", "leat", "-d", "leat", "-XAtqc", "SELECT 1"]
    assert psql(*ask).stdout == "1\n", "the control: from here it answers"
    assert psql(*machine.argv(*ask)).returncode == 2
    for host in (joined.network.address, "127.0.0.1"):
        there = psql(*machine.argv("psql", "-h", host, *ask[3:]))
        assert there.returncode == 2 and "refused" in there.stderr, there.stderr
    pid = machine.pid_of("leat-worker")
    for file in ("environ", "cmdline"):
        words = pathlib.Path(f"/proc/{pid}/{file}").read_bytes()
        assert not any(word in words for word in (b"database", b"DATABASE", b"dbname", b"PGHOST", b"postgres")), words
    # It is another machine: it sees its own addresses and the bridge's net, and none of Leat's files.
    assert ".s.PGSQL" not in pathlib.Path(f"/proc/{pid}/net/unix").read_text()
    assert list(pathlib.Path(f"/proc/{pid}/root{leat.data}").iterdir()) == []
    clients = {name for name, in leat.sql("SELECT application_name FROM pg_stat_activity WHERE datname = 'leat'")}
    assert "leat-scheduler" in clients and "leat-worker" not in clients


def test_steps_run_there_with_artifacts_logs_and_secrets(joined):
    joined.apply(TALK)
    leat = joined.leat
    run = leat.json("run", "talk")["id"]
    shown = leat.wait_run(run)
    assert shown["state"] == "succeeded", shown
    steps = {s["name"]: s for s in shown["steps"]}
    assert steps["write"]["worker"] in ("m2", "m3") and steps["read"]["worker"] in ("m2", "m3") and steps["here"]["worker"] == "local"
    assert steps["read"]["outputs"] == {"lines": 1000}
    assert steps["write"]["outputs"]["seen"].split()[0] == hashlib.sha256(SECRET.encode()).hexdigest()
    where = next(m for m in joined.machines if m.name == steps["write"]["worker"])
    assert f"written by {where.address}/24" in leat.ok("logs", run, "write")
    assert leat.ok("logs", run, "here").strip() == "1000"
    leat.ok("artifact", "get", run, "write.table", "-o", leat.folder / "table")
    assert (leat.folder / "table").read_text().splitlines() == [str(n) for n in range(1, 1001)]
    ran = sorted(line[1] for line in joined.executions(run))
    assert ran == ["here", "read", "write"]


def test_the_secret_is_nowhere_there(joined):
    """I12: not in what the machine keeps, nor in what Leat does."""
    found = subprocess.run(["grep", "-rlaF", SECRET, *(str(m.folder) for m in joined.machines), str(joined.leat.data / "log"),
                            str(joined.leat.data / "worker")], capture_output=True, text=True, timeout=60)
    assert found.returncode == 1, found.stdout


@pytest.fixture(autouse=True)
def nothing_stays_down(request):
    """One that fails half way leaves no machine without its worker and none drained for the next."""
    yield
    if "joined" not in request.fixturenames:
        return
    site = request.getfixturevalue("joined")
    for machine in site.machines:
        if machine.processes["worker"].poll() is not None:
            site.start(machine)
    everywhere(site)


def only(site, machine):
    """New steps of the pool go there alone."""
    for each in site.machines:
        site.leat.ok("worker", "resume" if each is machine else "drain", each.name)


def everywhere(site):
    for each in site.machines:
        site.leat.ok("worker", "resume", each.name)


def test_kill_9_of_the_far_worker(joined):
    """Its keeper goes on: the next life follows what runs."""
    machine = joined.machines[0]
    only(joined, machine)
    run = joined.begin("kill-worker", 60)
    os.kill(machine.pid_of("leat-worker"), signal.SIGKILL)
    machine.processes["worker"].wait()
    joined.start(machine)
    joined.check(run, [("m2", "succeeded")])


def test_kill_9_of_everything_on_the_machine(joined):
    """As when its power goes: the attempt is lost and the other machine has it, without waiting for a lease."""
    machine, other = joined.machines
    only(joined, machine)
    run = joined.begin("kill-machine", 600)
    everywhere(joined)
    signal_all(signal.SIGKILL, machine.pids())
    machine.processes["worker"].wait()
    joined.leat.ok("worker", "drain", "m2")  # so that what comes next is elsewhere
    machine.start("worker", machine.folder / "leat-worker", "--config", machine.folder / "worker.conf")
    joined.check(run, [("m2", "lost"), ("m3", "succeeded")])


def test_the_link_is_cut_for_longer_than_the_lease_and_than_lost_after(joined):
    """Of three steps on a machine that is cut off: one ends meanwhile, one goes on until it is heard of again, and one, which
    may be silent for 12 s only, is ended there and then tried again elsewhere: never two at once."""
    machine, other = joined.machines
    only(joined, machine)
    ends, stays = joined.begin("ends-meanwhile", 80), joined.begin("goes-on", 300, lost_after="5m")
    lost = joined.begin("is-lost", 400, lost_after="12s")
    everywhere(joined)
    machine.cut()
    cut = time.time()
    try:
        until(lambda: joined.workers()["m2"] == "unreachable", 60, what="that it is seen")
        until(lambda: len(joined.executions(lost)) == 2, 90, what="the second attempt")
        assert machine.dropped() > 10
        assert joined.leat.json("show", stays)["state"] not in TERMINAL
    finally:
        machine.heal()
    healed = time.time()
    assert healed - cut > 12, "it was cut for longer than the lease"
    until(lambda: joined.workers()["m2"] == "active", 60, what="the machine again")
    joined.check(ends, [("m2", "succeeded")])
    joined.check(stays, [("m2", "succeeded")])
    joined.check(lost, [("m2", "lost"), ("m3", "succeeded")])
    first, second = joined.lives(lost)
    assert first[1] < second[0], "both attempts ran at once"
