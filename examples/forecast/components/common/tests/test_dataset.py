import numpy as np
import pandas as pd
import pytest

from forecast_common import dataset, features
from forecast_common.step import StepError


def small():
    index = pd.date_range("2000-06-05", periods=100, freq="1h", tz="UTC", name="time")
    load = pd.Series(np.random.default_rng(42).normal(30000, 5000, 100), index=index, name="load")
    inputs = features.frame(load, index, "GB", "Europe/London").dropna()
    load = load[inputs.index]
    is_test = pd.Series([False] * 40 + [True] * 12, index=inputs.index)
    fitted = features.transformer().fit(inputs[~is_test])
    return dataset.Dataset(inputs, load, is_test, fitted, {"country": "GB", "timezone": "Europe/London"})


def test_a_dataset_comes_back_to_the_last_bit(tmp_path):
    made = small()
    dataset.save(tmp_path / "features", made)
    read = dataset.load(tmp_path / "features")
    assert read.series == made.series
    assert (read.features.to_numpy() == made.features.to_numpy()).all()
    assert (read.load.to_numpy() == made.load.to_numpy()).all()
    assert len(read.train[1]) == 40 and len(read.test[1]) == 12
    assert read.train[0].index.max() < read.test[0].index.min()
    assert (read.transformer.transform(read.test[0]) == made.transformer.transform(made.test[0])).all()


@pytest.mark.parametrize("broken", ["table.csv", "transformer.skops", "series.json"])
def test_a_broken_folder_is_refused(tmp_path, broken):
    dataset.save(tmp_path, small())
    (tmp_path / broken).write_bytes(b"\x00")
    with pytest.raises(StepError, match="is not what prepare writes"):
        dataset.load(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(StepError, match="is not what prepare writes"):
        dataset.load(tmp_path / "nothing")
