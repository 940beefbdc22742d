"""What a program that calls the API relies on: live streams and their resumption, tokens, joining."""
import contextlib
import http.client
import json
import socket
import time

import pytest
from leat import Leat, Stream, in_background, until

# Of 6 s, and until its gate is there.
TALK = """
name: talk
params: {gate: /}
steps:
  speak:
    command: [sh, -c, 'i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done; while [ ! -e "$1" ]; do sleep 0.1; done', sh, "${{ params.gate }}"]
  after: {needs: [speak], command: [echo, done]}
"""
WIDE = "name: wide\nsteps:\n" + "".join(f"  s{i:04}: {{executor: noop}}\n" for i in range(1000))


@pytest.fixture(scope="module")
def leat():
    # A small quarantine: with the sanitizer's own, freed memory counts as used.
    instance = Leat(env={"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1"})
    try:
        instance.up().apply(TALK, "talk.yaml")
        yield instance
    finally:
        instance.remove()


def held(leat, name):
    """A run of talk, and the gate that it waits for."""
    gate = leat.work / f"gate-{name}"
    return leat.json("run", "talk", "-p", f"gate={gate}")["id"], gate


LINES = "".join(f"line {i}\n" for i in range(1, 61))


def test_a_stream_tells_states_logs_and_the_end(leat):
    run = leat.json("run", "talk")["id"]
    stream = Stream(leat, run).to_the_end()
    assert stream.breaks == 0
    assert stream.text("speak") == LINES
    assert stream.states("speak")[-2:] == ["running", "succeeded"]
    assert stream.states("after")[-1] == "succeeded"
    assert stream.events[0][0] == "run" and stream.events[-1][1]["state"] == "succeeded"
    offsets = [d["offset"] for n, d in stream.events if n == "log" and d["step"] == "speak"]
    assert offsets == sorted(set(offsets)) and offsets[0] == 0
    # Each state ends after its log.
    last_log = max(i for i, (n, d) in enumerate(stream.events) if n == "log" and d["step"] == "speak")
    assert last_log < stream.events.index(("step", next(d for n, d in stream.events if n == "step" and
                                                        d["step"] == "speak" and d["state"] == "succeeded")))


def test_a_finished_run_is_told_again_and_resumed_anywhere(leat):
    run = json.loads(leat.ok("run", "talk", "--wait", "-o", "json"))["id"]
    whole = Stream(leat, run).to_the_end()
    assert whole.text("speak") == LINES
    for stop in range(1, len(whole.events)):
        seen = []
        first = Stream(leat, run)
        first.read(first.connect(), enough=lambda event: len(seen) + 1 >= stop or seen.append(event))
        rest = Stream(leat, run, last=first.last).to_the_end()
        assert first.text("speak") + rest.text("speak") == LINES, stop
        assert first.text("after") + rest.text("after") == "done\n"


def test_the_api_killed_while_streams_are_read(leat):
    run, gate = held(leat, "killed")
    stream = Stream(leat, run)
    reader = in_background(stream.to_the_end)
    for n in (10, 25, 40):
        until(lambda: f"line {n}\n" in stream.text("speak"), what=f"line {n}")
        before = stream.breaks
        leat.kill("leat-api")
        until(lambda: stream.breaks > before, what="that the reader has seen it")
    gate.touch()
    reader.join(180)
    assert stream.events[-1][0] == "end" and stream.events[-1][1]["state"] == "succeeded"
    assert stream.breaks >= 3
    assert stream.text("speak") == LINES  # no line lost, none twice
    assert stream.states("after")[-1] == "succeeded"


def test_the_leader_killed_while_a_stream_is_read(leat):
    run = leat.json("run", "talk")["id"]
    stream = Stream(leat, run)
    reader = in_background(stream.to_the_end)
    until(lambda: "line 20\n" in stream.text("speak"), what="line 20")
    leat.kill("leat-scheduler")
    reader.join(180)
    assert stream.events[-1][1]["state"] == "succeeded" and stream.text("speak") == LINES


def test_a_thousand_changes(leat):
    leat.apply(WIDE, "wide.yaml")
    run = leat.json("run", "wide")["id"]
    streams = [Stream(leat, run) for _ in range(8)]
    readers = [in_background(s.to_the_end) for s in streams]
    for reader in readers:
        reader.join(180)
    for stream in streams:
        last = {d["step"]: d["state"] for n, d in stream.events if n == "step"}
        assert len(last) == 1000 and set(last.values()) == {"succeeded"}
        ended = [d["step"] for n, d in stream.events if n == "step" and d["state"] == "succeeded"]
        assert len(ended) == 1000, "a terminal state is told once"


def test_follow_and_wait_of_the_command_line(leat):
    done = leat.leat("run", "talk", "--follow")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("[speak] ")] == \
        [f"[speak] {line}" for line in LINES.splitlines()]
    leat.apply("name: bad\nsteps: {one: {command: [sh, -c, 'echo so; exit 7']}}", "bad.yaml")
    done = leat.leat("run", "bad", "--follow")
    assert done.returncode == 1 and done.stdout.startswith("so\n")
    assert leat.leat("run", "bad", "--wait").returncode == 1
    assert leat.leat("logs", "latest:bad", "two").returncode == 3


def test_logs_f_goes_on_across_a_kill_of_the_api(leat):
    run, gate = held(leat, "followed")
    done = []
    reader = in_background(lambda: done.append(leat.leat("logs", run, "speak", "-f", timeout=120)))
    for _ in range(2):
        until(lambda: streams(leat) == 1, what="that it reads")
        time.sleep(1)  # some of it
        leat.kill("leat-api")
    gate.touch()
    reader.join(120)
    assert done and done[0].returncode == 0, done
    assert done[0].stdout == LINES


def test_what_a_stream_refuses(leat):
    run = leat.json("run", "talk")["id"]

    def ask(path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", leat.api_port, timeout=30)
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read() if answer.status != 200 else b""
    assert ask("/api/v1/runs/01920000-0000-7000-8000-000000000000/events")[0] == 404
    status, body = ask(f"/api/v1/runs/{run}/events", {"Last-Event-ID": "7"})
    assert status == 400 and b"Last-Event-ID" in body
    paths = json.loads(leat_get(leat, "/api/v1/openapi.json"))["paths"]
    assert "/api/v1/runs/{run}/events" in paths


def leat_get(leat, path):
    connection = http.client.HTTPConnection("127.0.0.1", leat.api_port, timeout=30)
    connection.request("GET", path)
    return connection.getresponse().read()


def metric(leat, name):
    for line in leat_get(leat, "/metrics").decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    return 0.0


def streams(leat):
    """How many the API serves; None while it is away."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return metric(leat, "leat_api_streams")


BULK = """
name: bulk
steps:
  pour: {command: [sh, -c, 'seq 1 2000000']}
"""


def test_a_slow_client_is_ended_and_resumes(leat):
    """It costs the API a bounded buffer, others read on, and it misses nothing when it comes back."""
    leat.apply(BULK, "bulk.yaml")
    run = leat.json("run", "bulk")["id"]
    assert leat.wait_run(run)["state"] == "succeeded"
    before = metric(leat, "process_resident_memory_bytes")
    slow = socket.create_connection(("127.0.0.1", leat.api_port))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(f"GET /api/v1/runs/{run}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    until(lambda: streams(leat) == 1, what="the slow stream")
    quick = Stream(leat, run).to_the_end()
    whole = "".join(f"{i}\n" for i in range(1, 2000001))
    assert quick.text("pour") == whole
    assert metric(leat, "process_resident_memory_bytes") - before < 32 << 20
    until(lambda: streams(leat) == 0, 120, 0.5, "the end of the slow stream")
    slow.settimeout(10)
    got = b""
    with contextlib.suppress(OSError):
        while piece := slow.recv(65536):
            got += piece
    slow.close()
    assert len(got) < 8 << 20
    # What it had read by then it can go on from.
    first = Stream(leat, run)
    first.read(first.connect(), enough=lambda event: event[0] == "log" and event[1]["offset"] > 100000)
    rest = Stream(leat, run, last=first.last).to_the_end()
    assert first.text("pour") + rest.text("pour") == whole


def test_more_streams_than_are_served(leat):
    run, gate = held(leat, "streams")
    lines = []
    try:
        for _ in range(256):
            s = socket.create_connection(("127.0.0.1", leat.api_port))
            s.sendall(f"GET /api/v1/runs/{run}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert s.recv(16).startswith(b"HTTP/1.1 200")
            lines.append(s)
        with pytest.raises(AssertionError, match="256 streams are open"):
            Stream(leat, run).connect()
    finally:
        for s in lines:
            s.close()
    until(lambda: streams(leat) == 0, what="the end of all streams")
    gate.touch()
    assert Stream(leat, run).to_the_end().text("speak") == LINES


# ---- the token of a step -----------------------------------------------------------------------

STEP = """
name: caller
steps:
  call:
    secrets: [leat.token]
    command: [sh, -c, 'cp "$LEAT_TOKEN_FILE" %s/token && stat -c %%a "$LEAT_TOKEN_FILE"; while [ ! -e %s/go ]; do sleep 0.1; done']
  other: {needs: [call], command: ["true"]}
"""
TARGET = "name: target\nsteps: {one: {command: [\"true\"]}}"


def call(leat, method, path, token, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", leat.api_port, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    data = answer.read()
    return answer.status, json.loads(data) if data.startswith(b"{") else data


def test_a_step_calls_the_api_of_its_own_run_and_nothing_else(leat):
    leat.apply(TARGET, "target.yaml")
    leat.apply(STEP % (leat.work, leat.work), "caller.yaml")
    run = leat.json("run", "caller")["id"]
    file = leat.work / "token"
    token = until(lambda: file.exists() and file.read_text(), what="the token")
    assert token.startswith("leat_run_") and len(token) == 110
    status, own = call(leat, "GET", f"/api/v1/runs/{run}", token)
    assert status == 200 and own["id"] == run
    assert call(leat, "GET", f"/api/v1/runs/{run}/logs/call", token)[0] == 200
    # Another run is started, once for a key, and names its cause.
    wanted = {"pipeline": "target", "idempotency_key": "k"}
    status, started = call(leat, "POST", "/api/v1/runs", token, wanted)
    assert status == 201
    assert call(leat, "POST", "/api/v1/runs", token, wanted)[1]["id"] == started["id"]
    assert leat.json("run", "target", "--idempotency-key", "k")["id"] != started["id"]
    attempt = next(s["attempt_id"] for s in own["steps"] if s["name"] == "call")
    assert leat.wait_run(started["id"])["cause"] == {"attempt": attempt, "run": run}
    assert own["cause"] is None
    # Nothing else.
    for method, path in [("GET", f"/api/v1/runs/{started['id']}"), ("GET", "/api/v1/runs"),
                         ("GET", "/api/v1/runs/latest"), ("POST", f"/api/v1/runs/{run}/cancel"),
                         ("GET", "/api/v1/secrets"), ("PUT", "/api/v1/secrets/x"), ("GET", "/api/v1/status"),
                         ("GET", f"/api/v1/runs/{started['id']}/events"), ("GET", "/api/v1/workers"),
                         ("POST", f"/api/v1/workers/local/attempts/{attempt}/secrets"),
                         ("GET", "/api/v1/events/01920000-0000-7000-8000-000000000000")]:
        assert call(leat, method, path, token, {} if method != "GET" else None)[0] == 403, path
    # Forged: another attempt under the same MAC, one digit of the MAC.
    digit = "0" if token[-1] != "0" else "1"
    for forged in (token[:-1] + digit, token.replace(attempt[-1] + "_", ("0" if attempt[-1] != "0" else "1") + "_"),
                   token[:-64], "leat_run_"):
        assert call(leat, "GET", f"/api/v1/runs/{run}", forged)[0] in (401, 403), forged
    assert call(leat, "GET", f"/api/v1/runs/{run}", token[:-1] + digit)[0] == 401
    # Over: the attempt ends and its token with it.
    (leat.work / "go").touch()
    shown = leat.wait_run(run)
    assert shown["state"] == "succeeded"
    assert leat.ok("logs", run, "call") == "400\n"
    status, problem = call(leat, "GET", f"/api/v1/runs/{run}", token)
    assert status == 401 and "over" in problem["detail"]
    dump = json.dumps(leat.sql("SELECT to_jsonb(t)::text FROM step_result t UNION ALL SELECT convert_from(value, 'UTF8') FROM bus_record"))
    assert token[-64:] not in dump and token[-64:] not in leat.logs_tail(10000)


def test_names_that_are_leats_own(leat):
    done = leat.leat("secret", "set", "leat.token", stdin="x")
    assert done.returncode == 1 and "Leat's own" in done.stderr


# ---- workers and tokens ------------------------------------------------------------------------

def worker(leat):
    return {w["id"]: w for w in leat.json("workers")}


def test_a_drained_worker_gets_nothing_new(leat):
    run, gate = held(leat, "drained")
    until(lambda: worker(leat)["local"]["used"] == 1, what="a step that runs")
    assert leat.leat("worker", "remove", "local").returncode == 4  # it is active and holds a step
    assert leat.json("worker", "drain", "local")["state"] == "draining"
    refused = leat.leat("worker", "remove", "local")
    assert refused.returncode == 4 and "still has steps" in refused.stderr
    waiting = leat.json("run", "target")["id"]
    leat.kill("leat-scheduler")  # it is drained after a takeover too
    leat.kill("leat-worker")     # and in its next life
    gate.touch()
    until(lambda: worker(leat)["local"]["used"] == 0, what="the end of what it had")
    time.sleep(3)
    assert worker(leat)["local"]["state"] == "draining"
    assert leat.json("show", waiting)["state"] == "running"
    assert {s["state"] for s in leat.json("show", waiting)["steps"]} == {"ready"}
    assert leat.json("worker", "resume", "local")["state"] == "active"
    assert leat.wait_run(waiting)["state"] == "succeeded"
    assert leat.wait_run(run)["state"] == "succeeded"
    assert leat.leat("worker", "drain", "nobody").returncode == 3


def test_joining_the_embedded_queue_is_refused_with_what_to_do(leat):
    made = leat.json("token", "create", "--worker", "--ttl", "10m")
    config = leat.work / "joined.conf"
    done = leat.leat("worker", "join", made["token"], "--api", leat.api, "--config", config, "--name", "m1")
    assert done.returncode == 4 and "--bus kafka" in done.stderr, done.stderr
    assert not config.exists() and not (leat.work / "joined.conf.token").exists()
    assert leat.leat("worker", "join", made["token"], "--config", config).returncode == 2
    listed = {t["id"]: t for t in leat.json("token", "list")}
    assert listed[made["id"]]["state"] == "valid" and "token" not in listed[made["id"]]
    leat.ok("token", "revoke", made["id"])
    assert {t["id"]: t for t in leat.json("token", "list")}[made["id"]]["state"] == "revoked"
    assert leat.leat("token", "revoke", "0000").returncode == 3
    user = leat.json("token", "create")["token"]
    assert call(leat, "GET", "/api/v1/status", user)[0] == 200
    secrets = [made["token"].rsplit("_", 1)[1], user.rsplit("_", 1)[1]]
    dump = json.dumps(leat.sql("SELECT t::text FROM token t")) + leat.logs_tail(100000)
    assert not any(secret in dump for secret in secrets)
