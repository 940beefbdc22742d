import json

import numpy as np
import pandas as pd
import pytest

from forecast_common import dataset
from forecast_common.series import Row, write_table
from forecast_common.step import StepError
from forecast_prepare.main import step


def hours(count, leave_out=()):
    """`count` hourly rows with a load that grows; the numbers in `leave_out` are missing."""
    starts = pd.date_range("2000-06-05", periods=count + 1, freq="1h", tz="UTC")
    return [
        Row(str(starts[n]), str(starts[n + 1]), str(1000 + n), "a.csv", n + 2)
        for n in range(count)
        if n not in leave_out
    ]


@pytest.fixture
def prepare(tmp_path):
    def run(rows, *more):
        write_table(tmp_path / "data", rows)
        step([f"--data={tmp_path / 'data'}", f"--features={tmp_path / 'features'}", f"--rows={tmp_path / 'rows'}", *more])
        return dataset.load(tmp_path / "features")

    return run


def test_the_first_two_days_are_only_lags(prepare, tmp_path):
    made = prepare(hours(148))
    assert len(made.load) == json.loads((tmp_path / "rows").read_text()) == 100
    assert made.load.iloc[0] == 1048
    assert made.features["lag_24"].iloc[0] == 1024


def test_the_last_part_in_time_is_the_test(prepare):
    made = prepare(hours(148), "--test-share=0.25")
    assert made.is_test.tolist() == [False] * 75 + [True] * 25
    assert made.series == {"country": "GB", "timezone": "Europe/London", "test_share": 0.25}


def test_the_transformer_knows_the_training_part_alone(prepare):
    made = prepare(hours(148))
    scaled = made.transformer.transform(made.train[0])
    assert np.allclose(scaled.mean(axis=0), 0)
    assert made.transformer.transform(made.test[0]).mean(axis=0)[-1] > 1, "a growing load lies above what was seen"


def test_an_hour_without_its_lags_is_left_out(prepare):
    whole = prepare(hours(200))
    holed = prepare(hours(200, leave_out={100}))
    missing = set(whole.load.index) - set(holed.load.index)
    first = pd.Timestamp("2000-06-05", tz="UTC")
    at = {(hour - first) // pd.Timedelta(hours=1) for hour in missing}
    assert at == {100} | set(range(124, 149)), "the hour itself, and those that look back to it"


def test_half_hours_are_averaged(prepare):
    rows = hours(148)
    half = pd.Timedelta(minutes=30)
    middle = [str(pd.Timestamp(r.start) + half) for r in rows]
    halves = [Row(r.start, m, str(float(r.load) - 10), r.file, r.row) for r, m in zip(rows, middle)]
    halves += [Row(m, r.end, str(float(r.load) + 10), r.file, r.row) for r, m in zip(rows, middle)]
    assert prepare(halves).load.tolist() == prepare(rows).load.tolist()


@pytest.mark.parametrize(
    "more, message",
    [
        (["--country=XX"], "country 'XX'"),
        (["--timezone=Rome"], "timezone 'Rome'"),
        (["--test-share=0"], "test_share 0.0 must lie between 0 and 1"),
        (["--test-share=1"], "test_share 1.0 must lie between 0 and 1"),
        (["--test-share=0.05"], "95 hours to train on and 5 to test on are too few"),
    ],
)
def test_what_cannot_be_is_refused(prepare, more, message):
    with pytest.raises(StepError, match=message):
        prepare(hours(148), *more)


def test_too_short_a_series_is_refused(prepare):
    with pytest.raises(StepError, match="0 hours to train on and 0 to test on are too few"):
        prepare(hours(48))
