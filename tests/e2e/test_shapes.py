"""Every shape of a DAG on real daemons: the files of examples/shapes, and a leader that dies in the middle."""
import json
import pathlib
import time

SHAPES = pathlib.Path(__file__).parents[2] / "examples" / "shapes"
LOOP = """
name: rounds
steps:
  each:
    for_each: [0, 1, 2, 3, 4, 5]
    parallelism: 2
    as: item
    steps:
      work: {command: [sh, -c, 'sleep 0.5; echo $1 > $2; echo item $1', sh, "${{ item }}", "${{ outputs.n.path }}"], outputs: {n: {type: integer}}}
    outputs: {n: work.n}
  tune:
    loop: {until: outputs.n > 2, max: 5}
    command: [sh, -c, 'expr $1 + 1 > $2', sh, "${{ default(loop.previous.n, 0) }}", "${{ outputs.n.path }}"]
    outputs: {n: {type: integer}}
finally:
  tell: {command: [echo, "${{ outcome.state }} ${{ steps.each.outputs.n }} ${{ steps.tune.outputs.n }}"]}
"""


def run(leat, pipeline):
    return leat.json("run", pipeline)["id"]


OUTSIDE = {"shapes-wait", "shapes-approval"}  # wait for what comes from outside: test_waits.py


def test_the_examples_run(leat):
    leat.ok("apply", str(SHAPES))
    names = [item["name"] for item in leat.json("pipelines") if item["name"] not in OUTSIDE]
    ended = {name: leat.wait_run(run(leat, name))["state"] for name in names}
    assert ended == {name: "succeeded" for name in names}
    assert leat.ok("logs", "latest:shapes-sweep", "best") == "trial 1, 0.1: 0.1\n"
    again = leat.json("run", "shapes-sweep", "--only", "best", "--inputs-from", "latest:shapes-sweep")["id"]
    assert leat.wait_run(again)["state"] == "succeeded"
    assert leat.ok("logs", again, "best") == "trial 1, 0.1: 0.1\n"


def test_items_that_failed_are_null_in_the_lists_of_the_others(leat):
    """With fail_fast off all are run, and what went well is there for the run and for who asks."""
    leat.apply("""
name: some
outputs: {n: all.n}
steps:
  all:
    for_each: [0, 1, 2]
    fail_fast: false
    command: [sh, -c, 'echo $1 > "$0"; test $1 != 1', "${{ outputs.n.path }}", "${{ item }}"]
    outputs: {n: {type: integer}}
  sum: {rule: all_done, command: [echo, "${{ steps.all.outputs.n.filter(n, n != null) }}"]}
""")
    shown = leat.wait_run(run(leat, "some"))
    assert (shown["state"], shown["outputs"]) == ("failed", {"n": [0, None, 2]})
    assert leat.ok("logs", shown["id"], "sum") == "[0,2]\n"


def test_show_says_which_item_and_round_a_step_is_of(leat):
    leat.apply("""
name: places
steps:
  each:
    for_each: [{city: oslo}, "%s"]
    steps:
      again:
        loop: {until: outputs.n > 0, max: 3}
        steps:
          pick:
            switch: [{steps: {t: {command: [sh, -c, 'echo $1 > "$0"', "${{ outputs.n.path }}", "${{ loop.index }}"], outputs: {n: {type: integer}}}}, outputs: {n: t.n}}]
        outputs: {n: pick.n}
""" % ("long" * 20))
    started = run(leat, "places")
    shown = leat.wait_run(started)
    assert shown["state"] == "succeeded", shown["reason"]
    first, second = '0: {"city": "oslo"}', "1: " + "long" * 10
    places = sorted(step["within"] for step in shown["steps"] if step["step"] == "each/again/pick/t")
    assert places == [f"{item} / round {n}" for item in (first, second) for n in (0, 1)]
    assert [step["within"] for step in shown["steps"] if step["step"] == "each"] == [None]
    table = leat.ok("show", started)
    assert "WITHIN" in table and f"{first} / round 1" in table
    leat.apply("name: plain\nsteps: {one: {executor: noop}}\n")
    plain = run(leat, "plain")
    leat.wait_run(plain)
    assert "WITHIN" not in leat.ok("show", plain)


def test_show_says_what_a_run_gave(leat):
    leat.apply("""
name: gives
params: {end: 0}
steps:
  first: {command: [sh, -c, 'echo 7 > "$0"', "${{ outputs.n.path }}"], outputs: {n: {type: integer}}}
  all: {for_each: [a, b], steps: {t: {command: [sh, -c, 'echo $1 > "$0"; exit $2', "${{ outputs.x.path }}", "${{ item }}", "${{ params.end }}"], outputs: {x: {type: string}}}}, outputs: {x: t.x}}
outputs: {n: first.n, all: all.x}
""")
    for end, gave in ((0, {"n": 7, "all": ["a", "b"]}), (1, {"n": 7})):
        shown = leat.wait_run(leat.json("run", "gives", "-p", f"end={end}")["id"])
        assert shown["outputs"] == gave
        assert f"outputs      {json.dumps(gave, separators=(',', ':'), sort_keys=True)}" in leat.ok("show", shown["id"])
    leat.apply("name: silent\nsteps: {one: {executor: noop}}\n")
    assert leat.wait_run(run(leat, "silent"))["outputs"] is None


def test_items_and_rounds_outlive_the_leader(leat):
    leat.apply(LOOP)
    started = run(leat, "rounds")
    for _ in range(3):
        time.sleep(0.4)
        leat.kill("leat-scheduler")
    shown = leat.wait_run(started)
    assert shown["state"] == "succeeded", shown["reason"]
    by_name = {step["name"]: step for step in shown["steps"]}
    assert by_name["each"]["outputs"] == {"n": [0, 1, 2, 3, 4, 5]} and by_name["tune"]["outputs"] == {"n": 3}
    items = [step for step in shown["steps"] if step["step"] == "each/work"]
    assert [(step["item"], step["state"]) for step in items] == [(n, "succeeded") for n in range(6)]
    assert [step["within"] for step in items] == [f"{n}: {n}" for n in range(6)]
    assert "succeeded [0,1,2,3,4,5] 3" in leat.ok("logs", started, "tell")
    assert leat.ok("logs", started, items[4]["name"]).strip() == "item 4"
