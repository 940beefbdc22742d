"""Makes the features and fits encoder and scaler on the training part."""

import argparse

from forecast_common.step import StepError, metric, run, write_value

PROGRAM = "forecast-prepare"
FEWEST_ROWS = 10  # in each part


def parse(argv):
    args = argparse.ArgumentParser(PROGRAM, description=__doc__, allow_abbrev=False)
    args.add_argument("--data", required=True, help="the table that ingest wrote and validate passed")
    args.add_argument("--features", required=True, help="output: table, transformer and settings, a folder")
    args.add_argument("--rows", required=True, help="output: how many hours can be learned from")
    args.add_argument("--country", default="GB", help="whose holidays: GB, or a part of it, GB-ENG")
    args.add_argument("--timezone", default="Europe/London", help="whose months, weekdays and hours")
    args.add_argument("--test-share", type=float, default=0.2, help="the last part in time, not trained on")
    return args.parse_args(argv)


def read_hourly(path):
    import pandas as pd

    from forecast_common import features

    table = pd.read_csv(path, usecols=["start", "load"])
    return features.hourly(table["start"], table["load"])


def complete_frame(load, country, zone):
    """Features and load of every hour that has its load and all its lags, as one table."""
    from forecast_common import features

    table = features.frame(load, load.index, country, zone).assign(load=load)
    complete = table.dropna()
    print(f"{len(load)} hours, {len(complete)} of them with all lags ({len(load) - len(complete)} left out)")
    return complete


def is_last_part(index, share):
    """True for the last `share` of the rows in time."""
    import pandas as pd

    if not 0 < share < 1:
        raise StepError(f"test_share {share} must lie between 0 and 1")
    test = round(len(index) * share)
    train = len(index) - test
    if min(train, test) < FEWEST_ROWS:
        raise StepError(f"{train} hours to train on and {test} to test on are too few ({FEWEST_ROWS} at least)")
    return pd.Series([False] * train + [True] * test, index=index)


def step(argv):
    args = parse(argv)
    from forecast_common import dataset, features

    table = complete_frame(read_hourly(args.data), args.country, args.timezone)
    is_test = is_last_part(table.index, args.test_share)
    inputs = table[features.COLUMNS]
    transformer = features.transformer().fit(inputs[~is_test])
    series = {"country": args.country, "timezone": args.timezone, "test_share": args.test_share}
    dataset.save(args.features, dataset.Dataset(inputs, table["load"], is_test, transformer, series))
    write_value(args.rows, len(table))
    metric("rows", len(table))
    print(f"training on {(~is_test).sum()} hours, testing on the {is_test.sum()} from {is_test.idxmax()} on")


def main():
    run(PROGRAM, step)
