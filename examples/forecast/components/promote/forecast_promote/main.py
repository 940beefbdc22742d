"""Makes the version that this run registered the one Production version over both models."""

import argparse
import hashlib
import json

from forecast_common.registry import Registry
from forecast_common.step import StepError, environment, run, write_value

PROGRAM = "forecast-promote"
LONGEST = 5000  # characters of a description that MLflow's databases hold
MODELS = {"sgd": "sgd_regressor", "forest": "random_forest_regressor"}
REFERENCE = {"sgd": "on a random third", "forest": "in-sample"}


def parse(argv):
    args = argparse.ArgumentParser(PROGRAM, description=__doc__, allow_abbrev=False)
    args.add_argument("--winner", required=True, choices=MODELS)
    for model in MODELS:
        args.add_argument(f"--{model}-rmse", required=True, type=float, help="on the last part in time")
        args.add_argument(f"--{model}-reference-rmse", required=True, type=float, help=REFERENCE[model])
    args.add_argument("--manifest", required=True, help="which objects were trained on")
    args.add_argument("--model", required=True, help="output: the registered model that is Production now")
    args.add_argument("--version", required=True, help="output: its version")
    args.add_argument("--model-prefix", default="", help="in front of the registered models' names")
    args.add_argument("--mlflow-uri", required=True)
    return args.parse_args(argv)


def scores(args):
    """{model: (rmse on the last part in time, rmse in the reference's own way)}"""
    given = vars(args)
    return {model: (given[f"{model}_rmse"], given[f"{model}_reference_rmse"]) for model in MODELS}


def score_table(all_scores, prefix):
    lines = [f"{'model':<28}{'rmse, last in time':>20}   the reference's own way"]
    for model, (held_out, reference) in all_scores.items():
        name = prefix + MODELS[model]
        lines.append(f"{name:<28}{held_out:>20.2f}   {reference:.2f} {REFERENCE[model]}")
    return lines


def manifest_lines(path):
    """The manifest for a reader: its own hash first, then one line an object."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        manifest = json.loads(data)
        bucket, objects = manifest["bucket"], manifest["objects"]
        listed = [f"- {o['key']}, version {o['version']}, {o['size']} bytes, sha256 {o['sha256']}" for o in objects]
    except (ValueError, KeyError, TypeError) as error:
        raise StepError(f"the manifest is not one: {error!r}") from error
    digest = hashlib.sha256(data).hexdigest()
    return [f"data: bucket {bucket}, {len(objects)} objects, manifest sha256 {digest}", *listed]


def joined(lines, longest=LONGEST):
    """As many lines as fit, and how many do not."""
    text = "\n".join(lines)
    kept = len(lines)
    while len(text) > longest and kept > 1:
        kept -= 1
        text = "\n".join([*lines[:kept], f"… and {len(lines) - kept} more"])
    return text[:longest]


def step(argv):
    args = parse(argv)
    run_id = environment("LEAT_RUN_ID")
    registry = Registry(args.mlflow_uri)
    names = {model: args.model_prefix + name for model, name in MODELS.items()}
    winner = names[args.winner]
    others = [name for name in names.values() if name != winner]
    version = registry.version_of_run(winner, run_id)
    if version is None:
        raise StepError(f"run {run_id} has registered no version of {winner}")
    table = score_table(scores(args), args.model_prefix)
    print("\n".join(table))
    registry.describe(winner, version["version"], joined([*table, f"run {run_id}", *manifest_lines(args.manifest)]))
    for name, number in registry.promote(winner, version["version"], others):
        print(f"Archived: {name} version {number}")
    print(f"Production: {winner} version {version['version']}")
    write_value(args.model, winner)
    write_value(args.version, int(version["version"]))


def main():
    run(PROGRAM, step)
