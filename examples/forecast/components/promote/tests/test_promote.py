import json

import pytest

from forecast_common.step import StepError
from forecast_promote.main import LONGEST, joined, manifest_lines, parse, score_table, scores, step

SCORES = ["--sgd-rmse=1642.68", "--sgd-reference-rmse=1354.8", "--forest-rmse=556.78", "--forest-reference-rmse=242.46"]


def write_manifest(path, count):
    objects = [
        {"key": f"part-{n:05}.csv", "version": f"v{n}", "size": n, "sha256": f"{n:064x}", "modified": "2000-08-28T00:00:00Z"}
        for n in range(count)
    ]
    path.write_text(json.dumps({"bucket": "forecast-example", "objects": objects}))


def args(tmp_path, *more):
    files = [f"--{name}={tmp_path / name}" for name in ("manifest", "model", "version")]
    return ["--winner=forest", *SCORES, *files, *more]


def test_the_table_has_all_four_numbers(tmp_path):
    table = score_table(scores(parse(args(tmp_path, "--mlflow-uri=x"))), "it_")
    assert table[1].split() == ["it_sgd_regressor", "1642.68", "1354.80", "on", "a", "random", "third"]
    assert table[2].split() == ["it_random_forest_regressor", "556.78", "242.46", "in-sample"]


def test_the_manifest_is_listed_under_its_hash(tmp_path):
    write_manifest(tmp_path / "manifest", 2)
    head, first, second = manifest_lines(tmp_path / "manifest")
    assert head.startswith("data: bucket forecast-example, 2 objects, manifest sha256 ")
    assert first == f"- part-00000.csv, version v0, 0 bytes, sha256 {0:064x}"
    assert second.startswith("- part-00001.csv")


def test_a_long_manifest_is_cut_between_objects(tmp_path):
    write_manifest(tmp_path / "manifest", 1000)
    text = joined(["scores", *manifest_lines(tmp_path / "manifest")])
    assert LONGEST - 120 < len(text) <= LONGEST
    *listed, last = text.splitlines()
    assert listed[1].startswith("data: bucket forecast-example, 1000 objects")
    assert last == f"… and {1000 - (len(listed) - 2)} more"
    assert listed[-1].startswith("- part-")


@pytest.mark.parametrize("length", [LONGEST - 1, LONGEST, LONGEST + 1])
def test_one_endless_line_is_cut_at_the_limit(length):
    assert joined(["x" * length]) == "x" * min(length, LONGEST)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"bucket": "b", "objects": [{}]}'])
def test_a_broken_manifest_is_refused(tmp_path, text):
    (tmp_path / "manifest").write_text(text)
    with pytest.raises(StepError, match="the manifest is not one"):
        manifest_lines(tmp_path / "manifest")


def test_a_run_that_registered_nothing_promotes_nothing(tmp_path, mlflow, monkeypatch):
    monkeypatch.setenv("LEAT_RUN_ID", "no-such-run")
    write_manifest(tmp_path / "manifest", 1)
    with pytest.raises(StepError, match="run no-such-run has registered no version of none_random_forest_regressor"):
        step(args(tmp_path, f"--mlflow-uri={mlflow.uri}", "--model-prefix=none_"))
    assert not (tmp_path / "version").exists()


def test_an_mlflow_that_is_away_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAT_RUN_ID", "run-1")
    with pytest.raises(StepError, match="MLflow at http://127.0.0.1:1/.* does not answer"):
        step(args(tmp_path, "--mlflow-uri=http://127.0.0.1:1"))


@pytest.mark.parametrize("bad", ["--winner=linear", "--sgd-rmse=good"])
def test_bad_arguments_are_wrong_usage(tmp_path, bad):
    with pytest.raises(SystemExit) as end:
        parse(args(tmp_path, "--mlflow-uri=x", bad))
    assert end.value.code == 2
