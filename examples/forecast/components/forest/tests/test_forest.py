import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from forecast_common import dataset, features
from forecast_common.step import StepError
from forecast_common.training import rmse
from forecast_forest.main import check, in_sample, parse

ARGS = [f"--{name}=x" for name in ("features", "model", "rmse", "reference-rmse", "version", "mlflow-uri")]


@pytest.fixture(scope="module")
def noisy():
    index = pd.date_range("2000-06-05", periods=400, freq="1h", tz="UTC")
    load = pd.Series(np.random.default_rng(42).normal(30000, 1000, 400), index=index)
    inputs = features.frame(load, index, "GB", "Europe/London").dropna()
    is_test = pd.Series([False] * 282 + [True] * 70, index=inputs.index)
    return dataset.Dataset(inputs, load[inputs.index], is_test, features.transformer().fit(inputs[~is_test]), {})


def test_the_defaults_are_the_reference_s():
    args = parse(ARGS)
    assert (args.n_estimators, args.min_samples_leaf, args.seed) == (100, 0.001, 42)


@pytest.mark.parametrize(
    "bad, message",
    [
        ("--n-estimators=0", "n_estimators 0 must be at least 1"),
        ("--min-samples-leaf=0", "min_samples_leaf 0.0 must lie between"),
        ("--min-samples-leaf=1", "min_samples_leaf 1.0 must lie between"),
        ("--min-samples-leaf=nan", "min_samples_leaf nan must lie between"),
    ],
)
def test_values_out_of_range_are_refused(bad, message):
    with pytest.raises(StepError, match=message):
        check(parse([*ARGS, bad]))


def test_in_sample_flatters_noise(noisy):
    forest = RandomForestRegressor(n_estimators=10, min_samples_leaf=0.001, random_state=42)
    flattered = in_sample(noisy, forest)
    assert not hasattr(forest, "estimators_")
    from forecast_common.training import refit

    honest = rmse(refit(noisy.transformer, forest, *noisy.train), *noisy.test)
    assert flattered < 0.6 * honest
