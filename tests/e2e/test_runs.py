"""A run as a user sees it: by upload, by hand, by hook; its outputs, logs and artifacts."""
import hashlib
import json

from leat import github_signature, until

PIPELINE = """
name: words
experiment: Word counts
on:
  object: {bucket: texts, suffix: .txt, run_name: "${{ event.data.object.key }} updated"}
  push: {source: code, branch: main}
  event: {type: dev.example.poke, filter: "event.data.level > 2", params: {least: "${{ event.data.level }}"}}
params:
  least: {type: integer, default: 1, description: words below which the check fails}
steps:
  count:
    command: [sh, -c, 'cat "$1"/files/*.txt 2>/dev/null | wc -w | tr -d " " > "$2"; cp "$1/manifest.json" "$3"; echo counted', count]
    args: ["${{ inputs.raw.path }}", "${{ outputs.words.path }}", "${{ outputs.manifest.path }}"]
    inputs: {raw: {objects: {bucket: texts, suffix: .txt}}}
    outputs: {words: {type: integer}, manifest: {}}
  big:
    when: "steps.count.outputs.words >= 3"
    command: [echo, "big: ${{ steps.count.outputs.words }}"]
  small:
    when: "steps.count.outputs.words < 3"
    command: [echo, "small: ${{ steps.count.outputs.words }}"]
  check:
    needs: [big]
    command: [sh, -c, 'test "$0" -ge "$1"', "${{ steps.count.outputs.words }}", "${{ params.least }}"]
"""
SOURCES = """
{kind: source, name: texts, provider: directory}
---
{kind: source, name: code, provider: github, secret: hook-secret}
---
{kind: source, name: pokes, provider: cloudevents, secret: poke-secret}
"""


def test_apply_is_idempotent(leat):
    leat.ok("secret", "set", "hook-secret", stdin="s3cr3t")
    leat.ok("secret", "set", "poke-secret", stdin="p0k3")
    leat.apply(SOURCES, "sources.yaml")
    leat.apply(PIPELINE)
    version = leat.json("pipeline", "words")["version"]
    leat.apply(PIPELINE + "\n# a comment changes nothing\n")
    assert leat.json("pipeline", "words")["version"] == version
    assert [p["name"] for p in leat.json("pipelines")] == ["words"]


def test_upload_makes_one_run_with_its_outputs(leat):
    body = b"one two three four\n"
    answer = leat.put("texts", "a.txt", body)
    assert answer.status == 201, answer.body
    assert set(answer.json()) == {"event", "version"}
    runs = leat.event_runs(answer.json()["event"])
    assert len(runs) == 1
    shown = leat.wait_run(runs[0])
    assert shown["state"] == "succeeded" and shown["name"] == "a.txt updated"
    assert shown["experiment"] == "Word counts" and shown["event"] == answer.json()["event"]
    steps = {s["name"]: s for s in shown["steps"]}
    assert steps["count"]["outputs"]["words"] == 4
    assert steps["small"]["state"] == "skipped" and steps["big"]["state"] == "succeeded"
    assert "counted" in leat.ok("logs", runs[0], "count")
    assert leat.ok("logs", runs[0], "big") == "big: 4\n"
    manifest = json.loads(leat.ok("artifact", "get", runs[0], "count.manifest", "-o", "-"))
    assert manifest["objects"][0]["key"] == "a.txt"
    assert manifest["objects"][0]["sha256"] == hashlib.sha256(body).hexdigest()
    assert manifest["objects"][0]["version"] == answer.json()["version"]


def test_same_bytes_again_are_a_new_version_and_a_new_run(leat):
    first, second = (leat.put("texts", "b.txt", b"same words here\n").json() for _ in range(2))
    assert first["version"] != second["version"] and first["event"] != second["event"]
    assert leat.event_runs(first["event"]) != leat.event_runs(second["event"])


def push(leat, delivery, secret="s3cr3t", ref="refs/heads/main"):
    body = json.dumps({"ref": ref, "after": "a" * 40, "repository": {"name": "r", "full_name": "o/r"},
                       "head_commit": {"id": "a" * 40}, "commits": []}).encode()
    return leat.hook("code", body, {"X-GitHub-Event": "push", "X-GitHub-Delivery": delivery,
                                    "X-Hub-Signature-256": github_signature(secret, body)})


def test_an_event_delivered_three_times_is_one_run_across_restarts(leat):
    delivery = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    ids = [push(leat, delivery).json()["event"]]
    leat.event_runs(ids[0])
    leat.kill("leat-triggers")
    leat.kill("leat-scheduler")
    def again():
        try:
            answer = push(leat, delivery)
        except OSError:
            return None
        return answer.json()["event"] if answer.status == 202 else None
    ids += [until(again, what="a second 202"), until(again, what="a third 202")]
    assert len(set(ids)) == 1
    runs = leat.event_runs(ids[0])
    assert len(runs) == 1 and leat.wait_run(runs[0])["state"] == "succeeded"
    assert leat.sql(f"SELECT count(*) FROM run WHERE event = '{ids[0]}'") == [["1"]]


def test_push_carries_the_git_variables(leat):
    event = push(leat, "11111111-cc78-11e3-81ab-4c9367dc0958").json()["event"]
    leat.event_runs(event)
    variables = leat.json("event", event)["vars"]
    assert variables["BRANCH_NAME"] == "main" and variables["SHORT_SHA"] == "aaaaaaa"
    assert variables["REPO_FULL_NAME"] == "o/r" and variables["COMMIT_SHA"] == "a" * 40


def test_a_branch_that_nobody_wants_is_kept_with_its_verdict(leat):
    event = push(leat, "22222222-cc78-11e3-81ab-4c9367dc0958", ref="refs/heads/side").json()["event"]
    assert leat.event_runs(event) == []


def poke(leat, level, ident):
    body = json.dumps({"specversion": "1.0", "id": ident, "source": "/here", "type": "dev.example.poke",
                       "data": {"level": level}}).encode()
    return leat.hook("pokes", body, {"Content-Type": "application/cloudevents+json", "Authorization": "Bearer p0k3"})


def test_a_cloudevent_is_filtered_and_gives_parameters(leat):
    low = poke(leat, 1, "low").json()["event"]
    assert leat.event_runs(low) == []
    assert leat.json("event", low)["verdicts"][0]["verdict"] == "filtered"
    high = poke(leat, 3, "high").json()["event"]
    run = leat.event_runs(high)[0]
    shown = leat.wait_run(run)
    assert shown["params"]["least"] == 3 and shown["trigger"] == "event"


def test_run_by_hand_and_wait(leat):
    done = leat.leat("run", "words", "-p", "least=1", "--name", "by hand", "--wait")
    assert done.returncode == 0, done.stderr
    failed = leat.leat("run", "words", "-p", "least=1000", "--wait")
    assert failed.returncode == 1
    shown = leat.json("show", "latest:words")
    assert shown["state"] == "failed" and {s["name"]: s["state"] for s in shown["steps"]}["check"] == "failed"


def test_retry_adopts_what_succeeded(leat):
    run = leat.json("show", "latest:words")
    assert run["state"] == "failed"
    done = leat.leat("retry", run["id"], "-o", "json")
    assert done.returncode == 0, done.stderr
    again = leat.wait_run(json.loads(done.stdout)["id"])
    steps = {s["name"]: s for s in again["steps"]}
    assert again["retry_of"] == run["id"] and again["state"] == "failed"
    assert "adopted" in steps["count"]["reason"] and not steps["check"]["reason"].startswith("adopted")


def test_idempotency_key_gives_one_run(leat):
    ids = {json.loads(leat.ok("run", "words", "--idempotency-key", "k1", "-o", "json"))["id"] for _ in range(3)}
    assert len(ids) == 1
    leat.wait_run(ids.pop())


def test_cancel_ends_a_run(leat):
    leat.apply("name: sleeper\nsteps: {nap: {command: [sleep, '60']}}\n", "sleeper.yaml")
    run = json.loads(leat.ok("run", "sleeper", "-o", "json"))["id"]
    until(lambda: leat.json("show", run)["steps"][0]["state"] == "running", what="nap runs")
    leat.ok("cancel", run)
    assert leat.wait_run(run)["state"] == "cancelled"
    assert leat.leat("cancel", run).returncode == 4


def test_lists_answer_in_every_format(leat):
    for verb in (["runs"], ["pipelines"], ["events"], ["workers"], ["sources"], ["secret", "list"]):
        for form in ("table", "wide", "json", "yaml", "name"):
            assert leat.ok(*verb, "-o", form).strip(), (verb, form)
    assert all(r["pipeline"] == "words" for r in leat.json("runs", "--pipeline", "words"))
    assert leat.leat("show", "00000000").returncode == 3
