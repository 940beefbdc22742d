"""The crash matrix: every failpoint of every process, struck by kill -9 while a step runs and an event lies between its
2xx and the inbox. Afterwards: each run ends right, each step has one committed result that really ran, the running
process was followed, not restarted (a dead keeper's attempts are lost and run again)."""
import json
import os
import pathlib
import re
import signal
import time

import pytest
from leat import ROOT, Leat, signal_all, until

PIPELINE = """
name: chain
on:
  object: {bucket: box, suffix: .bin}
  event: {type: dev.example.chain}
steps:
  first:
    command: [sh, -c, 'echo "$LEAT_RUN_ID first $LEAT_ATTEMPT_ID" >> LEDGER; sleep 0.7; while test -e HELD; do sleep 0.1; done; echo 20 > "$0"', "${{ outputs.n.path }}"]
    outputs: {n: {type: integer}}
  left:
    command: [sh, -c, 'echo "$LEAT_RUN_ID left $LEAT_ATTEMPT_ID" >> LEDGER; sleep 0.3; echo "$1" > "$0"; echo "$1" > "$2"', "${{ outputs.n.path }}", "${{ steps.first.outputs.n }}", "${{ outputs.file.path }}"]
    outputs: {n: {type: integer}, file: {}}
  right:
    command: [sh, -c, 'echo "$LEAT_RUN_ID right $LEAT_ATTEMPT_ID" >> LEDGER; echo right; echo 2 > "$0"', "${{ outputs.n.path }}"]
    needs: [first]
    outputs: {n: {type: integer}}
  join:
    command: [sh, -c, 'echo "$LEAT_RUN_ID join $LEAT_ATTEMPT_ID" >> LEDGER; echo $(($1 + $2)) > "$0"', "${{ outputs.n.path }}", "${{ steps.left.outputs.n }}", "${{ steps.right.outputs.n }}"]
    inputs: {file: left.file}
    outputs: {n: {type: integer}}
"""
SOURCES = """
{kind: source, name: box, provider: directory}
---
{kind: source, name: ce, provider: cloudevents, secret: s}
"""


def failpoints():
    """The table itself: a failpoint that the matrix does not reach fails it. Those of containers are struck on a real
    engine by tests/integration/test_docker_crashes.c."""
    text = (ROOT / "common/base/failpoint.h").read_text()
    table = re.findall(r'F\(\w+,\s*"([\w-]+)",\s*"(\w+)"\)', text)
    return [(name, process) for name, process in table if not name.startswith("container-")]


POINTS = failpoints()
# Reached only while a leader comes up: armed, then the leader is killed.
AT_START = {"rebuild-before", "rebuild-after", "offset-read-before", "offset-read-after"}
# Reached once in a database's life: armed before the first start.
AT_BIRTH = {"migration-before", "migration-after"}


@pytest.fixture(scope="module")
def leat():
    instance = Leat(slots=16)
    try:
        instance.up()
        instance.ok("secret", "set", "s", stdin="sesame")
        instance.apply(SOURCES, "sources.yaml")
        instance.apply(PIPELINE.replace("LEDGER", str(instance.ledger)).replace("HELD", str(instance.work / "held")))
        yield instance
    finally:
        instance.remove()


@pytest.fixture
def held(leat):
    """The first step does not end before this is called."""
    file = leat.work / "held"
    file.touch()
    yield lambda: file.unlink()
    file.unlink(missing_ok=True)


def upload(leat):
    """An upload until it is answered 201; what broke before may have made a run or not (I2)."""
    def one():
        try:
            answer = leat.put("box", "a.bin", b"data")
        except OSError:
            return None
        return answer.json()["event"] if answer.status == 201 else None
    return until(one, 60, what="a 201")


def deliver(leat, ident):
    """The same delivery until it is answered 202: exactly one run, however often it was sent."""
    body = json.dumps({"specversion": "1.0", "id": ident, "source": "/t", "type": "dev.example.chain", "data": {}}).encode()

    def one():
        try:
            answer = leat.hook("ce", body, {"Content-Type": "application/cloudevents+json", "Authorization": "Bearer sesame"})
        except OSError:
            return None
        return answer.json()["event"] if answer.status == 202 else None
    return until(one, 60, what="a 202")


def command(leat, key):
    def one():
        done = leat.leat("run", "chain", "--idempotency-key", key, "-o", "json")
        return done.returncode == 0 and json.loads(done.stdout)["id"]
    return until(one, 60, every=0.3, what="an accepted run")


def check_run(leat, run, at_most):
    """I3, I5 and the outcome, from Postgres and the effect ledger."""
    shown = leat.wait_run(run)
    assert shown["state"] == "succeeded", (shown, leat.logs_tail())
    results = leat.sql(f"SELECT step, state, attempt_id FROM step_result WHERE run = '{run}' ORDER BY step")
    assert len(results) == 4 and all(state == "succeeded" for _, state, _ in results)
    joined = {s["name"]: s for s in shown["steps"]}["join"]
    assert joined["outputs"]["n"] == 22
    ran = [line for line in leat.ledger_lines() if line and line[0] == run]
    for _, _, attempt in results:
        assert [line for line in ran if line[2] == attempt], f"{attempt} is committed but never ran"
    for step in ("first", "left", "right", "join"):
        times = len([line for line in ran if line[1] == step])
        assert 1 <= times <= at_most, f"{step} ran {times} times"
    ids = [line[2] for line in ran]
    assert len(set(ids)) == len(ids), "an attempt was executed twice"


def strike(leat, name, process):
    """A run whose first step runs; the point armed; an event that passes through everything."""
    before = leat.event_runs(upload(leat))[0]
    until(lambda: [line for line in leat.ledger_lines() if line[0] == before], 60, what="first runs")
    leat.arm(f"{name}:1:kill")
    if name in AT_START:
        leat.kill("leat-scheduler")
    runs = [before]
    runs += leat.event_runs(deliver(leat, f"{name}-{time.time_ns()}"))
    if name.startswith("upload"):
        runs += leat.event_runs(upload(leat))
    if process == "api":
        runs.append(command(leat, f"{name}-{time.time_ns()}"))
    return runs


@pytest.mark.parametrize("name,process", [p for p in POINTS if p[0] not in AT_BIRTH],
                         ids=lambda word: word)
def test_killed_at(leat, name, process):
    runs = strike(leat, name, process)
    assert len(runs) == len(set(runs))
    for run in runs:
        check_run(leat, run, at_most=3 if process == "keeper" else 1)
    until(lambda: leat.struck(name), what=f"{name} is struck: it was never reached")
    leat.arm()


@pytest.mark.parametrize("name", sorted(AT_BIRTH))
def test_killed_in_a_migration(name):
    """Migrations are transactions: the next leader finds none of one or all of it."""
    instance = Leat()
    try:
        instance.arm(f"{name}:1:kill")
        instance.up()
        assert instance.struck(name)
        instance.apply("name: fine\nsteps: {one: {command: ['true']}}\n")
        assert instance.leat("run", "fine", "--wait").returncode == 0
    finally:
        instance.remove()


@pytest.mark.parametrize("victims", [["leat-scheduler"], ["leat-worker"], ["leat-triggers"], ["leat-api"],
                                     ["leat-scheduler", "leat-worker", "leat-triggers", "leat-api"]], ids="+".join)
def test_kill_9_while_work_is_live(leat, held, victims):
    run = leat.event_runs(upload(leat))[0]
    until(lambda: [line for line in leat.ledger_lines() if line[0] == run], what="first runs")
    event = deliver(leat, f"kill-{time.time_ns()}")
    leat.kill(*victims)
    held()
    for each in [run, *leat.event_runs(event)]:
        check_run(leat, each, at_most=1)


def test_kill_9_of_the_keeper(leat, held):
    run = leat.event_runs(upload(leat))[0]
    until(lambda: [line for line in leat.ledger_lines() if line[0] == run], what="first runs")
    leat.kill("leat-keeper")
    held()
    check_run(leat, run, at_most=2)
    assert leat.sql(f"SELECT count(*) FROM attempt_done WHERE run = '{run}' AND state = 'lost'")[0][0] >= "1"


def test_postgres_killed(leat):
    run = leat.event_runs(upload(leat))[0]
    until(lambda: [line for line in leat.ledger_lines() if line[0] == run], what="first runs")
    event = deliver(leat, f"pg-{time.time_ns()}")
    postmaster = int((leat.data / "postgres" / "postmaster.pid").read_text().split()[0])
    children = pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    signal_all(signal.SIGKILL, [postmaster, *map(int, children)])
    for each in [run, *leat.event_runs(event)]:
        check_run(leat, each, at_most=1)


def workspaces(leat):
    """What goes while it is looked for is there no more."""
    return [folder for folder, _, _ in os.walk(leat.data / "worker") if folder.endswith("/in")]


def test_nothing_is_left_over(leat):
    """I9, I13, I14 at rest."""
    def at_rest():
        return leat.sql("SELECT (SELECT count(*) FROM run_live) + (SELECT count(*) FROM step_live)") == [["0"]]
    until(at_rest, 60, what="no live rows")
    lag = """SELECT t.name, p.partition, p.next, coalesce(o.next, 0) FROM bus_partition p JOIN bus_topic t ON t.id = p.topic
             LEFT JOIN read_offset o ON o.topic = t.name AND o.partition = p.partition
             WHERE t.name IN ('leat.commands', 'leat.events') AND p.next <> coalesce(o.next, 0)"""
    until(lambda: leat.sql(lag) == [], what="lag 0")
    until(lambda: not workspaces(leat), what="no workspace without a live attempt")
