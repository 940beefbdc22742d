"""Runs as large as their limits are shown whole, and nobody waits behind who asks for one."""
import json

STEPS = 10_000


def shown(leat, pipeline, *arguments):
    leat.ok("run", pipeline, "--wait", *arguments, timeout=240)
    return leat.json("show", f"latest:{pipeline}", timeout=240)


def test_ten_thousand_steps(leat):
    rows = "".join(f"  s{i}: {{executor: noop{f', needs: [s{i // 10 - 1}]' if i >= 10 else ''}}}\n" for i in range(STEPS))
    leat.apply("name: wide\nsteps:\n" + rows)
    run = shown(leat, "wide")
    assert [s["name"] for s in run["steps"]] == [f"s{i}" for i in range(STEPS)]
    assert {s["state"] for s in run["steps"]} == {"succeeded"}


def test_ten_thousand_items(leat):
    leat.apply('name: each\nparams: {items: {type: json}}\nsteps:\n  work: {for_each: "${{ params.items }}", executor: noop}\n')
    run = shown(leat, "each", "-p", "items=" + json.dumps(list(range(STEPS, 0, -1))))
    items = [s for s in run["steps"] if s["iteration"] > 0]
    assert [(s["ordinal"], s["item"]) for s in items] == list(enumerate(range(STEPS, 0, -1)))
    assert {s["state"] for s in run["steps"]} == {"succeeded"}


def test_items_of_items(leat):
    leat.apply("""
name: nested
params: {items: {type: json}}
steps:
  outer:
    for_each: "${{ params.items }}"
    as: city
    steps:
      first: {executor: noop}
      inner: {for_each: [a, b, c], needs: [first], executor: noop}
""")
    run = shown(leat, "nested", "-p", "items=" + json.dumps(list(range(1000))))
    leaves = [s for s in run["steps"] if s["step"].startswith("outer/inner/") or s["step"] == "outer/inner/inner"]
    assert len(leaves) == 3000 and {s["item"] for s in leaves} == {"a", "b", "c"}
    assert sorted(s["item"] for s in run["steps"] if s["step"] == "outer/first") == list(range(1000))
    assert {s["within"] for s in leaves} == {f"{n}: {n} / {k}: {c}" for n in range(1000) for k, c in enumerate("abc")}
