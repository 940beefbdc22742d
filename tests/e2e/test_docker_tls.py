"""A real engine over TCP with certificates on both sides: taken, and every way in which it is not the one that was meant."""
import contextlib
import shutil
import sys

import pytest
from engine import an_engine, run, service
from leat import ROOT, Leat, until

sys.path.insert(0, str(ROOT / "dev"))
from parts.docker import authority, certificate  # noqa: E402


@pytest.fixture(scope="module")
def engine():
    with an_engine("--set", "tls=true") as it:
        (it.folder / "docker/tls").chmod(0o755)
        yield it


@contextlib.contextmanager
def leat_at(host, certs, **more):
    instance = Leat(slots=4, env={"DOCKER_HOST": host, **({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certs)}
                                                          if certs else {})}, **more)
    try:
        yield instance.up()
    finally:
        instance.remove()


def test_a_run_over_tls(engine):
    pipeline = f"""
name: far
steps:
  a: {{image: {engine.image}, command: [/bin/sh, -c, 'echo data > $LEAT_OUT/o; echo said'], outputs: {{o: {{}}}}}}
  b: {{image: {engine.image}, command: [/bin/sh, -c, 'cat $LEAT_IN/o'], inputs: {{o: a.o}}}}
"""
    host = engine.addresses["DOCKER_TLS"]
    with leat_at(host, engine.addresses["DOCKER_CERTS"]) as leat:
        until(lambda: f"at {host}" in leat.ok("workers", "-o", "wide"), what="the worker's engine")
        done, shown, steps = run(leat, pipeline, "far")
        assert done.returncode == 0, str(shown) + leat.logs_tail()
        assert leat.ok("logs", "latest:far", "a") == "said\n" and leat.ok("logs", "latest:far", "b") == "data\n"
        service("kill", "docker", engine.folder)
        service("up", "docker", engine.folder)
        engine.socket.chmod(0o666)
        until(lambda: "containers: docker" in leat.ok("workers", "-o", "wide"), 60)
        done, shown, steps = run(leat, pipeline, "far")
        assert done.returncode == 0, str(shown) + leat.logs_tail()
        until(lambda: not engine.containers())


def strangers(engine, tmp_path):
    """Certificates of an authority that the engine does not know."""
    authority(tmp_path / "other")
    certificate(tmp_path / "other", "worker", tmp_path / "other/client", "clientAuth")
    return tmp_path / "other/client"


@pytest.mark.parametrize("which", ["of-a-stranger", "none-shown", "another-engine", "another-name", "plain"])
def test_what_is_not_the_engine_that_was_meant(engine, tmp_path, which):
    host, own = engine.addresses["DOCKER_TLS"], engine.addresses["DOCKER_CERTS"]
    certs = tmp_path / "certs"
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    shutil.copytree(own, certs)
    if which == "of-a-stranger":  # the engine is right, the worker is not
        for name in ("cert.pem", "key.pem"):
            shutil.copy2(strangers(engine, tmp_path) / name if name == "cert.pem" else tmp_path / "other/client" / name, certs)
    elif which == "none-shown":
        for name in ("cert.pem", "key.pem"):
            (certs / name).unlink()
    elif which == "another-engine":  # the worker is right, the engine is not who it should be
        shutil.copy2(strangers(engine, tmp_path) / "ca.pem", certs)
    elif which == "another-name":
        host = host.replace("127.0.0.1", "localhost")
    before = len(engine.containers())
    with leat_at(host, None if which == "plain" else certs) as leat:
        wide = leat.ok("workers", "-o", "wide")
        assert "processes until a docker engine answers: " in wide and "containers: docker" not in wide, wide
        print(which, [line for line in wide.splitlines() if "processes until" in line])
    assert len(engine.containers()) == before
