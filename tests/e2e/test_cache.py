"""cache on real daemons: what is taken from an earlier run, what is seen of it, and what runs all the same."""
import pytest
from leat import ROOT, request, until

CACHED = """
name: cached
params: {n: "1"}
steps:
  make:
    cache: {}
    command: [sh, -c, 'echo "$LEAT_RUN_ID make" >> LEDGER; echo $1 > $2; echo 4 > $3', sh, "${{ params.n }}", "${{ outputs.table.path }}", "${{ outputs.k.path }}"]
    outputs: {table: {}, k: {type: integer}}
  use:
    cache: {ttl: 1h}
    command: [sh, -c, 'echo "$LEAT_RUN_ID use" >> LEDGER; cat $1 > $2', sh, "${{ inputs.table.path }}", "${{ outputs.copy.path }}"]
    inputs: {table: make.table}
    outputs: {copy: {}}
"""


@pytest.fixture(scope="module")
def cached(leat):
    leat.apply(CACHED.replace("LEDGER", str(leat.ledger)))
    return leat


def start(leat, *more):
    return leat.wait_run(leat.json("run", "cached", *more)["id"])


def ran(leat, shown):
    return [line[1] for line in leat.ledger_lines() if line[0] == shown["id"]]


def steps_of(shown):
    return {step["name"]: step for step in shown["steps"]}


def test_the_same_again_is_taken_and_says_from_where(cached):
    first = start(cached, "-p", "n=7")
    assert ran(cached, first) == ["make", "use"]
    assert steps_of(first)["make"]["cached_from"] is None
    again = start(cached, "-p", "n=7")
    assert again["state"] == "succeeded" and ran(cached, again) == []
    for name, step in steps_of(again).items():
        assert step["cached_from"] == first["id"] and step["attempt"] == 0
        assert step["outputs"] == steps_of(first)[name]["outputs"]
    assert f"cached from {first['id']}" in cached.ok("show", again["id"])
    assert cached.ok("artifact", "get", again["id"], "use.copy", "-o", "-") == "7\n"


def test_logs_say_where_the_log_is(cached):
    first = start(cached, "-p", "n=12")
    again = start(cached, "-p", "n=12")
    retried = cached.wait_run(cached.json("retry", again["id"], "--from", "use")["id"])
    for run in (again, retried):
        for options in ([], ["-f"]):
            one = cached.leat("logs", run["id"], "make", *options)
            assert one.returncode == 0 and one.stdout == ""
            assert one.stderr == f"make: cached from {first['id']}, `leat logs {first['id']}` has what it said\n"
            both = cached.leat("logs", run["id"], *options)
            assert both.returncode == 0 and [line.split(":")[0] for line in both.stderr.splitlines()] == ["make", "use"]
        told = request("GET", f"{cached.api}/api/v1/runs/{run['id']}/logs/make")
        assert told.body == b"" and told.headers["Leat-Log-Cached-From"] == first["id"] and told.headers["Leat-Log-Complete"] == "true"
    assert cached.leat("logs", first["id"], "make").stderr == ""


def test_other_arguments_run_and_no_cache_runs_all(cached):
    first = start(cached, "-p", "n=8")
    assert ran(cached, first) == ["make", "use"]
    anew = start(cached, "-p", "n=8", "--no-cache")
    assert ran(cached, anew) == ["make", "use"]
    last = start(cached, "-p", "n=8")
    assert steps_of(last)["make"]["cached_from"] == anew["id"]  # what it gave is the newest


def test_running_again_looks_unless_told_not_to(cached):
    first = start(cached, "-p", "n=11")
    ran(cached, first)
    for verb in (["rerun", first["id"]], ["retry", first["id"], "--from", "make"]):
        for option, expected in ([], []), (["--no-cache"], ["make", "use"]):
            again = cached.wait_run(cached.json(*verb, *option)["id"])
            assert again["state"] == "succeeded"
            assert ran(cached, again) == expected, (verb, option)


def test_a_leader_that_dies_changes_nothing(cached):
    first = start(cached, "-p", "n=9")
    for point in ("commit-sent-after", "batch-begin-after"):
        cached.arm(f"{point}:1:kill")
        again = start(cached, "-p", "n=9")
        until(lambda: cached.struck(point), what=point)
        cached.arm()
        assert again["state"] == "succeeded" and ran(cached, again) == []
        assert steps_of(again)["use"]["cached_from"] == first["id"]


def test_a_result_whose_history_is_gone_is_none(cached):
    first = start(cached, "-p", "n=10")
    cached.sql(f"DELETE FROM step_result WHERE run = '{first['id']}'")
    again = start(cached, "-p", "n=10")
    assert ran(cached, again) == ["make", "use"]


def test_what_cannot_be_in_the_key_is_refused(cached):
    for text, why in (("command: [cp, 's3://b/k', .]", "names a bucket"), ("image: 'a/b:1'", "by its digest")):
        said = cached.leat("validate", cached.file("bad.yaml", f"name: bad\nsteps: {{s: {{{text}, cache: {{}}}}}}\n"))
        assert said.returncode != 0 and why in said.stdout + said.stderr


def test_the_example_says_where_its_features_are_from(cached):
    cached.ok("apply", str(ROOT / "examples/shapes/cache.yaml"))
    first = cached.wait_run(cached.json("run", "shapes-cache")["id"])
    again = cached.wait_run(cached.json("run", "shapes-cache")["id"])
    assert steps_of(again)["features"]["cached_from"] == first["id"]
    assert steps_of(again)["train"]["attempt"] == 1
