"""A real Docker engine of its own for a test file, looked at by its HTTP interface; conftest.py gives the fixture to all."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import urllib.parse

import pytest
from leat import ROOT


def service(verb, name, folder, *more):
    """`dev/services VERB NAME`: its addresses."""
    said = subprocess.run([ROOT / "dev/services", verb, name, "--dir", folder, *more], check=True, text=True,
                          capture_output=True, timeout=180).stdout
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


class Engine:
    """An engine of its own, by its HTTP interface."""

    def __init__(self, folder, *more):
        self.folder = folder
        self.addresses = service("up", "docker", folder, *more)
        self.image = self.addresses["IMAGE"]
        self.socket = pathlib.Path(self.addresses["DOCKER_HOST"].removeprefix("unix://"))
        self.socket.chmod(0o666)  # Leat's daemons run as a user of their own
        (self.folder / "docker").chmod(0o755)

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("docker")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.socket))
        connection.request(method, f"/v1.41{path}", body, headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        with contextlib.suppress(ValueError):
            return json.loads(data)
        return data

    def restore_image(self):
        """The small image, for who has taken it away."""
        self.image_with(self.image.rsplit(":", 1)[0], 'CMD ["/bin/sh"]', "ENV PATH=/bin")

    def image_with(self, name, *changes):
        """The same root folder, another configuration."""
        home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        tar = sorted((home / "leat/services").glob("docker-*/busybox.tar"))[-1]
        query = urllib.parse.urlencode([("fromSrc", "-"), ("repo", name), ("tag", "1"),
                                        *(("changes", c) for c in changes)])
        self.ask("POST", f"/images/create?{query}", tar.read_bytes())
        return f"{name}:1"

    def running(self):
        """What the engine tells of a container that runs; None while none does."""
        for container in self.containers():
            told = self.ask("GET", f"/containers/{container['Id']}/json")
            if told.get("State", {}).get("Running"):
                return told
        return None

    def containers(self):
        return self.ask("GET", "/containers/json?all=1")

    def touch(self, container, path):
        """Makes a file in a container that runs."""
        made = self.ask("POST", f"/containers/{container['Id']}/exec", json.dumps({"Cmd": ["/bin/touch", path]}),
                        {"Content-Type": "application/json"})
        self.ask("POST", f"/exec/{made['Id']}/start", '{"Detach": true}', {"Content-Type": "application/json"})


@contextlib.contextmanager
def an_engine(*more):
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("SKIPPED containers: dockerd and root are needed")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ld-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield Engine(folder, *more)
    finally:
        service("remove", "docker", folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def engine():
    with an_engine() as it:
        yield it


def run(leat, text, name, *more):
    file = leat.work / f"{name}.yaml"
    file.write_text(text)
    leat.ok("apply", file)
    done = leat.leat("run", name, "--wait", *more, timeout=120)
    shown = json.loads(leat.ok("show", f"latest:{name}", "-o", "json"))
    return done, shown, {s["name"]: s for s in shown["steps"]}
