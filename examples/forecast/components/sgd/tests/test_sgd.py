import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import SGDRegressor

from forecast_common import dataset, features
from forecast_sgd.main import parse, random_third

ARGS = [f"--{name}=x" for name in ("features", "model", "rmse", "reference-rmse", "version", "mlflow-uri")]


@pytest.fixture(scope="module")
def small():
    index = pd.date_range("2000-06-05", periods=400, freq="1h", tz="UTC")
    load = pd.Series(30000 + 5000 * np.sin(np.arange(400) / 24 * 2 * np.pi), index=index)
    inputs = features.frame(load, index, "GB", "Europe/London").dropna()
    is_test = pd.Series([False] * 282 + [True] * 70, index=inputs.index)
    return dataset.Dataset(inputs, load[inputs.index], is_test, features.transformer().fit(inputs[~is_test]), {})


def test_the_defaults_are_the_reference_s():
    args = parse(ARGS)
    assert (args.penalty, args.tol, args.seed) == ("elasticnet", 10, 42)


@pytest.mark.parametrize("bad", ["--penalty=l3", "--tol=much", "--seed=0.5", "--pen=l1"])
def test_bad_arguments_are_wrong_usage(bad):
    with pytest.raises(SystemExit) as end:
        parse([*ARGS, bad])
    assert end.value.code == 2


def test_the_random_third_is_the_seed_s(small):
    def measured(seed):
        return random_third(small, SGDRegressor(penalty="elasticnet", tol=10, random_state=seed))

    assert measured(42) == measured(42)
    assert measured(42) != measured(43)
    assert 0 < measured(42) < 5000


def test_measuring_leaves_the_regressor_unfitted(small):
    regressor = SGDRegressor(tol=10, random_state=42)
    random_third(small, regressor)
    assert not hasattr(regressor, "coef_")
