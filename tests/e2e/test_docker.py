"""Steps in containers of a real Docker engine, as a user would run them."""
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse

import pytest
from leat import Leat

ROOT = pathlib.Path(__file__).resolve().parents[2]
CANARY = "canary-7c1f-of-the-secret"


class Engine:
    """An engine of its own, by its HTTP interface."""

    def __init__(self, folder):
        self.folder = folder
        said = subprocess.run([ROOT / "dev/services", "up", "docker", "--dir", folder], check=True, text=True,
                              capture_output=True, timeout=180).stdout
        self.addresses = dict(line.split("=", 1) for line in said.splitlines())
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
        return json.loads(data) if data.startswith((b"{", b"[")) else data

    def image_with(self, name, *changes):
        """The same root folder, another configuration."""
        home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        tar = sorted((home / "leat/services").glob("docker-*/busybox.tar"))[-1]
        query = urllib.parse.urlencode([("fromSrc", "-"), ("repo", name), ("tag", "1"),
                                        *(("changes", c) for c in changes)])
        self.ask("POST", f"/images/create?{query}", tar.read_bytes())
        return f"{name}:1"

    def containers(self):
        return self.ask("GET", "/containers/json?all=1")


@pytest.fixture(scope="module")
def engine():
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("SKIPPED containers: dockerd and root are needed")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ld-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield Engine(folder)
    finally:
        subprocess.run([ROOT / "dev/services", "remove", "docker", "--dir", folder], check=True, timeout=90,
                       stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def leat(engine):
    instance = Leat(slots=8, env={"DOCKER_HOST": engine.addresses["DOCKER_HOST"]})
    try:
        yield instance.up()
    finally:
        instance.remove()


def run(leat, text, name, *more):
    file = leat.work / f"{name}.yaml"
    file.write_text(text)
    leat.ok("apply", file)
    done = leat.leat("run", name, "--wait", *more, timeout=120)
    shown = json.loads(leat.ok("show", f"latest:{name}", "-o", "json"))
    return done, shown, {s["name"]: s for s in shown["steps"]}


def until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.05)


def test_auto_takes_the_engine(leat, engine):
    worker = json.loads(leat.ok("workers", "-o", "json"))[0]
    assert worker["executors"][:2] == ["docker", "process"]
    log = (leat.data / "log/worker.log").read_text()
    assert "steps with an image run in containers" in log


def test_a_run_of_containers_and_a_process(leat, engine):
    user = engine.image_with("leat.test/user", "USER 1234:1234", 'ENTRYPOINT ["/bin/sh", "-c"]', "ENV PATH=/bin")
    done, shown, steps = run(leat, f"""
name: mixed
steps:
  first:
    image: {user}
    args: ["id -u; echo data > $LEAT_OUT/a; printf 7 > ${{{{ outputs.n.path }}}}; ls -ld /leat/in 2>&1 | head -c 0"]
    outputs: {{a: {{}}, n: {{type: integer}}}}
  second:
    image: {user}
    args: ["cat ${{{{ inputs.a.path }}}}; touch /leat/in/x 2>/dev/null && echo writable; mkdir $LEAT_OUT/f; cp $LEAT_IN/a $LEAT_OUT/f/copy"]
    inputs: {{a: first.a}}
    outputs: {{f: {{}}}}
  third:
    command: [sh, -c, 'cat "$LEAT_IN/f/copy"; echo "$0"', "${{{{ steps.first.outputs.n }}}}"]
    inputs: {{f: second.f}}
""", "mixed")
    assert done.returncode == 0, done.stdout + done.stderr + str(shown)
    assert leat.ok("logs", "latest:mixed", "first") == "1234\n"
    assert leat.ok("logs", "latest:mixed", "second") == "data\n"
    assert leat.ok("logs", "latest:mixed", "third") == "data\n7\n"
    assert steps["first"]["image"].startswith("sha256:")  # it came from no registry
    assert steps["third"]["image"] is None
    until(lambda: not engine.containers())


def test_secrets_are_nowhere_but_in_files(leat, engine):
    assert leat.leat("secret", "set", "api-key", stdin=CANARY).returncode == 0
    done, shown, _ = run(leat, f"""
name: secretive
steps:
  s:
    image: {engine.image}
    secrets: [api-key]
    command: [/bin/sh, -c, 'test "$(cat $LEAT_SECRETS/api-key)" = "$0-7c1f-of-the-secret" && stat -f -c %T /leat/secrets && sleep 2', canary]
""", "secretive")
    assert done.returncode == 0, str(shown)
    assert "tmpfs" in leat.ok("logs", "latest:secretive", "s")
    for log in (leat.data / "log").glob("*.log"):
        assert CANARY not in log.read_text(errors="replace")


def test_secrets_are_not_in_inspect(leat, engine):
    file = leat.work / "looked.yaml"
    file.write_text(f"""
name: looked
steps:
  s: {{image: {engine.image}, secrets: [api-key], command: [/bin/sleep, "3"]}}
""")
    leat.ok("apply", file)
    leat.ok("run", "looked")
    until(engine.containers)
    inspected = json.dumps(engine.ask("GET", f"/containers/{engine.containers()[0]['Id']}/json"))
    assert CANARY not in inspected and "/leat/secrets" in inspected
    until(lambda: not engine.containers())


def test_the_worker_dies_while_containers_run(leat, engine):
    file = leat.work / "long.yaml"
    file.write_text(f"""
name: long
defaults: {{image: {engine.image}}}
steps:
""" + "".join(f"""
  s{i}:
    command: [/bin/sh, -c, 'echo $LEAT_ATTEMPT_ID >> $LEAT_OUT/ledger; for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done']
    outputs: {{ledger: {{}}}}
""" for i in range(3)))
    leat.ok("apply", file)
    run_id = json.loads(leat.ok("run", "long", "-o", "json"))["id"]
    until(lambda: len(engine.containers()) == 3)
    for _ in range(2):
        time.sleep(0.7)
        leat.kill("leat-worker")
        until(lambda: leat.pids("leat-worker"))
    shown = leat.wait_run(run_id)
    assert shown["state"] == "succeeded", str(shown)
    for step in shown["steps"]:
        assert step["attempt"] == 1 and step["outputs"]["ledger"]["size"] == 37
        assert leat.ok("logs", run_id, step["name"]) == "1\n2\n3\n4\n5\n6\n"
    until(lambda: not engine.containers())


@pytest.mark.parametrize("more,said", [
    ("privileged: true", "privileged"), ("container: {privileged: true}", "privileged"),
    ("container: {volumes: [/:/host]}", "volumes"), ("container: {network: 'container:x'}", "network"),
    ("container: {devices: [/dev/kmsg]}", "devices"), ("container: {pid: host}", "pid"),
    ("workdir: /proc/self", "/proc"), ("workdir: ../x", "absolute"), ("resources: {memory: 1MiB}", "memory"),
    ("image: '$(id)'", "image")])
def test_what_reaches_out_is_refused(leat, more, said):
    file = leat.work / "hostile.yaml"
    image = "" if more.startswith("image") else "image: busybox, "
    file.write_text(f"name: hostile\nsteps:\n  s: {{{image}{more}}}\n")
    done = leat.leat("validate", file)
    assert done.returncode == 1 and said in done.stderr + done.stdout
