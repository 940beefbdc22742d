"""Runs the steps of pipeline.yaml as Leat's process executor would, side by side where nothing forbids it.

It knows as much of the file as the example needs: parameters, substitution in args, object sets, artifacts
as paths, typed outputs, `when` of one comparison. Leat itself runs the same file in Leat's own tests.
"""

import hashlib
import json
import operator
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import yaml

EXAMPLE = Path(__file__).resolve().parent.parent
REFERENCE = re.compile(r"\$\{\{\s*([^}]+?)\s*\}\}")
COMPARISON = re.compile(r"(\S+) (<=|<) (\S+)")
TYPES = {"integer": int, "number": (int, float), "json": object}


class StepFailed(Exception):
    def __init__(self, step, text):
        super().__init__(f"{step} failed: {text}")
        self.step = step
        self.text = text


@dataclass
class Result:
    """What a run left: outputs[step][name] (a value, or a path), the log and the seconds of each step."""

    run_id: str
    outputs: dict = field(default_factory=dict)
    logs: dict = field(default_factory=dict)
    seconds: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)


def definition():
    document = yaml.safe_load((EXAMPLE / "pipeline.yaml").read_text(encoding="utf-8"))
    document["on"] = document.pop(True)  # PyYAML speaks YAML 1.1, where `on` is a boolean
    return document


def needs(spec):
    """The steps that a step names, in `needs` or by reference."""
    named = set(spec.get("needs", []))
    named |= {value.split(".")[0] for value in spec["inputs"].values() if isinstance(value, str)}
    return named | set(re.findall(r"steps\.([a-z-]+)\.", " ".join([spec.get("when", ""), *spec["args"]])))


def pin(folder, bucket, files):
    """The folder in which an object set arrives: files/KEY and manifest.json, sorted by key."""
    (folder / "files").mkdir(parents=True)
    objects = []
    for key, source in sorted(files.items()):
        target = folder / "files" / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        data = target.read_bytes()
        objects.append(
            {"key": key, "version": f"v-{len(data)}", "size": len(data),
             "sha256": hashlib.sha256(data).hexdigest(), "modified": "2000-08-28T00:00:00Z"}
        )
    (folder / "manifest.json").write_text(json.dumps({"bucket": bucket, "objects": objects}))


class Runner:
    def __init__(self, folder, bin_folder, params, files, run_id, run_name):
        self._pipeline = definition()
        self._folder = Path(folder)
        self._bin = Path(bin_folder)
        self._files = files
        self._params = {name: spec["default"] for name, spec in self._pipeline["params"].items()} | params
        self._run_name = run_name
        self.result = Result(run_id)

    def run(self):
        waiting = dict(self._pipeline["steps"])
        with ThreadPoolExecutor() as pool:
            while waiting:
                ready = [name for name, spec in waiting.items() if not needs(spec) & set(waiting)]
                chosen = [name for name in ready if self._holds(waiting.pop(name))]
                list(pool.map(self.run_step, chosen))
        return self.result

    def run_step(self, name):
        """Raises StepFailed; a repeated call is a repeated attempt."""
        spec = self._pipeline["steps"][name]
        place = self._folder / name
        shutil.rmtree(place, ignore_errors=True)
        (place / "out").mkdir(parents=True)
        inputs = {key: self._input(place, key, value) for key, value in spec["inputs"].items()}
        outputs = {key: place / "out" / key for key in spec["outputs"]}
        argv = [self._text(word, inputs, outputs) for word in spec["command"] + spec["args"]]
        self._spawn(name, place, argv)
        self.result.outputs[name] = {
            key: self._output(name, outputs[key], spec["outputs"][key]) for key in outputs
        }

    def _input(self, place, name, value):
        if isinstance(value, str):
            step, output = value.split(".")
            return self.result.outputs[step][output]
        folder = place / "in" / name
        pin(folder, self._text(value["objects"]["bucket"], {}, {}), self._files)
        return folder

    def _text(self, word, inputs, outputs):
        def value(match):
            kind, name, *rest = match[1].split(".")
            if kind == "params":
                return str(self._params[name])
            if kind == "steps":
                return str(self._value(match[1]))
            return str({"inputs": inputs, "outputs": outputs}[kind][name])

        return REFERENCE.sub(value, str(word))

    def _value(self, reference):
        steps, step, outputs, name = reference.split(".")
        assert (steps, outputs) == ("steps", "outputs"), reference
        return self.result.outputs[step][name]

    def _holds(self, spec):
        if "when" not in spec:
            return True
        left, sign, right = COMPARISON.fullmatch(spec["when"]).groups()
        return {"<=": operator.le, "<": operator.lt}[sign](self._value(left), self._value(right))

    def _spawn(self, name, place, argv):
        metrics = place / "metrics"
        env = {
            "PATH": f"{self._bin}:/usr/bin:/bin",
            "LEAT_RUN_ID": self.result.run_id,
            "LEAT_RUN_NAME": self._run_name,
            "LEAT_PIPELINE": self._pipeline["name"],
            "LEAT_EXPERIMENT": self._pipeline["experiment"],
            "LEAT_STEP": name,
            "LEAT_ATTEMPT": "1",
            "LEAT_METRICS": str(metrics),
        }
        began = time.monotonic()
        done = subprocess.run(
            argv, executable=shutil.which(argv[0], path=env["PATH"]), env=env, cwd=place,
            capture_output=True, text=True, timeout=600,
        )
        self.result.seconds[name] = round(time.monotonic() - began, 2)
        self.result.logs[name] = done.stdout + done.stderr
        if done.returncode:
            raise StepFailed(name, self.result.logs[name])
        lines = metrics.read_text().splitlines() if metrics.exists() else []
        self.result.metrics[name] = {m["name"]: m["value"] for m in map(json.loads, lines)}

    def _output(self, step, path, spec):
        assert path.exists(), f"{step} did not write {path.name}"
        if "type" not in spec:
            return path
        text = path.read_text(encoding="utf-8").removesuffix("\n")
        if spec["type"] == "string":
            return text
        value = json.loads(text)
        assert isinstance(value, TYPES[spec["type"]]), f"{step}.{path.name} is no {spec['type']}: {value!r}"
        return value
