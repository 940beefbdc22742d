"""Lists of artifacts as inputs, and for_each over the names in a folder, from apply to the last byte."""
import time

import leat as leat_module

LISTS = """
name: lists
params: {count: {type: integer, default: 3}}
steps:
  city:
    for_each: [rome, turin]
    as: city
    steps:
      year:
        for_each: [2024, 2025, 2026]
        as: year
        when: year != 2025
        command: [sh, -c, 'mkdir "$3"; echo "$1 $2" > "$3/model"', sh, "${{ city }}", "${{ year }}", "${{ outputs.model.path }}"]
        outputs: {model: {}}
      near:
        inputs: {models: year.model}
        command: [sh, -c, 'cd "$1"; echo $(ls); cat */model', sh, "${{ inputs.models.path }}"]
    outputs: {models: year.model}
  all:
    inputs: {models: city.models}
    command: [sh, -c, 'cd "$1"; find . -type f | sort; cat 1/2/model', sh, "${{ inputs.models.path }}"]
"""
MANY = """
name: many
steps:
  names:
    command: [sh, -c, 'mkdir "$1"; cd "$1"; seq 1 2000 | sed s/^/n/ | xargs touch', sh, "${{ outputs.all.path }}"]
    outputs: {all: {}}
  item: {for_each: {from: names.all}, executor: noop}
  small:
    for_each: "${{ params.items }}"
    parallelism: 8
    command: [sh, -c, 'echo $1 > $2', sh, "${{ item }}", "${{ outputs.n.path }}"]
    outputs: {n: {}}
  sum:
    inputs: {n: small.n}
    command: [sh, -c, 'cd "$1"; echo $(ls | wc -l) $(cat * | paste -sd+ | bc)', sh, "${{ inputs.n.path }}"]
params: {items: {type: json}}
"""
WRONG = """
name: wrong
steps:
  file:    {command: [sh, -c, 'echo x > "$1"', sh, "${{ outputs.d.path }}"], outputs: {d: {}}}
  none:    {command: ["true"], outputs: {d: {optional: true}}}
  toomany: {command: [sh, -c, 'mkdir "$1"; cd "$1"; seq 10001 | xargs touch', sh, "${{ outputs.d.path }}"], outputs: {d: {}}}
  of-file:    {for_each: {from: file.d}, allow_failure: true, executor: noop}
  of-none:    {for_each: {from: none.d}, allow_failure: true, executor: noop}
  of-toomany: {for_each: {from: toomany.d}, allow_failure: true, executor: noop}
"""


def run(leat, *words):
    return leat.json("run", *words)["id"]


def by_name(shown):
    return {step["name"]: step for step in shown["steps"]}


def test_the_example(leat):
    leat.ok("apply", str(leat_module.ROOT / "examples" / "shapes" / "lists.yaml"))
    started = run(leat, "shapes-lists")
    shown = leat.wait_run(started)
    assert shown["state"] == "succeeded", shown["reason"]
    assert leat.ok("logs", started, "join").splitlines() == ["0: FROM NORTH", "1: FROM SOUTH EAST", "2: FROM WEST"]


def test_lists_of_lists(leat):
    leat.apply(LISTS)
    started = run(leat, "lists")
    shown = leat.wait_run(started)
    assert shown["state"] == "succeeded", shown["reason"]
    assert leat.ok("logs", started, "all").splitlines() == \
        ["./0/0/model", "./0/2/model", "./1/0/model", "./1/2/model", "turin 2026"]
    near = [step["name"] for step in shown["steps"] if step["step"] == "city/near"]
    said = {leat.ok("logs", started, name) for name in near}
    assert said == {f"0 2\n{city} 2024\n{city} 2026\n" for city in ("rome", "turin")}


def test_a_list_too_long_for_an_order_and_a_leader_that_dies(leat):
    leat.apply(MANY)
    params = leat.file("many.json", '{"items": [%s]}' % ", ".join(str(n) for n in range(1200)))
    started = run(leat, "many", "--params", params)
    for _ in range(2):
        time.sleep(2)
        leat.kill("leat-scheduler")
    shown = leat.wait_run(started, seconds=300)
    assert shown["state"] == "succeeded", shown["reason"]
    assert leat.ok("logs", started, "sum").strip() == f"1200 {1199 * 600}"
    assert leat.sql("SELECT count(*) FROM step_result s JOIN run r ON r.id = s.run WHERE r.pipeline = 'many'"
                    " AND s.iteration > 0 AND s.state = 'succeeded'") == [["3200"]]


def test_what_cannot_be_listed(leat):
    leat.apply(WRONG)
    steps = by_name(leat.wait_run(run(leat, "wrong")))
    assert steps["of-file"]["reason"] == "for_each: output d of step file is a file, not a folder"
    assert steps["of-none"]["reason"] == "for_each: step none has not written output d"
    assert steps["of-toomany"]["reason"] == \
        "for_each: output d of step toomany: 10001 names, and the limit is 10000"
    assert steps["toomany"]["state"] == "succeeded"
