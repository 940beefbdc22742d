"""On a real MLflow. Every test has model names of its own."""

import json
import signal
import subprocess
import sys
import uuid

import pytest

from forecast_common.registry import Registry
from forecast_common.rest import Rest, RestError
from forecast_common.step import StepError

# Runs a piece of code and kills itself after the nth answer of MLflow.
KILLED = """
import json, os, signal, sys
from forecast_common import rest
from forecast_common.registry import Registry
send, left = rest.Rest._send, int(sys.argv[1])

def counted(*request):
    global left
    try:
        return send(*request)
    finally:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

rest.Rest._send = counted
registry = Registry(sys.argv[2])
name, other, run_id, source = sys.argv[3:]
"""
REGISTER = KILLED + 'registry.register(name, run_id, {"rmse": 1.5}, "new", lambda: json.loads(source))\n'
PROMOTE = KILLED + 'registry.promote(name, registry.version_of_run(name, run_id)["version"], [other])\n'
MOST_REQUESTS = 40


def killed_after(code, count, *args):
    """True when the code was killed after `count` answers, False when it had come to its end before."""
    done = subprocess.run([sys.executable, "-c", code, str(count), *args], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


@pytest.fixture
def registry(mlflow):
    return Registry(mlflow.uri)


@pytest.fixture(scope="session")
def source(mlflow):
    """A model as the registry wants it: something in the artifacts of a run (it does not look what)."""
    run = mlflow.call("POST", "runs/create", experiment_id="0")["run"]["info"]
    return {"source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]}


@pytest.fixture
def names():
    unique = uuid.uuid4().hex[:8]
    return f"a_{unique}", f"b_{unique}"


@pytest.fixture
def register(registry, source):
    def one(name, run_id):
        return registry.register(name, run_id, {"rmse": 1.5}, "new", lambda: source)

    return one


def production(mlflow, *names):
    """All Production versions over the names; the alias must say the same as the stage."""
    by_stage = {(n, v) for n in names for v, stage in mlflow.stages(n).items() if stage == "Production"}
    by_alias = {(n, mlflow.aliases(n)["production"]) for n in names if "production" in mlflow.aliases(n)}
    return by_stage, by_alias


def test_a_new_version_is_staging_and_carries_its_run(registry, mlflow, names, register):
    assert register(names[0], "run-1") == "1"
    version = mlflow.versions(names[0])["1"]
    assert version["current_stage"] == "Staging"
    assert version["description"] == "new"
    assert {t["key"]: t["value"] for t in version["tags"]} == {"leat.run_id": "run-1", "rmse": "1.5"}
    assert mlflow.aliases(names[0]) == {"staging": "1"}


def test_a_second_attempt_finds_the_first_one_s_version(registry, mlflow, names, register):
    def must_not_log():
        raise AssertionError("logged a second time")

    register(names[0], "run-1")
    assert registry.register(names[0], "run-1", {}, "", must_not_log) == "1"
    assert register(names[0], "run-2") == "2"
    assert mlflow.stages(names[0]) == {"1": "Staging", "2": "Staging"}
    assert mlflow.aliases(names[0]) == {"staging": "2"}


def test_a_late_attempt_moves_nothing_back(registry, mlflow, names, register):
    register(names[0], "run-1")
    register(names[0], "run-2")
    register(names[0], "run-1")
    assert mlflow.aliases(names[0]) == {"staging": "2"}
    registry.promote(names[0], "2", [names[1]])
    register(names[0], "run-2")
    assert mlflow.stages(names[0]) == {"1": "Staging", "2": "Production"}
    assert mlflow.aliases(names[0]) == {"production": "2"}


def test_a_run_without_a_version_has_none(registry, names, register):
    assert registry.version_of_run(names[0], "run-1") is None
    register(names[0], "run-1")
    assert registry.version_of_run(names[0], "run-10") is None
    with pytest.raises(StepError, match="a quote"):
        registry.version_of_run(names[0], "' or '1'='1")


def test_exactly_one_is_production_over_both_names(registry, mlflow, names, register):
    one, two = names
    register(one, "run-1")
    register(two, "run-1")
    assert registry.promote(one, "1", [two]) == []
    assert production(mlflow, *names) == ({(one, "1")}, {(one, "1")})

    register(two, "run-2")
    assert registry.promote(two, "2", [one]) == [(one, "1")]
    assert production(mlflow, *names) == ({(two, "2")}, {(two, "2")})
    assert mlflow.stages(one) == {"1": "Archived"}
    assert mlflow.stages(two) == {"1": "Staging", "2": "Production"}

    register(two, "run-3")
    assert registry.promote(two, "3", [one]) == [(two, "2")]
    assert production(mlflow, *names) == ({(two, "3")}, {(two, "3")})
    assert mlflow.stages(two) == {"1": "Staging", "2": "Archived", "3": "Production"}
    assert registry.promote(two, "3", [one]) == [], "a repeat changes nothing"


def test_productions_made_by_hand_are_archived_too(registry, mlflow, names, register):
    one, two = names
    for run_id in ("1", "2", "3"):
        register(one, run_id)
        register(two, run_id)
        for name in names:
            mlflow.call(
                "POST", "model-versions/transition-stage",
                name=name, version=run_id, stage="Production", archive_existing_versions=False,
            )
    registry.promote(one, "3", [two])
    assert production(mlflow, *names) == ({(one, "3")}, {(one, "3")})
    assert mlflow.stages(two) == {"1": "Archived", "2": "Archived", "3": "Archived"}


def test_a_model_that_does_not_exist_yet_is_no_obstacle(registry, mlflow, names, register):
    register(names[0], "run-1")
    assert registry.promote(names[0], "1", [names[1]]) == []
    assert mlflow.aliases(names[0]) == {"production": "1"}


def test_registering_killed_after_every_answer_converges(registry, mlflow, names, source):
    for count in range(1, MOST_REQUESTS):
        name = f"{names[0]}_{count}"
        killed = killed_after(REGISTER, count, mlflow.uri, name, "", "run-1", json.dumps(source))
        assert not killed_after(REGISTER, 0, mlflow.uri, name, "", "run-1", json.dumps(source))
        assert mlflow.stages(name) == {"1": "Staging"}, f"killed after {count} answers"
        assert mlflow.aliases(name) == {"staging": "1"}, f"killed after {count} answers"
        if not killed:
            break
    assert 5 < count < MOST_REQUESTS - 1


def test_promoting_killed_after_every_answer_converges(registry, mlflow, names, register, source):
    for count in range(1, MOST_REQUESTS):
        one, two = f"{names[0]}_{count}", f"{names[1]}_{count}"
        register(one, "run-1")
        registry.promote(one, "1", [two])
        register(two, "run-2")
        killed = killed_after(PROMOTE, count, mlflow.uri, two, one, "run-2", "null")
        assert all(len(found) <= 1 for found in production(mlflow, one, two)), f"killed after {count} answers"
        assert not killed_after(PROMOTE, 0, mlflow.uri, two, one, "run-2", "null")
        assert production(mlflow, one, two) == ({(two, "1")}, {(two, "1")}), f"killed after {count} answers"
        assert mlflow.stages(one) == {"1": "Archived"}
        assert mlflow.aliases(two) == {"production": "1"}
        if not killed:
            break
    assert 8 < count < MOST_REQUESTS - 1


def test_without_stages_the_aliases_alone_decide(registry, mlflow, names, register, monkeypatch):
    send = Rest._send

    def stageless(self, method, path, body):
        if path == "model-versions/transition-stage":
            raise RestError(404, "", "no such address")
        return send(self, method, path, body)

    monkeypatch.setattr(Rest, "_send", stageless)
    one, two = names
    register(one, "run-1")
    register(two, "run-1")
    registry.promote(one, "1", [two])
    assert registry.promote(two, "1", [one]) == [(one, "1")]
    assert production(mlflow, *names)[1] == {(two, "1")}
    assert mlflow.aliases(one) == {}
    assert mlflow.aliases(two) == {"production": "1"}


def test_a_version_that_is_gone_is_an_error(registry, names, register):
    register(names[0], "run-1")
    with pytest.raises(RestError, match="RESOURCE_DOES_NOT_EXIST"):
        registry.promote(names[0], "7", [])
