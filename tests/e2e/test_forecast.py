"""The main job on real data: an object lands in a bucket, the training pipeline runs as processes of an unprivileged
user, the version with the lower rmse becomes Production in a real MLflow registry."""
import json
import os
import pathlib
import subprocess
import urllib.parse

import pytest
from leat import ROOT, Leat, free_port, request

EXAMPLE = ROOT / "examples" / "forecast"
VENV = pathlib.Path(os.environ.get("LEAT_TEST_VENV", "/var/tmp/leat-test/forecast-venv"))
ITALY = ROOT.parent / "shared" / "data" / "it.csv"
NAMES = ("sgd_regressor", "random_forest_regressor")


@pytest.fixture(scope="module")
def leat():
    subprocess.run([EXAMPLE / "install", VENV], check=True)
    instance = Leat(path=f"{VENV}/bin:/usr/local/bin:/usr/bin:/bin", slots=2)
    port = free_port()
    instance.mlflow = f"http://127.0.0.1:{port}"
    server = [EXAMPLE / "mlflow-server"]
    data = instance.folder / "mlflow"
    try:
        instance.up()
        user = ["--user", "leat"] if os.getuid() == 0 else []
        subprocess.run([*server, "start", "--data", data, "--port", str(port), "--venv", VENV, *user], check=True)
        text = (EXAMPLE / "pipeline.yaml").read_text().replace("http://127.0.0.1:5000", instance.mlflow)
        instance.apply(text)
        instance.ok("apply", EXAMPLE / "source.yaml", EXAMPLE / "source-italy.yaml")
        yield instance
    finally:
        subprocess.run([*server, "stop", "--data", data], check=False)
        instance.remove()


def mlflow(leat, path, **query):
    answer = request("GET", f"{leat.mlflow}/api/2.0/mlflow/{path}?{urllib.parse.urlencode(query)}", timeout=180)
    assert answer.status == 200, answer.body
    return answer.json()


def versions(leat, prefix=""):
    found = []
    for name in NAMES:
        got = mlflow(leat, "model-versions/search", filter=f"name = '{prefix}{name}'", max_results=1000)
        found += got.get("model_versions", [])
    return found


def rmse(leat, version):
    metrics = mlflow(leat, "runs/get", run_id=version["run_id"])["run"]["data"]["metrics"]
    return next(m["value"] for m in metrics if m["key"] == "rmse")


def of_run(found, run):
    return [v for v in found if run in [tag["value"] for tag in v.get("tags", [])]]


def check_promotion(leat, run, prefix=""):
    """Exactly one Production over both names, this run's, the lower rmse; a tie goes to the forest."""
    found = versions(leat, prefix)
    production = [v for v in found if v["current_stage"] == "Production"]
    mine = of_run(found, run)
    assert len(mine) == 2 and len(production) == 1, found
    best = min(mine, key=lambda v: (rmse(leat, v), "sgd" in v["name"]))
    assert (production[0]["name"], production[0]["version"]) == (best["name"], best["version"])
    return production[0]["name"]


def upload(leat, bucket, key, path):
    answer = leat.put(bucket, key, pathlib.Path(path).read_bytes())
    assert answer.status == 201, answer.body
    run, = leat.event_runs(answer.json()["event"], 180)
    return leat.wait_run(run, 900)


def test_an_upload_trains_and_promotes_the_lower_rmse(leat):
    run = upload(leat, "forecast-example", "gb.csv", EXAMPLE / "data" / "gb.csv")
    assert run["state"] == "succeeded", json.dumps(run["steps"], indent=1)
    assert run["name"] == "gb.csv updated" and run["experiment"] == "Forecast Example - Training"
    steps = {s["name"]: s for s in run["steps"]}
    assert steps["ingest"]["outputs"]["rows"] == 1992
    leat.winner = check_promotion(leat, run["id"])
    loser = "promote-sgd" if "forest" in leat.winner else "promote-forest"
    assert steps[loser]["state"] == "skipped"


def test_one_more_day_trains_on_both_files(leat):
    run = upload(leat, "forecast-example", "gb+1_day.csv", EXAMPLE / "data" / "gb+1_day.csv")
    assert run["state"] == "succeeded"
    assert {s["name"]: s for s in run["steps"]}["ingest"]["outputs"]["rows"] == 1992 + 24
    check_promotion(leat, run["id"])


def test_with_another_setting_the_other_model_wins(leat):
    done = leat.leat("run", "forecast-training", "-p", "n_estimators=1", "-p", "min_samples_leaf=0.4", "-p", "tol=0.0001",
                     "--wait", timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    run = leat.json("show", "latest:forecast-training")
    assert check_promotion(leat, run["id"]) != leat.winner


def test_a_bad_file_fails_with_file_and_row_and_production_stays(leat):
    before = [(v["name"], v["version"]) for v in versions(leat) if v["current_stage"] == "Production"]
    path = leat.file("bad.csv", "start,end,load\n2000-09-01 00:00:00+00:00,2000-09-01 01:00:00+00:00,many\n")
    run = upload(leat, "forecast-example", "bad.csv", path)
    assert run["state"] == "failed"
    steps = {s["name"]: s for s in run["steps"]}
    said = leat.ok("logs", run["id"]) + json.dumps(run["steps"])
    assert "bad.csv" in said and steps["sgd"]["state"] == "upstream_failed"
    assert [(v["name"], v["version"]) for v in versions(leat) if v["current_stage"] == "Production"] == before


def test_a_second_series_runs_the_same_steps(leat):
    if not ITALY.exists():
        print("SKIPPED the Italian series: it is not beside the project")
        pytest.skip("it.csv is not there")
    run = upload(leat, "forecast-italy", "it.csv", ITALY)
    assert run["state"] == "succeeded", json.dumps(run["steps"], indent=1)
    assert {s["name"]: s for s in run["steps"]}["ingest"]["outputs"]["rows"] > 40000
    check_promotion(leat, run["id"], prefix="it_")
