"""Running again: what a retry of a run with DAGs inside its DAG takes over, and what it runs anew."""
import hashlib
import json
import re
import time

from leat import request, until

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
    for step in ("train/fit", "train/fit[2]"):  # nothing of it is in this run
        said = leat.leat("logs", last, step)
        assert said.returncode == 3 and f"train was adopted from {good} as a whole" in said.stderr, said
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
        leat.kill("leat-scheduler")
        time.sleep(0.7)
    assert leat.wait_run(again, 180)["state"] == "succeeded"
    assert ran(leat, ledger) == sorted(f"b {n}" for n in items if n % 3 == 0)


# ---- only ----------------------------------------------------------------------------------------

PARTS = """
name: parts
params: {who: anna}
steps:
  clean: {command: [sh, -c, 'echo clean >> "$0"; echo "$1" > "$2"; echo 5 > "$3"', "LEDGER", "${{ params.who }}", "${{ outputs.table.path }}", "${{ outputs.rows.path }}"], outputs: {table: {}, rows: {type: integer}}}
  train: {command: [sh, -c, 'echo train $2 >> "$0"; cat "$1" > "$3"', "LEDGER", "${{ inputs.table.path }}", "${{ params.who }} ${{ steps.clean.outputs.rows }}", "${{ outputs.model.path }}"], inputs: {table: clean.table}, outputs: {model: {}}}
  test: {command: [sh, -c, 'echo test $(cat "$1") >> "$0"', "LEDGER", "${{ inputs.model.path }}"], inputs: {model: train.model}}
  ship: {needs: test, command: [sh, -c, 'echo ship >> "$0"; false', "LEDGER"]}
finally:
  tell: {command: [sh, -c, 'echo tell >> "$0"', "LEDGER"]}
"""


def states(shown):
    return {step["name"]: step["state"] for step in shown["steps"]}


def test_only_some_steps_with_what_they_need_of_another_run(leat):
    ledger = leat.work / "again-parts"
    ran(leat, ledger)
    leat.apply(PARTS.replace("LEDGER", str(ledger)))
    old = leat.json("run", "parts", "-p", "who=bea")["id"]
    assert leat.wait_run(old)["state"] == "failed"
    ran(leat, ledger)
    done = leat.leat("run", "parts", "--only", "train", "--only", "test", "--inputs-from", old, "--wait", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert ran(leat, ledger) == ["test bea", "train bea 5"]
    shown = leat.json("show", json.loads(done.stdout)["id"])
    assert states(shown) == {"clean": "succeeded", "train": "succeeded", "test": "succeeded", "ship": "skipped", "tell": "skipped"}
    assert shown["inputs_from"] == old and shown["only"] == ["train", "test"] and shown["retry_of"] is None
    assert shown["params"] == {"who": "bea"}
    table = leat.ok("show", shown["id"])
    assert old in table and "inputs from" in table
    # A newer version of the step, with the results that the older one had.
    leat.apply(PARTS.replace("LEDGER", str(ledger)).replace("echo train", "echo TRAIN"))
    assert leat.leat("run", "parts", "--only", "train", "--inputs-from", old, "-p", "who=cleo", "--wait").returncode == 0
    assert ran(leat, ledger) == ["TRAIN cleo 5"]


def test_only_is_refused_with_what_is_missing(leat):
    ledger = leat.work / "again-parts"
    old = leat.json("runs", "--pipeline", "parts", "--state", "failed")[0]["id"]
    leat.apply(PARTS.replace("LEDGER", str(ledger)).replace("outputs: {table: {}, rows", "outputs: {table: {}, extra: {}, rows"))
    for words, code, why in [(["--only", "train", "--inputs-from", old], 4, "output extra of step clean is needed, and that run has none"),
                             (["--only", "ship,nothing", "--inputs-from", old], 4, "has no step nothing"),
                             (["--only", "train"], 2, "--only and --inputs-from go together")]:
        said = leat.leat("run", "parts", *words)
        assert said.returncode == code and why in said.stderr, (words, said)
    leat.apply(PARTS.replace("LEDGER", str(ledger)).replace("needs: test", "needs: [test, more]").replace("finally:", "  more: {command: [echo]}\nfinally:"))
    said = leat.leat("run", "parts", "--only", "ship", "--inputs-from", old)
    assert said.returncode == 4 and "step more is needed, and that run has no such step" in said.stderr
    leat.apply(PARTS.replace("LEDGER", str(ledger)).replace("finally:", "  after: {needs: ship, command: [echo]}\nfinally:"))
    said = leat.leat("run", "parts", "--only", "after", "--inputs-from", old)
    assert said.returncode == 4 and "step ship is needed, and in that run it is failed" in said.stderr


PART = """
name: part
params: {cities: {type: json, default: [oslo, rome]}}
steps:
  clean: {command: [sh, -c, 'echo clean >> "$0"; echo 5 > "$1"', LEDGER, "${{ outputs.rows.path }}"], outputs: {rows: {type: integer}}}
  train:
    for_each: "${{ params.cities }}"
    as: city
    steps:
      fetch: {command: [sh, -c, 'echo got $2; echo fetch $2 >> "$0"; echo "table of $2" > "$1"', LEDGER, "${{ outputs.table.path }}", "${{ city }} ${{ steps.clean.outputs.rows }}"], outputs: {table: {}}}
      fit: {uses: ./part-fit.yaml, with: {city: "${{ city }}"}, inputs: {table: fetch.table}}
      evaluate: {command: [sh, -c, 'echo evaluate >> "$0"; echo 0.5 > "$1"', LEDGER, "${{ outputs.rmse.path }}"], needs: fit, outputs: {rmse: {type: number}}}
    finally: {tidy: {command: [sh, -c, 'echo tidy >> "$0"', LEDGER]}}
    outputs: {model: fit.model, rmse: evaluate.rmse}
  best: {command: [sh, -c, 'echo best "$1" >> "$0"', LEDGER, "${{ steps.train.outputs.model }}"]}
  report: {command: [sh, -c, 'echo report "$1" >> "$0"', LEDGER, "${{ steps.train.outputs.rmse }}"]}
"""
PART_FIT = """
kind: component
name: fit
params: {city: {type: string}}
inputs: {table: {}}
outputs: {model: fit.model}
steps:
  prepare: {command: [sh, -c, 'echo prepare $1 >> "$0"', LEDGER, "${{ params.city }}"]}
  fit: {needs: prepare, command: [sh, -c, 'echo fit "$1: $(cat "$2")" >> "$0"; echo "model of $1" > "$3"', LEDGER, "${{ params.city }}", "${{ inputs.table.path }}", "${{ outputs.model.path }}"], inputs: {table: inputs.table}, outputs: {model: {type: string}}}
"""


def test_only_a_step_inside_a_group(leat):
    ledger = leat.work / "again-part"
    (leat.work / "part-fit.yaml").write_text(PART_FIT.replace("LEDGER", str(ledger)))
    file = leat.work / "part.yaml"
    file.write_text(PART.replace("LEDGER", str(ledger)))
    leat.ok("apply", file)
    old = leat.json("run", "part")["id"]
    assert leat.wait_run(old)["state"] == "succeeded"
    ran(leat, ledger)
    only = ("--inputs-from", old, "--wait", "-o", "json")

    # A component of two steps in each item: one of them, with what it needs in its own item, and who looks at it.
    done = leat.leat("run", "part", "--only", "train/fit/fit,best", *only)
    assert done.returncode == 0, done.stderr
    assert ran(leat, ledger) == ["best [\"model of oslo\",\"model of rome\"]", "fit oslo: table of oslo 5", "fit rome: table of rome 5"]
    shown = leat.json("show", json.loads(done.stdout)["id"])
    train = [step for step in shown["steps"] if step["step"] == "train"][0]
    assert train["reason"] == "ran in part: train/fit/fit,best" and train["outputs"] == {"model": ["model of oslo", "model of rome"]}
    of = {}
    for step in shown["steps"]:
        of.setdefault(step["step"], []).append(step["state"] + (" taken" if step["reason"].startswith("adopted from") else ""))
    assert of == {"clean": ["succeeded taken"], "train": ["succeeded"], "train/fetch": ["succeeded taken"] * 2, "train/fit": ["succeeded"] * 2,
                  "train/fit/prepare": ["succeeded taken"] * 2, "train/fit/fit": ["succeeded"] * 2, "train/evaluate": ["skipped"] * 2, "train/tidy": ["skipped"] * 2,
                  "best": ["succeeded"], "report": ["skipped"]}

    says = [step["name"] for step in shown["steps"] if step["step"] == "train/fetch"]
    assert [leat.ok("logs", shown["id"], name) for name in says] == ["got oslo 5\n", "got rome 5\n"]

    # Another list: nothing to take over, unless nothing is needed there.
    done = leat.leat("run", "part", "--only", "train/evaluate", "-p", "cities=[\"rome\"]", *only)
    assert done.returncode == 1 and ran(leat, ledger) == []
    train = [step for step in leat.json("show", json.loads(done.stdout)["id"])["steps"] if step["step"] == "train"][0]
    assert train["state"] == "failed" and train["reason"] == f"nothing to take over: its list of 1 items is not the one of run {old}, of 2"
    done = leat.leat("run", "part", "--only", "train/fetch", "-p", "cities=[\"bari\", \"rome\", \"oslo\"]", *only)
    assert done.returncode == 0, done.stderr
    assert ran(leat, ledger) == ["fetch bari 5", "fetch oslo 5", "fetch rome 5"]
    short = json.loads(done.stdout)["id"]

    # What is missing, or cannot be meant.
    for steps, of, why in [("train/fit/fit,report", old, "step report looks at output rmse of train, which this run leaves out: name train/evaluate too"),
                           ("train/fit[1]", old, "train/fit[1] is one instance of a step"),
                           ("evaluate", old, "has no step evaluate in that version; do you mean train/evaluate?"),
                           ("train/evaluate", short, "step train/fit[1] is needed, and that run left it out")]:
        said = leat.leat("run", "part", "--only", steps, "--inputs-from", of)
        assert said.returncode in (2, 4) and why in said.stderr, (steps, said)


def test_a_leader_that_dies_in_a_part_of_a_group(leat):
    """The old run is of another version than the new one, and is wanted in each item until the last."""
    items = list(range(8))
    text = f"""
name: lasting
steps:
  each:
    for_each: {items}
    parallelism: 2
    steps:
      a: {{command: [sh, -c, 'echo a $1 >> "$0"; echo $1 > "$2"', "LEDGER", "${{{{ item }}}}", "${{{{ outputs.n.path }}}}"], outputs: {{n: {{type: integer}}}}}}
      b: {{command: [sh, -c, 'echo b $1 >> "$0"', "LEDGER", "${{{{ steps.a.outputs.n }}}}"]}}
      c: {{needs: b, command: [sh, -c, 'echo c >> "$0"', "LEDGER"]}}
"""
    ledger = leat.work / "again-lasting"
    ran(leat, ledger)
    leat.apply(text.replace("LEDGER", str(ledger)))
    old = leat.json("run", "lasting")["id"]
    assert leat.wait_run(old)["state"] == "succeeded"
    ran(leat, ledger)
    leat.apply(text.replace("LEDGER", str(ledger)).replace("echo b $1", "sleep 0.5; echo B $1"))
    run = leat.json("run", "lasting", "--only", "each/b", "--inputs-from", old)["id"]
    for _ in range(3):
        leat.kill("leat-scheduler")
        time.sleep(0.7)
    shown = leat.wait_run(run, 180)
    assert shown["state"] == "succeeded", shown
    assert ran(leat, ledger) == [f"B {n}" for n in items]
    taken = [step for step in shown["steps"] if step["step"] == "each/a"]
    assert len(taken) == len(items) and all(step["reason"] == f"adopted from {old}" for step in taken)


# ---- logs ----------------------------------------------------------------------------------------

TOLD = """
name: told
steps:
  first: {command: [echo, first ran]}
  each:
    needs: first
    for_each: [a, b]
    parallelism: 1
    fail_fast: false
    steps:
      say: {command: [echo, "says ${{ item }}"]}
      end: {needs: say, command: [sh, -c, 'echo "ends $1"; test -e "$0" && sleep 2', MENDED, "${{ item }}"]}
  last: {needs: [first], command: [echo, last ran]}
"""
TOLD_LINES = ["[each/end] ends a", "[each/end] ends b", "[each/say] says a", "[each/say] says b", "[first] first ran", "[last] last ran"]


def lines_of(text):
    return sorted(re.sub(r"^\[([^]\[]*)\[\d+\]\]", r"[\1]", line) for line in text.splitlines())


def test_the_log_of_a_result_that_was_adopted_is_that_of_the_run_that_ran_it(leat):
    mended = leat.work / "again-told.mended"
    leat.apply(TOLD.replace("MENDED", str(mended)))
    run = leat.json("run", "told")["id"]
    assert leat.wait_run(run)["state"] == "failed"
    mended.touch()
    # The second item's frame takes over its result while the stream is read.
    again = leat.json("retry", run)["id"]
    assert lines_of(leat.ok("logs", again, "-f")) == TOLD_LINES
    assert lines_of(leat.ok("logs", again, "-f")) == TOLD_LINES  # from Postgres alone
    assert leat.wait_run(again)["state"] == "succeeded"
    assert lines_of(leat.ok("logs", again)) == TOLD_LINES
    for options in ([], ["-f"], ["--attempt", "1"]):
        assert leat.ok("logs", again, "first", *options) == "first ran\n"
    told = request("GET", f"{leat.api}/api/v1/runs/{again}/logs/first")
    assert told.headers["Leat-Log-From"] == run and told.headers["Leat-Log-Complete"] == "true"
    says = [s for s in leat.json("show", again)["steps"] if s["step"] == "each/say"]
    assert [leat.ok("logs", again, s["name"]) for s in says] == ["says a\n", "says b\n"]
    # Adopted again, and again by a version in which the step stands elsewhere.
    third = leat.json("retry", again, "--from", "last")["id"]
    leat.wait_run(third)
    leat.apply(TOLD.replace("MENDED", str(mended)).replace("steps:\n  first", "steps:\n  before: {command: [echo, before]}\n  first"))
    only = leat.json("run", "told", "--only", "last", "--inputs-from", third)["id"]
    assert leat.wait_run(only)["state"] == "succeeded"
    for later in (third, only):
        assert leat.ok("logs", later, "first") == leat.ok("logs", later, "first", "-f") == "first ran\n"
        assert request("GET", f"{leat.api}/api/v1/runs/{later}/logs/first").headers["Leat-Log-From"] == run
    own = request("GET", f"{leat.api}/api/v1/runs/{only}/logs/last")
    assert own.body == b"last ran\n" and "Leat-Log-From" not in own.headers


def test_a_log_whose_run_is_no_longer_kept_is_said(leat):
    leat.apply("name: kept\nsteps:\n  first: {command: [echo, first ran]}\n  mute: {command: ['true']}\n"
               "  last: {needs: [first, mute], command: [sh, -c, 'echo last ran; false']}\n")
    run = leat.json("run", "kept")["id"]
    leat.wait_run(run)
    again = leat.json("retry", run)["id"]
    leat.wait_run(again)
    third = leat.json("retry", again)["id"]
    leat.wait_run(third)
    for options in ([], ["-f"]):
        said = leat.leat("logs", third, *options)
        assert lines_of(said.stdout) == ["[first] first ran", "[last] last ran"] and said.stderr == "", said
    for table, key in (("step_result", "run"), ("attempt_done", "run"), ("run_done", "id")):
        leat.sql(f"DELETE FROM {table} WHERE {key} = '{run}'")
    for later, by in ((again, run), (third, again)):
        gone = f"first: adopted from {by}, and its log is no longer kept\n"
        for options in ([], ["-f"]):
            said = leat.leat("logs", later, "first", *options)
            assert (said.returncode, said.stdout, said.stderr) == (0, "", gone)
            said = leat.leat("logs", later, "mute", *options)  # it never wrote anything
            assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
            said = leat.leat("logs", later, *options)
            assert (said.returncode, said.stdout, said.stderr) == (0, "[last] last ran\n", gone), said
        told = request("GET", f"{leat.api}/api/v1/runs/{later}/logs/first")
        assert told.status == 200 and told.body == b"" and told.headers["Leat-Log-Gone"] == "true"
        assert told.headers["Leat-Log-Complete"] == "false" and "Leat-Log-From" not in told.headers


TRIED = """
name: tried
steps:
  steady: {command: [echo, steady]}
  shaky: {command: [sh, -c, 'echo try $LEAT_ATTEMPT; test $LEAT_ATTEMPT = 3'], retry: {attempts: 3, backoff: {first: 100ms}}}
  ask: {needs: shaky, approval: {}}
  later: {needs: ask, command: [echo, later]}
"""


def test_an_attempt_that_is_not_there_is_told_with_those_that_are(leat):
    leat.apply(TRIED)
    run = leat.json("run", "tried")["id"]
    until(lambda: states(leat.json("show", run))["ask"] == "waiting", what="the approval")
    assert leat.ok("logs", run, "shaky", "--attempt", "2") == "try 2\n"
    for step, attempt, why in (("shaky", 4, "step shaky has no attempt 4: it has 1 to 3"), ("steady", 2, "step steady has no attempt 2: it has 1"),
                               ("later", 1, "step later has no attempt 1: none has begun")):
        said = leat.leat("logs", run, step, "--attempt", str(attempt))
        assert said.returncode == 3 and said.stdout == "" and why in said.stderr, said
        told = request("GET", f"{leat.api}/api/v1/runs/{run}/logs/{step}?attempt={attempt}")
        assert told.status == 404 and told.json()["detail"] == why
    said = leat.leat("logs", run, "shaky", "--attempt", "4", "-f")  # it is over: no such attempt comes
    assert said.returncode == 3 and "it has 1 to 3" in said.stderr, said
    assert leat.ok("logs", run, "shaky", "--attempt", "3", "-f") == "try 3\n"
    # Of all steps: those that have it.
    assert leat.ok("logs", run, "--attempt", "2") == "[shaky] try 2\n"
    said = leat.leat("logs", run, "--attempt", "4")
    assert said.returncode == 3 and "no step of the run has an attempt 4" in said.stderr, said
    said = leat.leat("logs", run, "nothing", "--attempt", "1")
    assert said.returncode == 3 and "has no step 'nothing'" in said.stderr
    assert request("GET", f"{leat.api}/api/v1/runs/{run}/logs/nothing?attempt=1").json()["detail"] == "the run has no step 'nothing'"
    leat.ok("cancel", run)


# ---- rerun ---------------------------------------------------------------------------------------

EVENTFUL = """
name: eventful
on:
  object: {bucket: again, suffix: .txt, vars: {_KEY: "${{ event.data.object.key }}"}}
params: {prefix: "", mood: fine}
steps:
  look:
    command: [sh, -c, 'cat "$1"/files/* >> "$0"; echo "$2 $3 $4" >> "$0"', "LEDGER", "${{ inputs.all.path }}", "${{ event.data.object.key }}", "${{ vars._KEY }}", "${{ params.mood }}"]
    inputs: {all: {objects: {bucket: again, prefix: "${{ params.prefix }}", suffix: .txt}}}
"""


def test_a_rerun_sees_the_same_event_and_objects(leat):
    ledger = leat.work / "again-eventful"
    ran(leat, ledger)
    leat.apply("{kind: source, name: again, provider: directory}")
    leat.apply(EVENTFUL.replace("LEDGER", str(ledger)))
    run = leat.event_runs(leat.put("again", "a.txt", b"one\n").json()["event"])[0]
    first = leat.wait_run(run)
    assert first["state"] == "succeeded", first
    assert ran(leat, ledger) == ["a.txt a.txt fine", "one"]
    second = leat.event_runs(leat.put("again", "a.txt", b"two\n").json()["event"])[0]
    leat.wait_run(second)
    ran(leat, ledger)
    leat.apply(EVENTFUL.replace("LEDGER", str(ledger)).replace("cat", "tac"))
    again = leat.wait_run(leat.json("rerun", run, "-p", "mood=bright")["id"])
    assert again["state"] == "succeeded", again
    assert ran(leat, ledger) == ["a.txt a.txt bright", "one"]  # the bytes of then
    assert again["rerun_of"] == run and again["version"] == first["version"] and again["event"] == first["event"]
    assert states(again)["objects:look.all"] == "succeeded" and again["retry_of"] is None
    again = leat.wait_run(leat.json("rerun", run, "-p", "prefix=a")["id"])
    assert ran(leat, ledger) == ["a.txt a.txt fine", "two"]  # another set of objects is pinned anew


def test_a_rerun_says_which_pinned_objects_are_gone(leat):
    run = leat.json("runs", "--pipeline", "eventful")[-1]["id"]
    pinned = next(a for a in leat.json("artifacts", run) if a["step"] == "objects:look.all")
    def place(sha256):
        return leat.data / "store/objects" / sha256[:2] / sha256[2:]
    manifest = json.loads(place(pinned["sha256"]).read_bytes())
    for hash in (pinned["sha256"], manifest["objects"][0]["sha256"]):
        path = place(hash)
        path.rename(path.with_suffix(".away"))
        said = leat.leat("rerun", run)
        assert said.returncode == 4 and "can no longer be had" in said.stderr and hash[:12] in said.stderr, said
        again = leat.wait_run(leat.json("rerun", run, "--anyway")["id"])
        assert again["state"] == "failed" and states(again)["look"] == "failed", again
        path.with_suffix(".away").rename(path)
    assert leat.wait_run(leat.json("rerun", run)["id"])["state"] == "succeeded"


def test_a_rerun_says_of_which_pinned_objects_nobody_looks(leat):
    """A set of more objects than a rerun looks for: made of one that is there, for the row of a run that is over."""
    run = leat.json("runs", "--pipeline", "eventful")[-1]["id"]
    pinned = next(a for a in leat.json("artifacts", run) if a["step"] == "objects:look.all")
    def place(sha256):
        return leat.data / "store/objects" / sha256[:2] / sha256[2:]
    manifest = json.loads(place(pinned["sha256"]).read_bytes())
    manifest["objects"] = [{**manifest["objects"][0], "key": f"{n}.txt"} for n in range(10_000)]
    body = json.dumps(manifest).encode()
    many = hashlib.sha256(body).hexdigest()
    place(many).parent.mkdir(exist_ok=True)
    place(many).parent.chmod(0o755)
    place(many).write_bytes(body)
    where = f"run = '{run}' AND outputs->'manifest'->>'artifact' = '{pinned['sha256']}'"
    leat.sql(f"CREATE TABLE kept AS SELECT * FROM step_result WHERE {where}; DELETE FROM step_result WHERE {where}; "
             f"INSERT INTO step_result SELECT (jsonb_populate_record(k, jsonb_build_object('outputs', jsonb_set(outputs, '{{manifest,artifact}}', '\"{many}\"')))).* FROM kept AS k")
    beyond = "of what that run pinned only the first 10000 objects were looked for, and not 1 more"
    try:
        said = leat.leat("rerun", run, "-o", "json")
        assert said.returncode == 0 and said.stderr == f"warning: {beyond}\n", said
        again = json.loads(said.stdout)["id"]
        leat.leat("cancel", again)  # unless it has ended
        leat.wait_run(again)
        one = place(manifest["objects"][0]["sha256"])
        one.rename(one.with_suffix(".away"))
        said = leat.leat("rerun", run)
        one.with_suffix(".away").rename(one)
        assert said.returncode == 4 and "and 9996 more" in said.stderr and said.stderr.endswith(f"; {beyond}\n"), said
    finally:
        leat.sql(f"DELETE FROM step_result WHERE run = '{run}' AND outputs->'manifest'->>'artifact' = '{many}'; "
                 "INSERT INTO step_result SELECT * FROM kept; DROP TABLE kept")


def test_a_rerun_says_what_can_no_longer_be_had(leat):
    run = leat.json("runs", "--pipeline", "eventful")[-1]["id"]
    event = leat.json("show", run)["event"]
    leat.sql(f"DELETE FROM event WHERE id = '{event}'")
    said = leat.leat("rerun", run)
    assert said.returncode == 4 and f"{event}, is no longer kept" in said.stderr, said
    again = leat.wait_run(leat.json("rerun", run, "--anyway")["id"])
    assert again["state"] == "failed" and "event" in again["reason"]
    leat.ok("delete", "eventful")
    said = leat.leat("rerun", run, "--anyway")
    assert said.returncode == 4 and "pipeline eventful was deleted" in said.stderr


# ---- pause, resume, delete -----------------------------------------------------------------------

def test_a_pipeline_that_is_deleted_comes_back(leat):
    gate = leat.work / "gate-fading"
    text = ("name: fading\non: {object: {bucket: again, suffix: .fade}}\n"
            f"steps: {{nap: {{command: [sh, -c, 'while ! [ -e {gate} ]; do sleep 0.1; done; false']}}}}\n")
    leat.apply(text)
    run, other = (leat.json("run", "fading")["id"] for _ in range(2))
    version = leat.json("pipeline", "fading")["version"]
    said = leat.leat("delete", "fading/object")
    assert said.returncode == 2 and "pause it" in said.stderr
    leat.ok("delete", "fading")
    assert leat.leat("pipeline", "fading").returncode == 3 and leat.leat("delete", "fading").returncode == 3
    assert leat.leat("run", "fading").returncode != 0
    event = leat.put("again", "a.fade", b"x").json()["event"]
    assert leat.event_runs(event) == [] and leat.json("event", event)["verdicts"] == []
    leat.ok("cancel", other)
    assert leat.wait_run(other)["state"] == "cancelled"
    gate.touch()
    shown = leat.wait_run(run)
    assert shown["state"] == "failed" and shown["version"] == version
    said = leat.leat("retry", run)
    assert said.returncode == 4 and "pipeline fading was deleted" in said.stderr
    leat.apply(text)
    assert leat.json("pipeline", "fading")["version"] == version
    assert leat.json("retry", run)["id"]
    assert len(leat.event_runs(leat.put("again", "b.fade", b"x").json()["event"])) == 1
    assert leat.json("show", run) == shown


def test_a_paused_trigger_and_a_paused_pipeline_keep_verdicts(leat):
    leat.apply("name: still\non: {object: {bucket: again, suffix: .still}}\nsteps: {one: {command: ['true']}}\n")
    for what in ("still", "still/object"):
        leat.ok("pause", what)
        event = leat.put("again", f"{len(what)}.still", b"x").json()["event"]
        assert leat.event_runs(event) == []
        assert [v["verdict"] for v in leat.json("event", event)["verdicts"]] == ["paused"]
        leat.ok("resume", what)
        assert len(leat.event_runs(leat.put("again", f"{len(what)}.still", b"y").json()["event"])) == 1


def test_a_run_is_drawn(leat):
    leat.apply("name: drawn\nsteps: {old: {command: ['true']}}\n")
    run = leat.json("run", "drawn")["id"]
    leat.apply("name: drawn\nsteps: {new: {command: ['true']}}\n")
    assert "old" in leat.ok("graph", run) and "new" in leat.ok("graph", "drawn")
    assert leat.leat("graph", "nothing").returncode == 3
    assert "class" not in leat.ok("graph", "drawn")


def test_a_runs_drawing_is_coloured_by_how_its_steps_are(leat):
    leat.apply("""
name: coloured
steps:
  good: {executor: noop}
  each: {for_each: [0, 1], steps: {one: {command: [sh, -c, "exit $0", "${{ item }}"]}, two: {when: "false", executor: noop}}}
  after: {needs: each, executor: noop}
""")
    run = leat.json("run", "coloured")["id"]
    leat.wait_run(run)
    lines = [line.strip() for line in leat.ok("graph", run).splitlines()]
    for line in ("class s1,s2 failed", "class s4 upstream_failed", "class s0 succeeded", "class s3 skipped"):
        assert line in lines, lines
    assert {line.split()[1] for line in lines if line.startswith("classDef")} == {"failed", "upstream_failed", "succeeded", "skipped"}
