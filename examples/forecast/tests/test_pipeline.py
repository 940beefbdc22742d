"""The whole pipeline on real data and a real MLflow, each step as a process of its own.

Every test has registered models of its own (model_prefix), so that they do not disturb each other.
"""

import json
import subprocess
import sys
import uuid

import pytest

from pipeline import Runner, StepFailed, definition

SGD, FOREST = "sgd_regressor", "random_forest_regressor"


class Example:
    """Starts runs of the pipeline over a bucket, as one user with one MLflow."""

    def __init__(self, folder, bin_folder, mlflow):
        self.folder = folder
        self.bin_folder = bin_folder
        self.mlflow = mlflow
        self.prefix = f"t{uuid.uuid4().hex[:8]}_"
        self.bucket = {}

    def runner(self, name="by hand", **params):
        run_id = str(uuid.uuid4())
        params = {"mlflow_uri": self.mlflow.uri, "model_prefix": self.prefix} | params
        return Runner(self.folder / run_id, self.bin_folder, params, self.bucket, run_id, name)

    def upload(self, source, key=None, **params):
        key = key or source.name
        self.bucket[key] = source
        return self.runner(f"{key} updated", **params)

    def production(self):
        """[(model, number)] of all Production versions over both names, by stage; by alias it is the same."""
        names = [self.prefix + SGD, self.prefix + FOREST]
        by_stage = [(n, v) for n in names for v, stage in self.mlflow.stages(n).items() if stage == "Production"]
        by_alias = [(n, self.mlflow.aliases(n)["production"]) for n in names if "production" in self.mlflow.aliases(n)]
        assert by_stage == by_alias
        return [(name.removeprefix(self.prefix), number) for name, number in by_stage]

    def version(self, name, number):
        return self.mlflow.versions(self.prefix + name)[number]

    def registered_rmse(self, run_id):
        """{model: rmse} of the versions that a run registered, as MLflow's runs have it."""
        found = {}
        for name in (SGD, FOREST):
            for version in self.mlflow.versions(self.prefix + name).values():
                if {"key": "leat.run_id", "value": run_id} in version["tags"]:
                    run = self.mlflow.call("GET", "runs/get", run_id=version["run_id"])["run"]
                    found[name] = {m["key"]: m["value"] for m in run["data"]["metrics"]}["rmse"]
        return found


@pytest.fixture
def example(tmp_path, bin_folder, mlflow):
    return Example(tmp_path, bin_folder, mlflow)


def test_the_lower_rmse_becomes_production_and_another_setting_turns_it(example, data):
    first = example.upload(data / "gb.csv").run()
    assert first.outputs["ingest"]["rows"] == 1992
    assert first.outputs["ingest"]["skipped"] == []
    assert first.outputs["prepare"]["rows"] == 1992 - 48
    rmse = example.registered_rmse(first.run_id)
    assert rmse[FOREST] < rmse[SGD]
    assert rmse == {SGD: first.outputs["sgd"]["rmse"], FOREST: first.outputs["forest"]["rmse"]}
    assert example.production() == [(FOREST, "1")]
    assert first.outputs["promote-forest"] == {"model": example.prefix + FOREST, "version": 1}
    assert "promote-sgd" not in first.outputs

    second = example.upload(data / "gb+1_day.csv").run()
    assert second.outputs["ingest"]["rows"] == 1992 + 24
    assert example.production() == [(FOREST, "2")]
    assert example.version(FOREST, "1")["current_stage"] == "Archived"

    third = example.runner(n_estimators=1, min_samples_leaf=0.4).run()
    rmse = example.registered_rmse(third.run_id)
    assert rmse[SGD] < rmse[FOREST]
    assert example.production() == [(SGD, "3")]
    assert example.version(FOREST, "2")["current_stage"] == "Archived"
    assert "promote-forest" not in third.outputs


def test_both_start_as_staging_and_the_four_numbers_are_shown(example, data):
    runner = example.upload(data / "gb.csv", n_estimators=10)
    for step in ("ingest", "validate", "prepare", "sgd", "forest"):
        runner.run_step(step)
    for name in (SGD, FOREST):
        assert example.version(name, "1")["current_stage"] == "Staging"
        assert example.mlflow.aliases(example.prefix + name) == {"staging": "1"}
    assert example.production() == []

    runner.run_step("promote-forest")
    outputs, log = runner.result.outputs, runner.result.logs["promote-forest"]
    description = example.version(FOREST, "1")["description"]
    for step in ("sgd", "forest"):
        for number in ("rmse", "reference_rmse"):
            shown = f"{outputs[step][number]:.2f}"
            assert shown in log and shown in description
            assert runner.result.metrics[step][number] == outputs[step][number]
    manifest = json.loads(outputs["ingest"]["manifest"].read_text())
    assert manifest["objects"][0]["sha256"] in description
    assert runner.result.run_id in description
    assert example.version(SGD, "1")["current_stage"] == "Staging"


def test_mlflow_has_the_run_with_its_parameters(example, data):
    runner = example.upload(data / "gb.csv", n_estimators=7)
    runner.run()
    experiment = example.mlflow.call(
        "GET", "experiments/get-by-name", experiment_name="Forecast Example - Training"
    )["experiment"]
    runs = example.mlflow.call(
        "POST", "runs/search", experiment_ids=[experiment["experiment_id"]],
        filter=f"tags.`leat.run_id` = '{runner.result.run_id}'",
    )["runs"]
    by_step = {next(t["value"] for t in run["data"]["tags"] if t["key"] == "leat.step"): run for run in runs}
    assert set(by_step) == {"sgd", "forest"}
    assert all(run["info"]["status"] == "FINISHED" for run in runs)
    assert by_step["forest"]["info"]["run_name"] == "gb.csv updated / forest"
    params = {p["key"]: p["value"] for p in by_step["forest"]["data"]["params"]}
    assert params["n_estimators"] == "7"
    assert (params["country"], params["timezone"], params["train_rows"]) == ("GB", "Europe/London", "1555")
    params = {p["key"]: p["value"] for p in by_step["sgd"]["data"]["params"]}
    assert (params["penalty"], params["tol"], params["random_state"]) == ("elasticnet", "10.0", "42")


SERVE = """
import sys, json
import mlflow.sklearn, pandas as pd
from forecast_common import dataset, features
from forecast_common.series import read_table
uri, model, table, folder = sys.argv[1:]
mlflow.set_tracking_uri(uri)
info = mlflow.models.get_model_info(model)
loaded = mlflow.sklearn.load_model(model)
rows = read_table(table)
load = features.hourly([r.start for r in rows], [float(r.load) for r in rows])
tomorrow = pd.date_range(load.index[-1] + pd.Timedelta(hours=1), periods=24, freq="1h")
frame = features.frame(load, tomorrow, info.metadata["country"], info.metadata["timezone"])
held_out, truth = dataset.load(folder).test
print(json.dumps({
    "forecast": list(loaded.predict(frame)),
    "rmse": float(((loaded.predict(held_out) - truth) ** 2).mean() ** 0.5),
    "steps": [name for name, _ in loaded.steps],
}))
"""


def test_the_registered_model_is_the_measured_one_and_forecasts_from_the_plain_series(example, data):
    result = example.upload(data / "gb.csv", n_estimators=10).run()
    model = f"models:/{example.prefix}{FOREST}@production"
    table, folder = result.outputs["ingest"]["data"], result.outputs["prepare"]["features"]
    done = subprocess.run(
        [sys.executable, "-c", SERVE, example.mlflow.uri, model, table, folder],
        capture_output=True, text=True, timeout=300,
    )
    assert done.returncode == 0, done.stderr
    served = json.loads(done.stdout.splitlines()[-1])
    assert served["steps"] == ["encode", "scale", "regressor"]
    assert served["rmse"] == pytest.approx(result.outputs["forest"]["rmse"], rel=1e-12)
    truth = [float(line.split(",")[2]) for line in (data / "gb+1_day.csv").read_text().splitlines()[1:]]
    error = (sum((a - b) ** 2 for a, b in zip(served["forecast"], truth)) / 24) ** 0.5
    assert error < 3000, "the naive forecast (yesterday's load) errs by 3095 on the held-out part"


def test_a_bad_file_fails_with_file_and_row_and_production_stays(example, data, tmp_path):
    example.upload(data / "gb.csv", n_estimators=10).run()
    bad = tmp_path / "bad.csv"
    lines = (data / "gb+1_day.csv").read_text().splitlines(keepends=True)
    lines[6] = lines[6].rpartition(",")[0] + ",n/a\n"
    bad.write_text("".join(lines))
    runner = example.upload(bad)
    with pytest.raises(StepFailed, match="bad.csv, row 7: load 'n/a' is not a number") as failed:
        runner.run()
    assert failed.value.step == "validate"
    assert set(runner.result.outputs) == {"ingest"}, "nothing trains"
    assert example.production() == [(FOREST, "1")]
    assert set(example.mlflow.versions(example.prefix + FOREST)) == {"1"}


def test_a_foreign_file_is_skipped_and_named(example, data, tmp_path):
    other = tmp_path / "stations.csv"
    other.write_text("name,latitude\nDinorwig,53.1\n")
    example.bucket["stations.csv"] = other
    result = example.upload(data / "gb.csv", n_estimators=2).run()
    assert result.outputs["ingest"]["rows"] == 1992
    assert [entry["file"] for entry in result.outputs["ingest"]["skipped"]] == ["stations.csv"]
    assert "skipped stations.csv" in result.logs["ingest"]


# The program of a step, killed after the nth answer that MLflow's registry gave it.
KILLED = """
import importlib, os, signal, sys
from forecast_common import rest
send, left = rest.Rest._send, int(sys.argv.pop(1))
main = importlib.import_module(sys.argv.pop(1)).main

def counted(*request):
    global left
    try:
        return send(*request)
    finally:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

rest.Rest._send = counted
main()
"""


def killed_attempt(runner, step, module, answers):
    """An attempt of the step that is killed; the next run_step is the repeat."""
    command = definition()["steps"][step]["command"]
    runner._pipeline["steps"][step]["command"] = [sys.executable, "-c", KILLED, str(answers), module]
    with pytest.raises(StepFailed):
        runner.run_step(step)
    runner._pipeline["steps"][step]["command"] = command


def test_attempts_killed_on_the_way_leave_one_version_and_one_production(example, data):
    example.upload(data / "gb.csv", n_estimators=1, min_samples_leaf=0.4).run()
    assert example.production() == [(SGD, "1")]

    runner = example.upload(data / "gb+1_day.csv", n_estimators=10)
    for step in ("ingest", "validate", "prepare", "sgd"):
        runner.run_step(step)
    killed_attempt(runner, "forest", "forecast_forest.main", 2)  # the model is logged, not yet registered
    assert set(example.mlflow.versions(example.prefix + FOREST)) == {"1"}
    killed_attempt(runner, "forest", "forecast_forest.main", 3)  # registered, not yet Staging
    assert example.mlflow.stages(example.prefix + FOREST) == {"1": "Staging", "2": "None"}
    runner.run_step("forest")
    assert example.mlflow.stages(example.prefix + FOREST) == {"1": "Staging", "2": "Staging"}
    assert runner.result.outputs["forest"]["version"] == 2

    killed_attempt(runner, "promote-forest", "forecast_promote.main", 4)  # archived, not yet promoted
    assert example.version(SGD, "1")["current_stage"] == "Archived"
    assert example.version(FOREST, "2")["current_stage"] == "Staging"
    runner.run_step("promote-forest")
    assert example.production() == [(FOREST, "2")]
    runs = example.mlflow.call(
        "POST", "runs/search", experiment_ids=[example.mlflow.call(
            "GET", "experiments/get-by-name", experiment_name="Forecast Example - Training"
        )["experiment"]["experiment_id"]],
        filter=f"tags.`leat.run_id` = '{runner.result.run_id}' and tags.`leat.step` = 'forest'",
    )["runs"]
    assert len(runs) == 1, "three attempts, one MLflow run"


def test_the_reference_architecture_s_own_data(example, italy):
    trigger = next(t for t in definition()["on"]["object"] if t["name"] == "upload-italy")
    params = trigger["params"] | {"n_estimators": 10, "model_prefix": example.prefix}
    result = example.upload(italy, **params).run()
    assert result.outputs["ingest"]["rows"] == 48912
    rmse = example.registered_rmse(result.run_id)
    assert example.production() == [(min(rmse, key=rmse.get), "1")]
    print({step: round(value, 2) for step, value in rmse.items()}, result.seconds)
