"""docker-compose.yml as docker-compose 1.29 reads it: it is taken, every setting in it is one of that daemon's, every secret
is a file that dev/compose-secrets makes, nothing but loopback is published."""
import os
import pathlib
import re
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAEMONS = {"scheduler-1": "scheduler", "scheduler-2": "scheduler", "triggers": "triggers", "api": "api", "worker": "worker"}


@pytest.fixture(scope="module")
def config():
    done = subprocess.run(["docker-compose", "-f", ROOT / "docker-compose.yml", "config"], capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    subprocess.run([ROOT / "dev/compose-secrets", folder], check=True)
    return folder


def keys_of(daemon):
    """Its table of keys, by its own word."""
    section = (ROOT / "docs/config.md").read_text().split(f"## leat-{daemon}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([a-z-]+)` \|", section, re.M))


def test_both_composes_take_it():
    """Version 1.29 refuses `name`, version 2 warns of `version`; the test above it runs the one that is in Debian."""
    text = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert {"name", "version"} & set(text) == set()


@pytest.mark.parametrize("service", DAEMONS)
def test_every_setting_is_one_of_the_daemons(config, service):
    known = keys_of(DAEMONS[service]) | {"config"}
    given = {name[5:].lower().replace("_", "-") for name in config["services"][service]["environment"]
             if name.startswith("LEAT_")}
    assert given, "no settings at all"
    assert given - known == set()


@pytest.mark.parametrize("service", DAEMONS)
def test_the_daemon_takes_its_settings(config, secrets, service, tmp_path):
    """The program itself, with the same environment and the same secrets: it gets as far as looking for its services."""
    program = ROOT / "build" / os.environ.get("LEAT_TEST_BUILD", "check") / "bin" / f"leat-{DAEMONS[service]}"
    environment = dict(config["services"][service]["environment"])
    for name, value in environment.items():
        value = str(value).replace("/run/secrets", str(secrets)).replace("/var/lib/leat", str(tmp_path / "leat"))
        value = value.replace("/dev/shm/", f"{tmp_path}/")
        environment[name] = value
    (tmp_path / "leat").mkdir()
    (tmp_path / "leat-worker").mkdir()
    environment |= {"PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=0"}
    environment["LEAT_HOOKS" if service == "triggers" else "LEAT_LISTEN"] = "127.0.0.1:0"
    if "LEAT_STORE_ENDPOINT" in environment:  # the name is known in the site's own network alone
        environment["LEAT_STORE_ENDPOINT"] = "http://127.0.0.1:9"
    process = subprocess.Popen([program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    try:
        said, _ = process.communicate(timeout=4)
    except subprocess.TimeoutExpired:
        process.terminate()
        said, _ = process.communicate()
    # 0: told to end while it looked for its services. A setting that it does not take is 2, one that is wrong 1.
    assert process.returncode in (0, -15), said


def test_a_worker_has_no_login_to_postgres(config):
    worker = config["services"]["worker"]
    assert "LEAT_DATABASE" not in worker["environment"] and "LEAT_CONFIG" not in worker["environment"]
    assert {s["source"] if isinstance(s, dict) else s for s in worker["secrets"]} == {"leat-token", "s3-credentials"}


def test_every_secret_is_made_and_none_stands_in_the_file(config, secrets):
    named = {pathlib.Path(entry["file"]).name for entry in config["secrets"].values()}
    assert named == {f.name for f in secrets.iterdir()}
    assert secrets.stat().st_mode & 0o077 == 0
    assert len((secrets / "leat-key").read_bytes()) == 32
    text = str(config)
    for name in ("postgres-password", "minio-password", "leat-token"):
        value = (secrets / name).read_text().strip()
        assert len(value) == 48 and value not in text
    for service, entry in config["services"].items():
        for key, value in (entry.get("environment") or {}).items():
            assert not (re.search("PASSWORD|SECRET_ACCESS", key) and not key.endswith("_FILE")), f"{service}: {key}={value}"


def test_secrets_that_are_there_stay(secrets):
    before = {f.name: f.read_bytes() for f in secrets.iterdir()}
    subprocess.run([ROOT / "dev/compose-secrets", secrets], check=True)
    assert before == {f.name: f.read_bytes() for f in secrets.iterdir()}


def test_only_loopback_is_published(config):
    for service, entry in config["services"].items():
        for port in entry.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), f"{service}: {port}"


def test_what_is_waited_for_can_be_waited_for(config):
    services = config["services"]
    for name, entry in services.items():
        for other, how in entry.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                dockerfile = (ROOT / "Dockerfile").read_text()
                target = services[other].get("build", {}).get("target")
                stage = dockerfile.split(f"AS {target}\n")[1].split("\nFROM ")[0] if target else ""
                assert "healthcheck" in services[other] or "HEALTHCHECK" in stage, f"{name} waits for {other}"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert "restart" not in services[other], f"{other} ends and would be started again"


def test_images_are_of_a_version_or_built_here(config):
    for name, entry in config["services"].items():
        if "build" in entry:
            context = pathlib.Path(entry["build"]["context"])
            dockerfile = context / entry["build"].get("dockerfile", "Dockerfile")
            assert dockerfile.exists()
            target = entry["build"].get("target")
            assert not target or f" AS {target}\n" in dockerfile.read_text()
        else:
            tag = entry["image"].rpartition(":")[2]
            assert tag != entry["image"] and tag != "latest", f"{name}: {entry['image']}"
