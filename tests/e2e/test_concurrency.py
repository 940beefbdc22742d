"""Runs that share a limit, on real daemons: what goes on, what waits, what is skipped, and a leader that dies in between."""
import json
import time

import pytest

from leat import until

SOURCE = """
kind: source
name: pokes
provider: cloudevents
secret: poke-secret
"""
PIPELINE = """
name: NAME
on: {event: {type: dev.example.NAME, source: pokes, params: {city: "${{ event.data.city }}"}}}
concurrency: {CONCURRENCY}
params: {city: Rome}
steps:
  hold: {command: [sh, -c, 'while ! [ -e "$1" ]; do sleep 0.1; done', sh, "GATE"]}
"""


@pytest.fixture(scope="module", autouse=True)
def source(leat):
    leat.ok("secret", "set", "poke-secret", stdin="p0k3")
    leat.apply(SOURCE, "source.yaml")


class Held:
    """A pipeline whose runs go on until the gate is opened."""

    def __init__(self, leat, name, concurrency, more=""):
        self.leat, self.name, self.gate = leat, name, leat.work / f"gate-{name}"
        self.apply(concurrency, more)

    def apply(self, concurrency, more=""):
        text = PIPELINE.replace("NAME", self.name).replace("GATE", str(self.gate))
        self.leat.apply(text.replace("{CONCURRENCY}", concurrency) + more, f"{self.name}.yaml")

    def run(self, city="Rome"):
        return self.leat.json("run", self.name, "-p", f"city={city}")["id"]

    def is_(self, run, state):
        def shown():
            done = self.leat.leat("show", run, "-o", "json")  # not there yet while nobody leads
            return done.returncode == 0 and json.loads(done.stdout)["state"] == state
        return until(shown, what=f"{run} {state}")

    def states(self, runs):
        return [self.leat.json("show", run)["state"] for run in runs]

    def open(self):
        self.gate.touch()


def test_runs_with_one_key_wait_for_each_other_and_outlive_the_leader(leat):
    held = Held(leat, "keyed", '{key: "${{ params.city }}"}')
    rome, later, oslo = held.run("Rome"), held.run("Rome"), held.run("Oslo")
    held.is_(rome, "running"), held.is_(oslo, "running"), held.is_(later, "queued")
    assert leat.json("show", later)["reason"] == "waits for its concurrency group: 1 of 1 runs go on, 0 came before it"
    leat.kill("leat-scheduler")
    third = held.run("Rome")
    held.is_(third, "queued")
    assert held.states([rome, later, oslo]) == ["running", "queued", "running"]
    held.open()
    ended = [leat.wait_run(run) for run in (rome, later, third, oslo)]
    assert [run["state"] for run in ended] == ["succeeded"] * 4
    assert ended[0]["finished"] <= ended[1]["started"] and ended[1]["finished"] <= ended[2]["started"]


def test_a_run_that_is_skipped_says_so_and_so_does_its_event(leat):
    held = Held(leat, "skipping", "{policy: skip}")
    first = held.run()
    held.is_(first, "running")
    body = json.dumps({"specversion": "1.0", "id": "one", "source": "/here", "type": "dev.example.skipping",
                       "data": {"city": "Rome"}}).encode()
    event = leat.hook("pokes", body, {"Content-Type": "application/cloudevents+json",
                                      "Authorization": "Bearer p0k3"}).json()["event"]
    run, = leat.event_runs(event)
    shown, verdict = leat.json("show", run), leat.json("event", event)["verdicts"][0]
    assert shown["state"] == "skipped" and shown["reason"] == "1 of 1 runs of its concurrency group go on or wait"
    assert verdict["verdict"] == "skipped" and verdict["reason"] == shown["reason"] and verdict["run"] == run
    by_hand = leat.leat("run", "skipping", "--wait")
    assert by_hand.returncode == 1
    held.open()
    assert leat.wait_run(first)["state"] == "succeeded"
    assert leat.wait_run(leat.json("retry", run)["id"])["state"] == "succeeded"


def test_a_newer_run_cancels_and_waits_for_the_end_and_finally(leat):
    tell = leat.work / "tell-gate"
    held = Held(leat, "cancelling", "{policy: cancel_running}",
                f"finally:\n  tell: {{command: [sh, -c, 'while ! [ -e {tell} ]; do sleep 0.1; done']}}\n")
    first = held.run()
    until(lambda: leat.json("show", first)["steps"][0]["state"] == "running", what="first runs")
    second = held.run()
    held.is_(first, "cancelling")
    until(lambda: leat.json("show", first)["steps"][1]["state"] == "running", what="tell runs")
    leat.kill("leat-scheduler")
    time.sleep(1)
    assert held.states([first, second]) == ["cancelling", "queued"]
    tell.touch()
    assert leat.wait_run(first)["reason"] == "run cancelling-2 of its concurrency group came"
    held.is_(second, "running")
    held.open()
    assert leat.wait_run(second)["state"] == "succeeded"


def test_of_those_that_wait_only_the_newest_is_kept(leat):
    held = Held(leat, "latest", "{policy: latest_only}")
    runs = [held.run() for _ in range(4)]
    held.is_(runs[3], "queued")
    until(lambda: held.states(runs) == ["running", "skipped", "skipped", "queued"], what="two are skipped")
    held.open()
    assert leat.wait_run(runs[3])["state"] == "succeeded"


def test_a_limit_that_is_raised_counts_for_those_that_wait(leat):
    held = Held(leat, "raised", "{limit: 1}")
    runs = [held.run() for _ in range(4)]
    held.is_(runs[3], "queued")
    held.apply("{limit: 3}")  # nothing else comes that could wake the leader
    until(lambda: held.states(runs) == ["running"] * 3 + ["queued"], what="three run")
    held.open()
    assert [leat.wait_run(run)["state"] for run in runs] == ["succeeded"] * 4


def test_a_run_is_not_queued_for_longer_than_it_may(leat):
    held = Held(leat, "impatient", "{limit: 1}", "queue_timeout: 3s\n")
    first, second = held.run(), held.run()
    leat.kill("leat-scheduler")
    shown = leat.wait_run(second)
    assert shown["state"] == "failed" and shown["reason"] == "queued for longer than 3 s"  # so it was queued
    assert held.states([first]) == ["running"]
    held.open()
    assert leat.wait_run(first)["state"] == "succeeded"


LIMITED = """
name: NAME
steps:
  hold: {command: [sh, -c, 'while ! [ -e "$1" ]; do sleep 0.1; done', sh, "GATE"], limits: LIMITS}
"""


class Limited(Held):
    """The same with a named limit."""

    def apply(self, limits, more=""):
        self.leat.apply(LIMITED.replace("NAME", self.name).replace("GATE", str(self.gate)).replace("LIMITS", limits) + more,
                        f"{self.name}.yaml")

    def run(self, city=None):
        return self.leat.json("run", self.name)["id"]

    def step(self, run):
        return self.leat.json("show", run)["steps"][0]

    def step_is(self, run, state):
        def shown():
            done = self.leat.leat("show", run, "-o", "json")
            return done.returncode == 0 and json.loads(done.stdout)["steps"][0]["state"] == state
        return until(shown, what=f"step of {run} {state}")


def limit(leat, name, size):
    leat.apply(f"kind: limit\nname: {name}\nlimit: {size}\n", f"{name}.yaml")


def shown_limit(leat, name):
    row, = [row for row in leat.json("limits") if row["name"] == name]
    return row["limit"], row["used"], row["waiting"]


def test_a_named_limit_is_kept_across_runs_and_leaders(leat):
    limit(leat, "gpu-licence", 2)
    held = Limited(leat, "licensed", "[gpu-licence]")
    runs = [held.run() for _ in range(3)]
    held.step_is(runs[1], "running"), held.step_is(runs[2], "waiting")
    assert held.step(runs[2])["reason"] == \
        "waits for limit gpu-licence: 2 of 2 in use by licensed-1/hold, licensed-2/hold"
    assert shown_limit(leat, "gpu-licence") == (2, 2, 1)
    leat.apply("name: unlimited\nsteps: {s: {command: [echo]}}\n")
    leat.kill("leat-scheduler")
    free = leat.json("run", "unlimited")["id"]  # wants no limit
    assert leat.wait_run(free)["state"] == "succeeded"
    assert [held.step(run)["state"] for run in runs] == ["running", "running", "waiting"]
    holders = leat.json("limit", "show", "gpu-licence")["holders"]
    assert [(h["run"], h["step"], h["n"]) for h in holders] == [(runs[0], "hold", 1), (runs[1], "hold", 1)]
    leat.ok("cancel", runs[0])
    held.step_is(runs[2], "running")
    assert leat.json("show", runs[0])["state"] == "cancelled"
    held.open()
    assert [leat.wait_run(run)["state"] for run in runs[1:]] == ["succeeded"] * 2
    assert shown_limit(leat, "gpu-licence") == (2, 0, 0)


def test_a_limit_is_resized_and_zero_holds_back(leat):
    limit(leat, "tape", 0)
    held = Limited(leat, "taped", "{tape: 1}")
    runs = [held.run() for _ in range(3)]
    held.step_is(runs[2], "waiting")
    assert held.step(runs[0])["reason"] == "wants 1 of limit tape, which is 0"
    limit(leat, "tape", 2)  # nothing else comes that could wake the leader
    held.step_is(runs[1], "running")
    limit(leat, "tape", 1)
    time.sleep(1.5)
    assert shown_limit(leat, "tape") == (1, 2, 1)  # nobody was ended
    refused = leat.leat("limit", "remove", "tape")
    assert refused.returncode == 4 and "pipeline taped names it" in refused.stderr
    held.open()
    assert [leat.wait_run(run)["state"] for run in runs] == ["succeeded"] * 3
    leat.ok("delete", "taped")
    leat.ok("limit", "remove", "tape")
    assert leat.leat("limit", "show", "tape").returncode == 3


def test_a_step_waits_only_so_long_to_be_placed(leat):
    leat.apply("name: nowhere\nsteps: {s: {command: [echo], pool: moon, queue_timeout: 3s}}\n")
    run = leat.json("run", "nowhere")["id"]
    leat.kill("leat-scheduler")
    shown = leat.wait_run(run)
    assert shown["state"] == "failed" and shown["steps"][0]["reason"] == "waited longer than 3 s for a worker"
