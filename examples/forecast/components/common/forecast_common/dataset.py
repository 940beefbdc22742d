"""The folder that prepare hands to the model steps.

table.csv         the features of every hour, unscaled, with `load` and `part` (train or test)
transformer.skops encoder and scaler, fitted on the training part alone
series.json       what the features were made with: country, timezone, test_share
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import pandas as pd
import skops.io

from forecast_common.features import COLUMNS
from forecast_common.step import StepError


@dataclass(frozen=True)
class Dataset:
    features: pd.DataFrame  # COLUMNS, in time order
    load: pd.Series
    is_test: pd.Series      # the last part in time
    transformer: Any        # fitted sklearn Pipeline
    series: dict

    @property
    def train(self):
        return self.features[~self.is_test], self.load[~self.is_test]

    @property
    def test(self):
        return self.features[self.is_test], self.load[self.is_test]


def save(folder, dataset):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    part = dataset.is_test.map({True: "test", False: "train"})
    table = dataset.features.assign(load=dataset.load, part=part)
    table.to_csv(folder / "table.csv", index_label="time")
    skops.io.dump(dataset.transformer, folder / "transformer.skops")
    (folder / "series.json").write_text(json.dumps(dataset.series, sort_keys=True) + "\n", encoding="utf-8")


def load(folder):
    folder = Path(folder)
    try:
        table = pd.read_csv(folder / "table.csv", index_col="time", parse_dates=["time"])
        transformer = skops.io.load(folder / "transformer.skops")
        series = json.loads((folder / "series.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, BadZipFile) as error:  # TypeError: skops does not trust a type
        raise StepError(f"{folder} is not what prepare writes: {error}") from error
    return Dataset(table[COLUMNS], table["load"], table["part"] == "test", transformer, series)
