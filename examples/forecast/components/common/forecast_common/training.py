"""What the model steps share: fit, the two ways of measuring, outputs, registration."""

import argparse
from dataclasses import dataclass
from typing import Any, Callable

from forecast_common.step import metric, write_value


@dataclass(frozen=True)
class Recipe:
    """One kind of model. `reference` is the rmse by the reference architecture's own way of measuring."""

    name: str              # registered model, without prefix
    regressor: Any         # not fitted
    params: dict
    reference: Callable    # (dataset, regressor) -> rmse
    reference_name: str    # how that way is called, for the reader


def parser(program, description):
    """The arguments that every model step takes."""
    args = argparse.ArgumentParser(program, description=description, allow_abbrev=False)
    args.add_argument("--features", required=True, help="the folder that prepare wrote")
    args.add_argument("--model", required=True, help="output: the fitted model, a skops file")
    args.add_argument("--rmse", required=True, help="output: rmse on the last part in time")
    args.add_argument("--reference-rmse", required=True, help="output: rmse in the reference's own way")
    args.add_argument("--version", required=True, help="output: the registered version")
    args.add_argument("--seed", type=int, default=42)
    args.add_argument("--model-prefix", default="", help="in front of the registered model's name")
    args.add_argument("--mlflow-uri", required=True)
    return args


def rmse(model, features, load):
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(load, model.predict(features)))


def on_top(transformer, regressor):
    """The model as it is registered: frame in, load out."""
    from sklearn.pipeline import Pipeline

    return Pipeline([*transformer.steps, ("regressor", regressor)])


def refit(transformer, regressor, features, load):
    """A model of its own, transformer included, for measuring on another split."""
    from sklearn.base import clone

    return on_top(clone(transformer), clone(regressor)).fit(features, load)


def train(recipe, args):
    """Fits on the first part in time, measures both ways, logs, registers and writes the outputs.

    The registered model is the very one that was measured: not fitted again on everything.
    """
    from forecast_common import dataset
    from forecast_common.tracking import Training, record

    data = dataset.load(args.features)
    model = _fit(data, recipe.regressor)
    held_out = rmse(model, *data.test)
    reference = recipe.reference(data, recipe.regressor)
    name = args.model_prefix + recipe.name
    print(f"{name}: rmse {held_out:.2f} on the last {data.series['test_share']:.0%} in time")
    print(f"{name}: rmse {reference:.2f} {recipe.reference_name} (the reference's own way)")
    version = record(
        args.mlflow_uri,
        Training(
            name=name,
            model=model,
            example=data.features.head(),
            params={**recipe.params, **data.series, "train_rows": len(data.train[1]), "test_rows": len(data.test[1])},
            metrics={"rmse": held_out, "reference_rmse": reference},
            metadata=data.series,
            description=f"rmse {held_out:.2f} on the last part in time, {reference:.2f} {recipe.reference_name}",
        ),
    )
    print(f"{name}: version {version}")
    _write(args, model, held_out, reference, int(version))


def _fit(data, regressor):
    """The transformer comes fitted (on the same rows); only the regressor learns here."""
    features, load = data.train
    regressor.fit(data.transformer.transform(features), load)
    return on_top(data.transformer, regressor)


def _write(args, model, held_out, reference, version):
    import skops.io

    skops.io.dump(model, args.model)
    write_value(args.rmse, held_out)
    write_value(args.reference_rmse, reference)
    write_value(args.version, version)
    metric("rmse", held_out)
    metric("reference_rmse", reference)
