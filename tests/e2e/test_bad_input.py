"""Wrong input gets a clear message, with file:line:column where there is one, and the right status; everything else goes on."""
import json
import os
import signal
import time

import pytest
from leat import github_signature, request, signal_all, until

GOOD = "name: fine\non: {event: {type: dev.example.fine}}\nsteps: {one: {command: ['true']}}\n"
SOURCES = """
{kind: source, name: code, provider: github, secret: hook-secret}
---
{kind: source, name: plain, provider: generic, secret: hook-secret}
---
{kind: source, name: box, provider: directory}
"""

# name, file, what the message must say, at which line:column
FILES = [
    ("unknown key", "name: a\nsteps:\n  one: {comand: [x]}\n", ["command"], "3:"),
    ("duplicate key", "name: a\nsteps: {one: {command: [x]}}\nname: b\n", ["name"], "3:1"),
    ("broken yaml", "name: [a\nsteps: {}\n", [], ":"),
    ("cycle", "name: a\nsteps:\n  one: {command: [x], needs: [two]}\n  two: {command: [x], needs: [one]}\n", ["one", "two"], ":"),
    ("unknown step", "name: a\nsteps:\n  one: {command: [x], needs: [prepair]}\n  prepare: {command: [x]}\n", ["prepair", "prepare"], "3:"),
    ("unknown parameter", "name: a\nsteps:\n  one: {command: [echo, '${{ params.nobody }}']}\n", ["nobody"], "3:"),
    ("unknown output", "name: a\nsteps:\n  one: {command: [x], outputs: {rmse: {type: number}}}\n  two: {command: [echo, '${{ steps.one.outputs.rsme }}']}\n", ["rsme", "did you mean rmse?"], "4:"),
    ("unknown input", "name: a\nsteps:\n  one: {command: [x], outputs: {table: {}}}\n  two: {command: [x], inputs: {t: one.tabel}}\n", ["did you mean table?"], "4:"),
    ("cycle in a group", "name: a\nsteps:\n  g:\n    steps:\n      one: {command: [x], needs: two}\n      two: {command: [x], needs: one}\n", ["g/one → g/two → g/one"], "5:7"),
    ("itself", "name: a\nsteps:\n  one: {command: [x], needs: one}\n", ["wait for itself"], "3:"),
    ("artifact as a value", "name: a\nsteps:\n  one: {command: [x], outputs: {m: {}}}\n  two: {command: [x, '${{ steps.one.outputs.m }}']}\n", ["is an artifact"], "4:"),
    ("a default of another type", "name: a\nparams: {n: {type: integer, default: many}}\nsteps: {one: {command: [x]}}\n", ["must be an integer, not text"], "2:"),
    ("for_each over a number", "name: a\nparams: {n: 5}\nsteps:\n  one: {for_each: '${{ params.n }}', command: [x]}\n", ["a list is of type json"], "4:"),
    ("for_each over an output", "name: a\nsteps:\n  one: {command: [x], outputs: {n: {type: integer}}}\n  two: {for_each: '${{ steps.one.outputs.n }}', command: [x]}\n", ["a list is of type json"], "4:"),
    ("too many items", "name: a\nsteps:\n  one: {for_each: [%s], command: [x]}\n" % ", ".join(["1"] * 10001), ["10000"], "3:"),
    ("too deep", "name: a\nsteps:\n" + "".join("  " * (2 * i + 1) + f"g{i}:\n" + "  " * (2 * i + 2) + "steps:\n" for i in range(17)) + "  " * 35 + "one: {command: [x]}\n", ["at most 16 inside one another"], ":"),
    ("bad cron", "name: a\non: {cron: {schedule: '61 * * * *'}}\nsteps: {one: {command: [x]}}\n", ["minute"], "2:"),
    ("bad zone", "name: a\non: {cron: {schedule: '0 3 * * *', timezone: Europe/Rom}}\nsteps: {one: {command: [x]}}\n", ["Europe/Rom"], "2:"),
    ("bad CEL", "name: a\nsteps:\n  one: {command: [x], when: '1 +'}\n", [], "3:"),
    ("no shell", "name: a\nsteps:\n  one: {command: echo hello}\n", [], "3:"),
]


@pytest.fixture(scope="module", autouse=True)
def prepared(leat):
    leat.ok("secret", "set", "hook-secret", stdin="s3cr3t")
    leat.apply(SOURCES, "sources.yaml")
    leat.apply(GOOD)


def still_works(leat):
    assert leat.leat("run", "fine", "--wait").returncode == 0


@pytest.mark.parametrize("name,text,words,place", FILES, ids=[row[0] for row in FILES])
def test_a_bad_file_is_refused_with_its_place(leat, name, text, words, place):
    file = leat.file("bad.yaml", text)
    for verb in ("validate", "apply"):
        done = leat.leat(verb, file)
        assert done.returncode == 1, (verb, done.stdout, done.stderr)
        assert not done.stderr.endswith("\n\n"), done.stderr
        said = done.stdout + done.stderr
        assert f"bad.yaml:{place}" in said if place != ":" else "bad.yaml:" in said, said
        for word in words:
            assert word in said
    assert [p["name"] for p in leat.json("pipelines")] == ["fine"]


def test_one_bad_file_among_good_ones_applies_nothing(leat):
    good = leat.file("good.yaml", "name: other\nsteps: {one: {command: [x]}}\n")
    bad = leat.file("bad.yaml", FILES[0][1])
    assert leat.leat("apply", good, bad).returncode == 1
    assert leat.leat("pipeline", "other").returncode == 3


def test_hooks_refuse(leat):
    body = b'{"ref": "refs/heads/main"}'
    signed = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "1", "X-Hub-Signature-256": github_signature("s3cr3t", body)}
    assert leat.hook("nobody", body, signed).status == 404
    assert leat.hook("code", body, {**signed, "X-Hub-Signature-256": github_signature("wrong", body)}).status == 401
    assert leat.hook("code", body, {k: v for k, v in signed.items() if k != "X-Hub-Signature-256"}).status == 401
    broken = b'{"ref": '
    answer = leat.hook("code", broken, {**signed, "X-Hub-Signature-256": github_signature("s3cr3t", broken)})
    assert answer.status == 400 and b"1:" in answer.body
    twice = b'{"ref": "a", "ref": "b"}'
    assert leat.hook("code", twice, {**signed, "X-Hub-Signature-256": github_signature("s3cr3t", twice)}).status == 400
    # The signature comes before the parsing: a broken body with a bad signature is 401.
    assert leat.hook("code", broken, {**signed, "X-Hub-Signature-256": github_signature("x", broken)}).status == 401
    ping = leat.hook("code", b"{}", {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "2",
                                     "X-Hub-Signature-256": github_signature("s3cr3t", b"{}")})
    assert ping.status == 204
    assert leat.hook("plain", b"{}", {"Authorization": "Bearer wrong"}).status == 401
    assert leat.hook("code", body, {**signed, "Content-Type": "text/csv"}).status == 415
    assert request("GET", leat.hooks + "/hooks/code").status == 405
    still_works(leat)


def test_a_body_over_the_limit_is_413(leat):
    body = b'{"a": "' + b"x" * (25 * 1024 * 1024) + b'"}'
    try:
        assert leat.hook("plain", body, {"Authorization": "Bearer s3cr3t"}).status == 413
    except OSError:
        pass  # closed while we were still sending: refused before all of it was read
    still_works(leat)


def test_uploads_refuse_names_that_leave_the_bucket(leat):
    for key in ("../x", "a/../../x", "%2e%2e/x", ""):
        answer = request("PUT", f"{leat.hooks}/buckets/box/{key}", b"x")
        assert answer.status in (400, 404), (key, answer.status)
    assert request("PUT", f"{leat.hooks}/buckets/nobody/x", b"x").status == 404
    assert leat.put("box", "fine.txt", b"x").status == 201


STEPS = [
    ("no such command", "{command: [no-such-command-here]}", "no-such-command-here"),
    ("output not written", "{command: ['true'], outputs: {n: {type: integer}}}", "n"),
    ("output of another type", "{command: [sh, -c, 'echo twelve > $0', '${{ outputs.n.path }}'], outputs: {n: {type: integer}}}", "n"),
    ("artifact not written", "{command: ['true'], outputs: {model: {}}}", "model"),
    ("exit status", "{command: [sh, -c, 'exit 7']}", "7"),
]


@pytest.mark.parametrize("name,step,word", STEPS, ids=[row[0] for row in STEPS])
def test_a_step_that_goes_wrong_says_why(leat, name, step, word):
    leat.apply(f"name: wrong\nsteps:\n  one: {step}\n  after: {{needs: [one], command: ['true']}}\n", "wrong.yaml")
    run = json.loads(leat.ok("run", "wrong", "-o", "json"))["id"]
    shown = leat.wait_run(run)
    steps = {s["name"]: s for s in shown["steps"]}
    assert shown["state"] == "failed" and steps["one"]["state"] == "failed"
    assert word in steps["one"]["reason"], steps["one"]
    assert steps["after"]["state"] == "upstream_failed"


def test_an_expression_that_cannot_be_resolved_fails_the_run_and_keeps_the_event(leat):
    leat.apply("name: needy\non: {event: {type: dev.example.needy, params: {n: '${{ event.data.absent }}'}}}\n"
               "params: {n: {type: string}}\nsteps: {one: {command: ['true']}}\n", "needy.yaml")
    leat.apply("{kind: source, name: ce, provider: cloudevents, secret: hook-secret}\n", "ce.yaml")
    body = json.dumps({"specversion": "1.0", "id": "n1", "source": "/x", "type": "dev.example.needy", "data": {}}).encode()
    event = leat.hook("ce", body, {"Content-Type": "application/cloudevents+json", "Authorization": "Bearer s3cr3t"}).json()["event"]
    run = leat.event_runs(event)[0]
    shown = leat.wait_run(run)
    assert shown["state"] == "failed" and "absent" in shown["reason"] and shown["name"].startswith("needy-")


@pytest.mark.parametrize("words,status", [
    (["show", "nothing-like-this"], 3), (["pipeline", "nobody"], 3), (["run", "nobody"], 3), (["event", "00000000-0000-5000-8000-000000000000"], 3),
    (["run", "fine", "-p", "x=1"], 4), (["runs", "--stat", "x"], 2), (["frobnicate"], 2), (["cron", "61 * * * *"], 1),
    (["cron", "0 3 * * *", "--timezone", "Mars/Olympus"], 1), (["cel", "1 +"], 1), (["show"], 2)])
def test_exit_statuses(leat, words, status):
    done = leat.leat(*words)
    assert done.returncode == status, (words, done.returncode, done.stderr)
    assert done.stderr.strip() and "Traceback" not in done.stderr


@pytest.mark.parametrize("words,said", [
    ("pipeline nobody", "no pipeline nobody"), ("graph nobody", "no pipeline nobody"), ("pause nobody", "no pipeline nobody"),
    ("pipeline fine@77", "no version 77 of a pipeline fine"), ("graph fine@77", "no version 77 of a pipeline fine"),
    ("pause fine/daily", "no trigger daily of a pipeline fine"), ("limit show nobody", "no limit nobody"),
    ("pool show nobody", "no pool nobody"), ("event 00000000-0000-5000-8000-000000000000", "no event 00000000-")])
def test_what_is_not_there_is_named(leat, words, said):
    done = leat.leat(*words.split())
    assert done.returncode == 3 and f"there is {said}" in done.stderr, done.stderr


def test_nobody_answers_is_exit_5(leat):
    env, leat.env = leat.env, {**leat.env, "LEAT_URL": "http://127.0.0.1:9"}
    try:
        done = leat.leat("runs")
    finally:
        leat.env = env
    assert done.returncode == 5 and "127.0.0.1:9" in done.stderr


def test_postgres_away_is_503_then_all_goes_on(leat):
    body = b'{"n": 1}'
    postmaster = int((leat.data / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGSTOP)
    children = stop_children(postmaster)
    try:
        began = time.monotonic()
        answer = leat.hook("plain", body, {"Authorization": "Bearer s3cr3t", "X-Delivery-Id": "away-1"})
        assert answer.status == 503 and answer.headers["Retry-After"], (answer.status, time.monotonic() - began)
    finally:
        signal_all(signal.SIGCONT, [*children, postmaster])

    def taken():
        got = leat.hook("plain", body, {"Authorization": "Bearer s3cr3t", "X-Delivery-Id": "away-1"})
        return got.status == 202 and got
    answer = until(taken, what="202 again")
    leat.event_runs(answer.json()["event"])
    until(lambda: leat.leat("run", "fine", "--wait").returncode == 0, what="commands are taken again")


def stop_children(parent):
    found = []
    for task in os.listdir("/proc"):
        if task.isdigit():
            try:
                fields = open(f"/proc/{task}/stat").read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                signal_all(signal.SIGSTOP, [int(task)])
                found.append(int(task))
    return found
