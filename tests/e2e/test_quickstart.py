"""In what `make quickstart` runs the steps: the choice, as its script asks for it, against what a machine may have."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from leat import Leat, signal_all, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "dev"))
from parts import PartError, executor, images, part  # noqa: E402

STRANGER = "nobody-of-this-test"  # there is no such user: he will be in no group


def choose(user="leat", seconds=120, **env):
    """(status, executor, all that it said)."""
    more = {"QUICKSTART_EXECUTOR": "", "DOCKER_HOST": "", **env}
    done = subprocess.run([ROOT / "dev/quickstart-executor", "choose", user], capture_output=True, text=True,
                          env={**os.environ, **more}, timeout=seconds)
    return done.returncode, done.stdout.partition("\n")[0], done.stdout + done.stderr


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="lq-", dir="/tmp") as name:
        path = pathlib.Path(name)
        path.chmod(0o755)
        yield path


@contextlib.contextmanager
def listening(path, answer):
    """Who answers every connection with these bytes, or, when there are none, not at all."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o666)
        server.listen(8)
        kept = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    kept.append(connection)
                    if answer:
                        connection.recv(65536)
                        connection.sendall(answer)
                        connection.close()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        for each in kept:
            each.close()


# ---- without an engine that can be used ---------------------------------------------------------------

def test_without_an_engine_it_is_processes(folder):
    status, chosen, said = choose(DOCKER_HOST=f"unix://{folder}/docker.sock")
    assert (status, chosen) == (0, "process")
    assert f"no Docker engine: {folder}/docker.sock is not there" in said


def test_a_dead_socket_and_one_that_is_silent_or_no_engine(folder):
    dead = folder / "dead.sock"
    with socket.socket(socket.AF_UNIX) as once:
        once.bind(str(dead))
    dead.chmod(0o666)
    assert choose(DOCKER_HOST=f"unix://{dead}")[1] == "process"
    with listening(folder / "silent.sock", b""):
        began = time.monotonic()
        status, chosen, said = choose(DOCKER_HOST=f"unix://{folder}/silent.sock")
        assert (status, chosen) == (0, "process") and "does not answer" in said
        assert time.monotonic() - began < 60
    with listening(folder / "other.sock", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"):
        status, chosen, said = choose(DOCKER_HOST=f"unix://{folder}/other.sock")
        assert (status, chosen) == (0, "process") and "does not answer" in said


def test_an_engine_of_another_machine_is_not_taken():
    status, chosen, said = choose(DOCKER_HOST="tcp://127.0.0.1:1")
    assert (status, chosen) == (0, "process") and "tcp://127.0.0.1:1" in said


def test_by_hand(folder):
    none = f"unix://{folder}/docker.sock"
    assert choose(QUICKSTART_EXECUTOR="process", DOCKER_HOST=none)[:2] == (0, "process")
    status, chosen, said = choose(QUICKSTART_EXECUTOR="docker", DOCKER_HOST=none)
    assert (status, chosen) == (1, "") and "is not there" in said, "who asked for containers gets them or the reason"
    status, chosen, said = choose(QUICKSTART_EXECUTOR="podman", DOCKER_HOST=none)
    assert (status, chosen) == (1, "") and "auto, process or docker" in said


GOOD = {"version": {"Version": "20.10.24", "ApiVersion": "1.41"}, "info": {"OSType": "linux", "SecurityOptions": ["name=seccomp"]}}


@pytest.mark.parametrize("version, info, why", [
    ({"ApiVersion": "1.41"}, {}, None),
    ({"ApiVersion": "1.50"}, {"SecurityOptions": None}, None),
    ({"ApiVersion": "2.0"}, {}, None),
    ({"ApiVersion": "1.40"}, {}, "older than 1.41"),
    ({"ApiVersion": "1.9"}, {}, "older than 1.41"),
    ({"ApiVersion": ""}, {}, "older than 1.41"),
    ({}, {"OSType": "windows"}, "containers of windows"),
    ({}, {"SecurityOptions": ["name=seccomp", "name=rootless"]}, "rootless"),
    ({}, {"SecurityOptions": ["name=userns"]}, "userns"),
    ({}, {"OperatingSystem": "Docker Desktop"}, "Docker Desktop"),
])
def test_which_engines_do(version, info, why):
    """What engines that are not here say, as the interface's reference has it."""
    said = {"version": GOOD["version"] | version, "info": GOOD["info"] | info}
    refused = executor.refusal("/run/docker.sock", "leat", said, "/bin/sh")
    assert refused is None if why is None else why in refused


def test_without_a_client_no_images_can_be_built(folder):
    assert "is missing" in executor.refusal("/run/docker.sock", "leat", GOOD, str(folder / "docker"))


# ---- the pipeline that is applied -----------------------------------------------------------------------

def test_the_pipeline_is_told_where_everything_is():
    text = images.forecast_pipeline("http://127.0.0.1:1", "leat.quickstart", "abc", "{network: host}")
    for line in ("    default: http://127.0.0.1:1", "    default: leat.quickstart", "    default: abc",
                 "defaults: {timeout: 10m, container: {network: host}}"):
        assert text.count(f"\n{line}\n") == 1, line
    before = (ROOT / "examples/forecast/pipeline.yaml").read_text()
    assert images.forecast_pipeline("http://127.0.0.1:5000") == before


def test_a_pipeline_of_another_form_is_not_applied_half_changed(folder, monkeypatch):
    (folder / "pipeline.yaml").write_text("name: other\n")
    monkeypatch.setattr(images, "COMPONENTS", folder / "components")
    with pytest.raises(PartError, match="default: http://127.0.0.1:5000"):
        images.forecast_pipeline("http://127.0.0.1:1")


def test_the_images_tag_follows_their_sources(folder, monkeypatch):
    tree = folder / "components"
    shutil.copytree(images.COMPONENTS, tree, ignore=shutil.ignore_patterns("build", "__pycache__"))
    before = images.forecast_tag()
    monkeypatch.setattr(images, "COMPONENTS", tree)
    assert images.forecast_tag() == before
    (tree / "sgd/tests/test_more.py").write_text("")
    assert images.forecast_tag() == before, "tests are in no image"
    with (tree / "common/pyproject.toml").open("a") as file:
        file.write("# changed\n")
    assert images.forecast_tag() != before


# ---- a real engine --------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def engine():
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("SKIPPED containers: dockerd and root are needed")
    with tempfile.TemporaryDirectory(prefix="lq-", dir="/tmp") as name:
        pathlib.Path(name).chmod(0o755)
        docker = part("docker", pathlib.Path(name), {})
        docker.up()
        docker.folder.chmod(0o755)
        try:
            yield docker
        finally:
            docker.remove()


def test_an_engine_is_taken_when_leats_user_may_use_it(engine):
    host = f"unix://{engine.socket}"
    engine.socket.chmod(0o666)
    for user in ("root", "nobody", STRANGER):
        status, chosen, said = choose(user, DOCKER_HOST=host)
        assert (status, chosen) == (0, "docker"), said
        assert str(engine.socket) in said and "API 1." in said
    assert choose("nobody", DOCKER_HOST=host, QUICKSTART_EXECUTOR="process")[:2] == (0, "process")


def test_root_may_use_it_and_leats_user_not(engine):
    host = f"unix://{engine.socket}"
    engine.socket.chmod(0o660)
    assert choose("root", DOCKER_HOST=host)[1] == "docker"
    for user in ("nobody", STRANGER):
        status, chosen, said = choose(user, DOCKER_HOST=host)
        assert (status, chosen) == (0, "process")
        assert f"user {user} may not speak to the Docker engine at {engine.socket}" in said
        status, chosen, said = choose(user, DOCKER_HOST=host, QUICKSTART_EXECUTOR="docker")
        assert (status, chosen) == (1, "") and "may not speak" in said


def test_only_the_containers_of_its_own_data_folder_are_removed(engine):
    """A step without inputs has nothing mounted from there. `leat down` would end its container; kill -9 of all leaves it."""
    engine.socket.chmod(0o666)
    host = f"unix://{engine.socket}"
    leat = Leat(env={"DOCKER_HOST": host}, extra=["--docker-network", "none"])

    def names():
        return {c["Names"][0] for c in executor.ask(str(engine.socket), "GET", "/containers/json?all=1", 60)}
    labels = ["--label", "dev.leat.worker=local", "--label", "dev.leat.attempt=01a210d4-b5d2-76de-86de-e435ebfd4f5b"]
    subprocess.run(["/usr/bin/docker", "-H", host, "run", "-d", "--network", "none", "--name", "neighbour", *labels,
                    engine.image, "sleep", "600"], check=True, capture_output=True, timeout=300)
    try:
        leat.up()
        until(lambda: "docker" in leat.ok("workers", "-o", "json"), 120, what="the worker's engine")
        leat.apply(f"name: bare\nsteps:\n  one: {{image: {engine.image!r}, command: [sleep, '600']}}\n")
        leat.ok("run", "bare")
        until(lambda: len(names()) == 2, 180, what="the step's container")
        signal_all(signal.SIGKILL, sum(map(leat.pids, ("leat", "leat-worker", "leat-keeper")), []))  # all looked up before one ends
        done = subprocess.run([ROOT / "dev/quickstart-executor", "remove", leat.data], capture_output=True, text=True,
                              env={**os.environ, "DOCKER_HOST": host}, timeout=300)
        assert (done.returncode, done.stdout) == (0, "removed 1 containers of steps\n"), done.stderr
        assert names() == {"/neighbour"}
    finally:
        leat.remove()


def test_containers_of_the_pipeline_reach_what_listens_on_loopback(engine):
    """As MLflow does, with what quickstart tells `leat up`; the default network of other steps does not become the host's."""
    engine.socket.chmod(0o666)
    leat = Leat(env={"DOCKER_HOST": f"unix://{engine.socket}"},
                extra=["--docker-network", "none", "--docker-networks", "none,default,host"])
    text = """
name: NAME
steps:
  one:
    image: IMAGE
    command: [wget, -q, -O, "-", "URL/healthz"]
    container: {NETWORKpull: never}
""".replace("IMAGE", engine.image).replace("URL", leat.api)
    try:
        leat.up()
        until(lambda: "docker" in leat.ok("workers", "-o", "json"), 120, what="the worker's engine")
        for name, network in (("by-host", "network: host, "), ("by-default", "")):
            leat.apply(text.replace("NAME", name).replace("NETWORK", network))
            done = leat.leat("run", name, "--follow", timeout=300)
            assert (done.returncode == 0) == (name == "by-host"), done.stdout + done.stderr
    finally:
        leat.remove()


def test_a_network_that_cannot_be_is_refused_at_once(folder):
    leat = Leat()
    try:
        done = leat.leat("up", "--data", str(leat.data), "--docker-network", "container:other")
        assert done.returncode == 1 and "--docker-network container:other" in done.stderr
    finally:
        leat.remove()
