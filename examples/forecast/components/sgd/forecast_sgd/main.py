"""Linear regression by stochastic gradient descent."""

from forecast_common import training
from forecast_common.step import run

PROGRAM = "forecast-sgd"
RANDOM_SHARE = 1 / 3


def parse(argv):
    args = training.parser(PROGRAM, __doc__)
    args.add_argument("--penalty", choices=["l2", "l1", "elasticnet"], default="elasticnet")
    args.add_argument("--tol", type=float, default=10.0)
    return args.parse_args(argv)


def random_third(data, regressor):
    """The reference's way: a random third held out, so that hours between the training's own are asked."""
    from sklearn.model_selection import train_test_split

    train, test, train_load, test_load = train_test_split(
        data.features, data.load, test_size=RANDOM_SHARE, random_state=regressor.random_state
    )
    model = training.refit(data.transformer, regressor, train, train_load)
    return training.rmse(model, test, test_load)


def step(argv):
    args = parse(argv)
    from sklearn.linear_model import SGDRegressor

    params = {"penalty": args.penalty, "tol": args.tol, "random_state": args.seed}
    recipe = training.Recipe(
        name="sgd_regressor",
        regressor=SGDRegressor(**params),
        params=params,
        reference=random_third,
        reference_name="on a random third",
    )
    training.train(recipe, args)


def main():
    run(PROGRAM, step)
