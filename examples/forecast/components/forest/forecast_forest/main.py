"""Regression by a random forest."""

from forecast_common import training
from forecast_common.step import StepError, run

PROGRAM = "forecast-forest"


def parse(argv):
    args = training.parser(PROGRAM, __doc__)
    args.add_argument("--n-estimators", type=int, default=100, help="trees")
    args.add_argument("--min-samples-leaf", type=float, default=0.001, help="share of the rows, in (0, 1)")
    return args.parse_args(argv)


def in_sample(data, regressor):
    """The reference's way: fitted on everything and measured on the same."""
    model = training.refit(data.transformer, regressor, data.features, data.load)
    return training.rmse(model, data.features, data.load)


def check(args):
    if args.n_estimators < 1:
        raise StepError(f"n_estimators {args.n_estimators} must be at least 1")
    if not 0 < args.min_samples_leaf < 1:
        raise StepError(f"min_samples_leaf {args.min_samples_leaf} must lie between 0 and 1")


def step(argv):
    args = parse(argv)
    check(args)
    from sklearn.ensemble import RandomForestRegressor

    params = {
        "n_estimators": args.n_estimators,
        "min_samples_leaf": args.min_samples_leaf,
        "random_state": args.seed,
    }
    recipe = training.Recipe(
        name="random_forest_regressor",
        regressor=RandomForestRegressor(**params, n_jobs=-1),
        params=params,
        reference=in_sample,
        reference_name="in-sample",
    )
    training.train(recipe, args)


def main():
    run(PROGRAM, step)
