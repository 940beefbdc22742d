"""The images, built for real on an engine of the tests' own, without hub and without network: what is in them, as whom it
runs, that each daemon works in its container and says when it does not, that no secret gets into a layer."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "dev"))
from parts import images, part  # noqa: E402

DAEMONS = ("scheduler", "worker", "triggers", "api")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: dockerd needs root")


def until(check, seconds=300, what=""):
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="li-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


class Docker:
    def __init__(self, host):
        self.engine = images.Engine(host)

    def __call__(self, *argv, check=True):
        done = subprocess.run([self.engine.program, *map(str, argv)], env=self.engine.env, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip() if check else done

    def inspect(self, what, path):
        return json.loads(self("inspect", "--format", "{{json " + path + "}}", what))

    def health(self, container):
        return self.inspect(container, ".State.Health.Status")


@pytest.fixture(scope="module")
def docker(folder):
    engine = part("docker", folder)
    address = engine.up()
    yield Docker(address["DOCKER_HOST"])
    engine.remove()


# ---- Leat's daemons -----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def leat(docker):
    return images.leat(docker.engine, "test")


@pytest.mark.parametrize("daemon", DAEMONS)
def test_each_daemon_runs_in_its_image_and_not_as_root(docker, leat, daemon):
    image = f"leat/leat-{daemon}:test"
    version = (ROOT / "VERSION").read_text().strip()
    assert docker("run", "--rm", "--network", "none", image, "--version") == f"leat-{daemon} {version}"
    assert docker("run", "--rm", "--network", "none", "--entrypoint", "id", image, "-u") == "10001"
    config = docker.inspect(image, ".Config")
    assert config["User"] == "leat:leat"
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "leat-health"]
    assert config["Labels"]["org.opencontainers.image.version"] == version
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_the_image_has_no_compiler_and_no_sources(docker, leat):
    found = docker("run", "--rm", "--network", "none", "leat/leat:test", "sh", "-c",
                   "command -v gcc make; ls /src /out 2>/dev/null; find / -xdev -name '*.c' -o -xdev -name '*.key' -o -xdev -name 'token'; true")
    assert found == ""
    assert int(docker("inspect", "--format", "{{.Size}}", "leat/leat:test")) < 200 * 1024 * 1024


# Where a mistake puts them: what the build does not see is in no layer.
PLANTED = ("api/token", "triggers/secret.key", "common/base/tls.pem", "scheduler/.env", "build/release/bin/leat",
           ".git/config", "docs/notes", "tests/unit/test_x.c")


def test_nothing_that_could_be_a_secret_is_sent_to_a_build(docker, leat):
    with tempfile.TemporaryDirectory() as context:
        context = pathlib.Path(context)
        for name in (*PLANTED, "common/base/err.c", "dev/setup", "Makefile"):
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            (context / name).write_text("canary\n")
        shutil.copy2(ROOT / ".dockerignore", context)
        (context / "probe").write_text(f"FROM {images.base(docker.engine, 'runtime')}\nCOPY . /context\n")
        docker.engine.build("leat/probe:1", context, context / "probe")
    sent = docker("run", "--rm", "--network", "none", "leat/probe:1", "find", "/context", "-type", "f").split()
    assert sorted(sent) == ["/context/Makefile", "/context/common/base/err.c", "/context/dev/setup"]


@pytest.fixture(scope="module")
def postgres(folder):
    """Reached by its socket's folder: containers have no network here."""
    cluster = folder / "pg"
    subprocess.run([ROOT / "dev/postgres", "start", cluster, "unix_socket_permissions=0777"], check=True, capture_output=True)
    yield cluster
    subprocess.run([ROOT / "dev/postgres", "remove", cluster], check=True)


@pytest.fixture(scope="module")
def containers(docker, leat, postgres, folder):
    """All four, each in a container of its own, on the embedded queue; shared folders as volumes."""
    keys = folder / "keys"
    keys.mkdir()
    (keys / "token").write_text("0123456789abcdef0123456789abcdef\n")
    (keys / "secret.key").write_bytes(os.urandom(32))
    for file in keys.iterdir():
        file.chmod(0o444)
    settings = {"LEAT_DATABASE": "host=/pg user=postgres dbname=postgres"}
    store = {"LEAT_STORE": "/var/lib/leat/store"}
    trust = {"LEAT_TOKEN_FILE": "/keys/token", "LEAT_KEY_FILE": "/keys/secret.key", "LEAT_INSECURE": "true"}
    more = {"scheduler": {}, "worker": {**store, "LEAT_BUCKETS": "/var/lib/leat/buckets", "LEAT_TOKEN_FILE": "/keys/token"},
            "triggers": {**store, **trust, "LEAT_BUCKETS": "/var/lib/leat/buckets"}, "api": {**store, **trust}}
    docker("volume", "create", "leat-store")
    docker("volume", "create", "leat-buckets")
    names = {}
    for daemon in DAEMONS:
        names[daemon] = f"test-{daemon}"
        environment = [word for key, value in {**settings, **more[daemon]}.items() for word in ("--env", f"{key}={value}")]
        docker("run", "--detach", "--name", names[daemon], "--network", "none", "--read-only", "--tmpfs", "/tmp",
               "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--health-interval", "1s",
               "--volume", f"{postgres}:/pg", "--volume", f"{keys}:/keys:ro",
               "--volume", "leat-store:/var/lib/leat/store", "--volume", "leat-buckets:/var/lib/leat/buckets",
               *(["--volume", "/var/lib/leat/worker"] if daemon == "worker" else []),
               *environment, f"leat/leat-{daemon}:test")
    yield names
    for name in names.values():
        docker("rm", "--force", "--volumes", name)


def test_every_daemon_becomes_healthy_without_privileges(docker, containers):
    """Read-only root, no capability, no network, and still well."""
    for daemon, name in containers.items():
        until(lambda: docker.health(name) == "healthy",
              what=f"{daemon}: {docker('logs', name, check=False).stderr[-2000:]}")


def test_health_follows_postgres(docker, containers, postgres):
    until(lambda: docker.health(containers["triggers"]) == "healthy")
    subprocess.run([ROOT / "dev/postgres", "stop", postgres, "immediate"], check=True)
    try:
        until(lambda: docker.health(containers["triggers"]) == "unhealthy", what="triggers do not see that Postgres is away")
    finally:
        subprocess.run([ROOT / "dev/postgres", "start", postgres], check=True, capture_output=True)
    until(lambda: docker.health(containers["triggers"]) == "healthy", what="and do not get well again")


def test_a_daemon_ends_at_sigterm(docker, containers):
    """As process 1, without an init: it does not wait for the KILL, which would be after two minutes."""
    started = time.monotonic()
    docker("stop", "--time", "120", containers["api"])
    assert time.monotonic() - started < 90
    assert docker.inspect(containers["api"], ".State.ExitCode") == 0
    docker("start", containers["api"])


@pytest.mark.parametrize("daemon", ["api", "triggers"])
def test_without_a_token_it_refuses_to_be_reached_from_elsewhere(docker, leat, daemon):
    done = docker("run", "--rm", "--network", "none", "--env", "LEAT_DATABASE=host=/nowhere",
                  "--env", "LEAT_STORE=/var/lib/leat/store", "--env", "LEAT_KEY_FILE=/var/lib/leat/keys/k",
                  *(["--env", "LEAT_BUCKETS=/var/lib/leat/buckets"] if daemon == "triggers" else []),
                  f"leat/leat-{daemon}:test", check=False)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "insecure" in done.stderr and "token" in done.stderr


# ---- the forecast's steps --------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def forecast(docker):
    return images.forecast(docker.engine, tag="test")


def test_one_image_a_component(docker, forecast):
    assert sorted(name.split("/forecast-")[1] for name in forecast) == \
        [f"{c}:test" for c in ("forest", "ingest", "prepare", "promote", "sgd", "validate")]
    for image in forecast:
        program = image.split("/")[1].split(":")[0]
        assert docker("run", "--rm", "--network", "none", image, "--help").startswith(f"usage: {program}")
        assert docker.inspect(image, ".Config.User") == "65534:65534"


def test_components_with_the_same_libraries_share_their_layer(docker, forecast):
    layers = {name: docker.inspect(f"registry.local/forecast-{name}:test", ".RootFS.Layers")
              for name in ("sgd", "forest", "ingest", "validate")}
    assert layers["sgd"][:2] == layers["forest"][:2]
    assert layers["ingest"][:2] == layers["validate"][:2]
    assert layers["sgd"][-1] != layers["forest"][-1]


def test_a_step_in_its_container_gives_what_it_gives_outside(docker, forecast, folder):
    """ingest and validate on the example's data, as Leat gives them their folders."""
    raw, out = folder / "raw", folder / "out"
    (raw / "files").mkdir(parents=True)
    shutil.copy2(ROOT / "examples/forecast/data/gb.csv", raw / "files")
    (raw / "manifest.json").write_text(json.dumps(manifest(raw / "files" / "gb.csv")))
    out.mkdir()
    out.chmod(0o777)

    def step(name, *arguments):
        return docker("run", "--rm", "--init", "--network", "none", "--read-only", "--volume", f"{raw}:/leat/in/raw:ro",
                      "--volume", f"{out}:/leat/out", f"registry.local/forecast-{name}:test", *arguments)
    step("ingest", "--raw=/leat/in/raw", "--data=/leat/out/data", "--manifest=/leat/out/manifest",
         "--rows=/leat/out/rows", "--skipped=/leat/out/skipped")
    step("validate", "--data=/leat/out/data", "--report=/leat/out/report", "--min-load=1", "--max-load=200000",
         "--max-gap-hours=24")
    lines = (ROOT / "examples/forecast/data/gb.csv").read_text().splitlines()
    assert int((out / "rows").read_text()) == len(lines) - 1
    assert json.loads((out / "report").read_text())


def manifest(file):
    import hashlib
    data = file.read_bytes()
    return {"bucket": "b", "objects": [{"key": file.name, "version": "1", "size": len(data),
                                        "hash": hashlib.sha256(data).hexdigest()}]}
