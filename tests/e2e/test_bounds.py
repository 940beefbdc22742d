"""How much there may be, on real daemons with tiny bounds: what waits, what is refused, and that it all goes on by itself."""
import json
import os
import signal
import subprocess
import time

import pytest

from leat import Leat, request, signal_all, until

SOURCE = """
kind: source
name: gos
provider: cloudevents
secret: go-secret
"""
HOLD = """
name: hold
on: {event: {type: dev.example.go, source: gos}}
steps:
  hold: {command: [sh, -c, 'while ! [ -e "$1" ]; do sleep 0.1; done', sh, "GATE"]}
"""
WAITS = "name: waits\nsteps:\n  on: {wait: {type: dev.example.on}}\n"


@pytest.fixture(scope="module")
def leat():
    instance = Leat(extra=["--most-runs", "3", "--most-pipelines", "3"])
    try:
        yield instance.up()
    finally:
        instance.remove()


def send(leat, kind, n):
    body = json.dumps({"specversion": "1.0", "id": f"{kind}-{n}", "source": "/e2e", "type": kind, "data": {"n": n}})
    answer = leat.hook("gos", body.encode(), {"Content-Type": "application/cloudevents+json", "Authorization": "Bearer g0"})
    assert answer.status == 202, answer.body
    return answer.json()["event"]


def runs(leat):
    return leat.json("status")["runs"]


def test_nothing_is_lost_and_it_goes_on(leat):
    leat.ok("secret", "set", "go-secret", stdin="g0")
    leat.apply(SOURCE, "source.yaml")
    gate = leat.work / "gate-bounds"
    leat.apply(HOLD.replace("GATE", str(gate)))
    leat.apply(WAITS)
    leat.json("run", "waits")
    events = [send(leat, "dev.example.go", n) for n in range(6)]
    until(lambda: runs(leat)["live"] == 3, what="as many as there may be")
    time.sleep(1)
    shown = runs(leat)
    assert (shown["live"], shown["most"]) == (3, 3)
    assert leat.json("status")["bus"]["lag"] >= 4  # they wait on the queue
    refused = leat.leat("run", "hold", "--idempotency-key", "once")
    assert refused.returncode == 4 and "3 runs are live or queued, and there may be 3" in refused.stderr
    answer = request("POST", f"{leat.api}/api/v1/runs", json.dumps({"pipeline": "hold"}).encode(), {"Content-Type": "application/json"})
    assert answer.status == 429 and answer.headers["Retry-After"] == "1" and answer.json()["code"] == "busy"
    on = send(leat, "dev.example.on", 0)  # makes no run, and passes those that wait
    until(lambda: leat.json("runs", "--pipeline", "waits")[0]["state"] == "succeeded", what="the wait is over")
    assert leat.leat("event", on).returncode == 0
    leat.kill("leat-scheduler")
    until(lambda: runs(leat)["live"] == 3, what="one more of those that wait")
    gate.touch()
    for event in events:
        run, = leat.event_runs(event)
        assert leat.wait_run(run)["state"] == "succeeded"
    again = json.loads(leat.ok("run", "hold", "--idempotency-key", "once", "-o", "json"))
    assert leat.wait_run(again["id"])["state"] == "succeeded"
    assert len(leat.json("runs", "--pipeline", "hold")) == len(events) + 1
    until(lambda: leat.json("status")["bus"]["lag"] == 0, what="everything is read")


def refused(leat, name, text):
    """What apply says, and a dry run says the same."""
    file = leat.file(name, text)
    said, dry = leat.leat("apply", file), leat.leat("apply", "--dry-run", file)
    assert (said.returncode, said.stdout, said.stderr) == (dry.returncode, dry.stdout, dry.stderr)
    return said


def test_pipelines_and_the_like_have_a_bound(leat):
    for name in [p["name"] for p in leat.json("pipelines")]:
        leat.ok("delete", name)
    one = "name: NAME\nsteps: {s: {command: [echo]}}\n"
    for n in range(3):
        leat.apply(one.replace("NAME", f"p{n}"))
    full = refused(leat, "four.yaml", one.replace("NAME", "p3"))
    assert full.returncode == 4 and "there are 3 pipelines already, and there may be 3" in full.stderr
    both = one.replace("NAME", "p0") + "description: other\n---\n" + one.replace("NAME", "p4")
    assert refused(leat, "both.yaml", both).returncode == 4  # all or none
    assert leat.json("pipeline", "p0")["number"] == 1
    leat.apply(one.replace("NAME", "p0") + "description: other\n")  # another version is no other pipeline
    leat.ok("delete", "p1")
    leat.apply(one.replace("NAME", "p3"))
    back = refused(leat, "back.yaml", one.replace("NAME", "p1"))
    assert back.returncode == 4 and "raise most-pipelines" in back.stderr
    status = leat.json("status")
    assert status["pipelines"] == {"count": 3, "most": 3}
    assert status["workers"]["known"] == 1 and status["workers"]["most"] == 10000
    for kind, more in (("limit", "limit: 1\n"), ("pool", "")):
        files = [f"kind: {kind}\nname: o{n}\n{more}" for n in range(4)]
        full = refused(leat, "all.yaml", "---\n".join(files))  # there is room for three of the four
        assert full.returncode == 4 and f"there are 3 {kind}s already" in full.stderr
        for file in files[:3]:
            assert "created" in leat.ok("apply", "--dry-run", leat.file("o.yaml", file))
            leat.apply(file)
        assert "unchanged" in leat.ok("apply", "--dry-run", leat.file("o.yaml", "---\n".join(files[:3])))
        full = refused(leat, "o.yaml", files[3])
        assert full.returncode == 4 and f"there are 3 {kind}s already" in full.stderr


def test_a_worker_too_many_is_refused_and_says_what_to_do():
    leat = Leat(extra=["--most-workers", "1"]).up()
    config = leat.file("w2.conf", f"name = w2\ndata = {leat.work}/w2\nstore = {leat.data}/store\nbus = embedded\n"
                       f"database = host={leat.data}/run port=5432 user=leat dbname=leat\napi = {leat.api}\ntoken-file = {leat.data}/token\n")
    command = [str(leat.data / "bin" / "leat-worker"), "--config", str(config)]
    if os.getuid() == 0:
        command = ["setpriv", "--reuid=leat", "--regid=leat", "--init-groups", *command]
    env = {k: v for k, v in leat.env.items() if k != "LEAT_LISTEN"}
    second = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        log = leat.data / "log" / "scheduler.log"
        until(lambda: "there are too many worker ids" in log.read_text(), 60, what="the refusal")
        assert "raise most-workers" in log.read_text() and "worker=w2" in log.read_text()
        assert [w["id"] for w in leat.json("workers")] == ["local"]
        leat.apply("name: one\nsteps: {a: {executor: noop}}\n")
        leat.ok("run", "one", "--wait")
    finally:
        second.kill()
        second.wait()
        signal_all(signal.SIGKILL, leat.pids("leat-keeper", leat.work))
        leat.remove()
