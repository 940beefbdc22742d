"""Running again: what a retry of a run with DAGs inside its DAG takes over, and what it runs anew."""
import time

from leat import until

WORK = """
name: again
params: {ok: ""}
steps:
  first: {command: [sh, -c, 'echo first >> "$0"; echo 7 > "$1"', "LEDGER", "${{ outputs.n.path }}"], outputs: {n: {type: integer}}}
  train:
    for_each: [rome, oslo, bonn]
    as: city
    fail_fast: false
    steps:
      fetch: {command: [sh, -c, 'echo fetch $1 >> "$0"; echo "$1 $2" > "$3"', "LEDGER", "${{ city }}", "${{ steps.first.outputs.n }}", "${{ outputs.table.path }}"], outputs: {table: {}}}
      fit:
        command: [sh, -c, 'echo fit $1 >> "$0"; wc -c < "$2" | tr -d " " > "$3"; test $1 != oslo || test -e "$0.mended"', "LEDGER", "${{ city }}", "${{ inputs.table.path }}", "${{ outputs.size.path }}"]
        inputs: {table: fetch.table}
        outputs: {size: {type: integer}}
    outputs: {size: fit.size}
  ship:
    switch:
      - {when: "size(steps.train.outputs.size) > 5", steps: {many: {command: [echo, many]}}}
      - {steps: {few: {command: [sh, -c, 'echo few >> "$0"', "LEDGER"]}}}
finally:
  tell: {command: [sh, -c, 'echo tell >> "$0"', "LEDGER"]}
"""


def ran(leat, ledger):
    """What has run since it was last asked."""
    lines = sorted(ledger.read_text().splitlines()) if ledger.exists() else []
    ledger.write_text("")
    ledger.chmod(0o666)
    return lines


def begin(leat, name):
    ledger = leat.work / f"again-{name}"
    ran(leat, ledger)
    leat.apply(WORK.replace("LEDGER", str(ledger)).replace("name: again", f"name: {name}"))
    run = leat.json("run", name)["id"]
    assert leat.wait_run(run)["state"] == "failed"
    assert ran(leat, ledger) == ["fetch bonn", "fetch oslo", "fetch rome", "first", "fit bonn", "fit oslo", "fit rome", "tell"]
    return run, ledger


def retry(leat, run, *words):
    again = leat.json("retry", run, *words)["id"]
    shown = leat.wait_run(again)
    assert shown["retry_of"] == run
    return shown


def mend(leat, ledger):
    (leat.work / f"{ledger.name}.mended").touch()


def test_a_retry_runs_only_the_item_that_failed(leat):
    run, ledger = begin(leat, "items")
    before = leat.json("show", run)
    assert retry(leat, run)["state"] == "failed"
    assert ran(leat, ledger) == ["fit oslo", "tell"]
    mend(leat, ledger)
    shown = retry(leat, run)
    assert shown["state"] == "succeeded", shown["reason"]
    assert ran(leat, ledger) == ["few", "fit oslo", "tell"]
    by_name = {}
    for step in shown["steps"]:
        by_name.setdefault(step["step"], []).append(step)
    assert by_name["train"][0]["outputs"] == {"size": [7, 7, 7]}
    assert [s["item"] for s in by_name["train/fit"] if not s["reason"]] == ["oslo"]
    assert all(s["reason"] == f"adopted from {run}" for s in by_name["train/fetch"] + by_name["first"])
    assert leat.json("show", run) == before  # a finished run never changes


def test_from_a_step_inside_it_runs_anew_in_every_item(leat):
    run, ledger = begin(leat, "inside")
    mend(leat, ledger)
    good = retry(leat, run)
    ran(leat, ledger)
    again = retry(leat, good["id"], "--from", "train/fit")
    assert again["state"] == "succeeded"
    assert ran(leat, ledger) == ["few", "fit bonn", "fit oslo", "fit rome", "tell"]
    again = retry(leat, good["id"], "--from", "tell")
    assert ran(leat, ledger) == ["tell"]


def test_what_cannot_be_meant_is_refused(leat):
    run, ledger = begin(leat, "refused")
    mend(leat, ledger)
    good = retry(leat, run)["id"]
    for step, why in {"ship/many": "stands in a branch of ship that was not taken in that run",
                      "fit": "do you mean train/fit?", "train/fit[2]": "name train/fit",
                      "nothing": "has no step nothing in that version"}.items():
        said = leat.leat("retry", good, "--from", step)
        assert said.returncode == 4 and why in said.stderr, (step, said)
    last = retry(leat, good, "--from", "ship")["id"]
    said = leat.leat("retry", last, "--from", "train/fit")
    assert said.returncode == 4 and f"train was adopted from {good} as a whole" in said.stderr
    said = leat.leat("retry", last)
    assert said.returncode == 4 and "there is nothing to try again" in said.stderr


def test_a_leader_that_dies_in_a_retry(leat):
    items = list(range(12))
    text = f"""
name: long
steps:
  each:
    for_each: {items}
    parallelism: 2
    fail_fast: false
    steps:
      a: {{command: [sh, -c, 'echo a $1 >> "$0"', "LEDGER", "${{{{ item }}}}"]}}
      b: {{needs: a, command: [sh, -c, 'echo b $1 >> "$0"; test $(($1 % 3)) != 0 || test -e "$0.mended" && sleep 0.5', "LEDGER", "${{{{ item }}}}"]}}
"""
    ledger = leat.work / "again-long"
    ran(leat, ledger)
    leat.apply(text.replace("LEDGER", str(ledger)))
    run = leat.json("run", "long")["id"]
    assert leat.wait_run(run)["state"] == "failed"
    ran(leat, ledger)
    mend(leat, ledger)
    again = leat.json("retry", run)["id"]
    for _ in range(3):
        until(lambda: leat.pids("leat-scheduler"), what="a scheduler")
        leat.kill("leat-scheduler")
        time.sleep(0.7)
    assert leat.wait_run(again, 180)["state"] == "succeeded"
    assert ran(leat, ledger) == sorted(f"b {n}" for n in items if n % 3 == 0)
