"""A training in MLflow: one MLflow run a step of a Leat run, its model, and the registered version."""

import os
from contextlib import contextmanager
from dataclasses import dataclass

from forecast_common.registry import RUN_TAG, Registry
from forecast_common.step import StepError, environment

STEP_TAG = "leat.step"
# What a saved forest holds beyond the types that skops trusts by itself.
TRUSTED_TYPES = ["sklearn.tree._tree.Tree"]
PACKAGES = ["numpy", "pandas", "scikit-learn", "skops"]


@dataclass(frozen=True)
class Training:
    """What goes to MLflow of one trained model."""

    name: str         # the registered model
    model: object     # fitted sklearn Pipeline, transformer included
    example: object   # a few rows of its input
    params: dict
    metrics: dict
    metadata: dict    # what serving needs to make the input, kept with the model
    description: str


def record(uri, training):
    """Logs and registers the training, once for a Leat run however often it is attempted.

    Returns the number of the registered version.
    """
    run_id = environment("LEAT_RUN_ID")
    return Registry(uri).register(
        training.name,
        run_id,
        training.metrics,
        training.description,
        log_model=lambda: _log(uri, run_id, training),
    )


def _log(uri, run_id, training):
    """Parameters, metrics and model into the step's MLflow run; returns the model as Registry takes it."""
    mlflow = _mlflow(uri)
    with _step_run(mlflow, run_id) as run:
        mlflow.log_params(training.params)
        mlflow.log_metrics(training.metrics)
        info = mlflow.sklearn.log_model(
            training.model,
            name="model",
            signature=_signature(training.example),
            metadata=training.metadata,
            pip_requirements=_requirements(),  # given, because inferring them takes seconds
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
        )
    return {"source": info.model_uri, "run_id": run.info.run_id, "model_id": info.model_id}


def _mlflow(uri):
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import mlflow
    import mlflow.sklearn

    mlflow.set_tracking_uri(uri)
    return mlflow


@contextmanager
def _step_run(mlflow, run_id):
    """The MLflow run of this step, the one of an earlier attempt where there is one."""
    step = environment("LEAT_STEP")
    try:
        experiment = mlflow.set_experiment(os.environ.get("LEAT_EXPERIMENT") or "Default")
        earlier = mlflow.MlflowClient().search_runs(
            [experiment.experiment_id],
            f"tags.`{RUN_TAG}` = '{run_id}' and tags.`{STEP_TAG}` = '{step}'",
            max_results=1,
        )
        tags = {RUN_TAG: run_id, STEP_TAG: step, "leat.pipeline": os.environ.get("LEAT_PIPELINE", "")}
        name = f"{os.environ.get('LEAT_RUN_NAME') or run_id} / {step}"
        with mlflow.start_run(
            run_id=earlier[0].info.run_id if earlier else None, run_name=name, tags=tags
        ) as run:
            yield run
    except mlflow.exceptions.MlflowException as error:
        raise StepError(f"MLflow: {error}") from error


def _signature(example):
    """Column names and types of the input; stated, because inferring warns about every whole number."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    kinds = {"i": "long", "f": "double"}
    columns = [ColSpec(kinds[dtype.kind], name) for name, dtype in example.dtypes.items()]
    return ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec("double")]))


def _requirements():
    from importlib.metadata import version

    return [f"{package}=={version(package)}" for package in PACKAGES]
