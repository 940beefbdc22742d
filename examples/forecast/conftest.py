"""Fixtures for the tests of the components and of the whole example."""

import json
import os
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent  # pytest runs from the environment that `install` made


@pytest.fixture(scope="session")
def data():
    return EXAMPLE / "data"


@pytest.fixture(scope="session")
def bin_folder():
    return BIN


@pytest.fixture(scope="session")
def italy():
    """The data of the reference architecture; it may not be part of the project."""
    folder = Path(os.environ.get("LEAT_SHARED_DATA", EXAMPLE.parents[2] / "shared" / "data"))
    if not (folder / "it.csv").exists():
        pytest.skip(f"{folder}/it.csv is not there (LEAT_SHARED_DATA names its folder)")
    return folder / "it.csv"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def server(verb, folder, *more):
    """mlflow-server as a user calls it; returns the finished process."""
    return subprocess.run(
        [EXAMPLE / "mlflow-server", verb, "--data", folder, *more], capture_output=True, text=True, timeout=400
    )


class MlflowServer:
    """A real MLflow, and its REST API as a reader that shares no code with the steps."""

    def __init__(self, folder, port):
        self.folder = folder
        self.port = port
        self.uri = f"http://127.0.0.1:{port}"

    def call(self, method, path, **values):
        address = f"{self.uri}/api/2.0/mlflow/{path}"
        body = None
        if method == "GET":
            address += "?" + urllib.parse.urlencode(values)
        else:
            body = json.dumps(values).encode()
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def versions(self, name):
        """{number: version} of a registered model."""
        found = self.call("GET", "model-versions/search", filter=f"name='{name}'").get("model_versions", [])
        return {version["version"]: version for version in found}

    def stages(self, name):
        return {number: version["current_stage"] for number, version in self.versions(name).items()}

    def aliases(self, name):
        model = self.call("GET", "registered-models/get", name=name)["registered_model"]
        return {alias["alias"]: alias["version"] for alias in model.get("aliases", [])}


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    started = server("start", folder, "--port", str(port), "--venv", str(BIN.parent))
    assert started.returncode == 0, started.stderr
    yield MlflowServer(folder, port)
    stopped = server("stop", folder)
    assert stopped.returncode == 0, stopped.stderr
