"""What every step does the same way: fail with one clear line, write typed outputs, append metrics."""

import json
import math
import os
import sys
from pathlib import Path


class StepError(Exception):
    """Something is wrong with the input or the world; the text says what, for whoever mends it."""


def run(name, main, argv=None):
    """Runs main(argv) as the program `name`: exit 0, or 1 after one line on standard error.

    Anything but a StepError is a bug and keeps its traceback.
    """
    sys.stdout.reconfigure(line_buffering=True)  # a killed step must not take its last lines along
    try:
        main(argv)
    except StepError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(1)


def environment(name):
    """The value that Leat gives every step as `name`, e.g. LEAT_RUN_ID."""
    value = os.environ.get(name)
    if not value:
        raise StepError(f"{name} is not set; Leat sets it for every step, set it yourself to run one by hand")
    return value


def write_value(path, value):
    """Writes a typed output: JSON's text of the value, a string as it stands."""
    if isinstance(value, float) and not math.isfinite(value):
        raise StepError(f"{Path(path).name} would be {value}, which is no number to pass on")
    text = value if isinstance(value, str) else json.dumps(value)
    Path(path).write_text(text + "\n", encoding="utf-8")


def metric(name, value):
    """Appends a metric for `leat show`; without LEAT_METRICS (a run by hand) there is nobody to tell."""
    path = os.environ.get("LEAT_METRICS")
    if path:
        with open(path, "a", encoding="utf-8") as out:
            out.write(json.dumps({"name": name, "value": value}) + "\n")
