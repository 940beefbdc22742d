import json
import math

import pytest

from forecast_common.step import StepError, environment, metric, run, write_value


@pytest.mark.parametrize(
    "value, text",
    [
        (3, "3"),
        (0.1 + 0.2, "0.30000000000000004"),
        (True, "true"),
        ("as it stands", "as it stands"),
        ([{"file": "ü.csv"}], '[{"file": "\\u00fc.csv"}]'),
    ],
)
def test_a_value_is_written_as_its_text_and_a_newline(tmp_path, value, text):
    write_value(tmp_path / "out", value)
    assert (tmp_path / "out").read_text() == text + "\n"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_passed_on(tmp_path, value):
    with pytest.raises(StepError, match="rmse would be"):
        write_value(tmp_path / "rmse", value)
    assert not (tmp_path / "rmse").exists()


def test_metrics_are_appended_as_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAT_METRICS", str(tmp_path / "metrics"))
    metric("rmse", 1.5)
    metric("rows", 3)
    lines = (tmp_path / "metrics").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"name": "rmse", "value": 1.5}, {"name": "rows", "value": 3}]


def test_metrics_without_leat_go_nowhere(monkeypatch):
    monkeypatch.delenv("LEAT_METRICS", raising=False)
    metric("rmse", 1.5)


def test_a_missing_variable_is_named(monkeypatch):
    monkeypatch.delenv("LEAT_RUN_ID", raising=False)
    with pytest.raises(StepError, match="LEAT_RUN_ID is not set"):
        environment("LEAT_RUN_ID")


def test_a_step_error_is_one_line_and_exit_1(capfd):
    def fails(argv):
        raise StepError("no such country")

    with pytest.raises(SystemExit) as end:
        run("forecast-x", fails)
    assert end.value.code == 1
    assert capfd.readouterr().err == "forecast-x: no such country\n"


def test_a_bug_keeps_its_traceback():
    def fails(argv):
        raise KeyError("bug")

    with pytest.raises(KeyError):
        run("forecast-x", fails)
