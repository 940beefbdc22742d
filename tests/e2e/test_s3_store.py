"""Artifacts and logs in an S3 bucket: `leat up --store s3://…` on a real MinIO, also while that is away."""
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import time

import pytest
from leat import BUILD, ROOT, Leat, request, until
from s3client import S3

sys.path.insert(0, str(ROOT / "dev"))
from parts import part  # noqa: E402

AWAY_S = 60
PIPELINE = """
name: {name}
params: {{gate: /}}
steps:
  make:
    command: [sh, -c, 'until test -e "$1"; do sleep 0.1; done; head -c 20000000 /dev/zero | tr "\\\\0" x > "$2"; mkdir "$3"; echo a > "$3/a"; echo b > "$3/b"; echo made', make]
    args: ["${{{{ params.gate }}}}", "${{{{ outputs.big.path }}}}", "${{{{ outputs.folder.path }}}}"]
    outputs: {{big: {{}}, folder: {{}}}}
  use:
    command: [sh, -c, 'wc -c < "$1" | tr -d " " > "$3"; cat "$2/a" "$2/b"', use]
    args: ["${{{{ inputs.big.path }}}}", "${{{{ inputs.folder.path }}}}", "${{{{ outputs.bytes.path }}}}"]
    inputs: {{big: make.big, folder: make.folder}}
    outputs: {{bytes: {{type: integer}}}}
"""


@pytest.fixture(scope="module")
def minio():
    made = part("minio", pathlib.Path(tempfile.mkdtemp(prefix="leat-s3-")), {})
    if not made.cached.exists():
        pytest.skip("MinIO is not in the cache: dev/services fetch minio builds it")
    made.up()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def s3(minio):
    client = S3(minio.addresses()["MINIO"])
    client.make("leat-store")
    return client


@pytest.fixture(scope="module")
def leat(minio, s3):
    instance = Leat(extra=["--store", "s3://leat-store/prod", "--store-endpoint", minio.addresses()["MINIO"]])
    keys = instance.file("keys", "leat:leat-secret\n")
    keys.chmod(0o644)
    instance.extra += ["--store-credentials", str(keys)]
    try:
        yield instance.up()
    finally:
        instance.remove()


def check(leat, run):
    shown = leat.wait_run(run, 180)
    assert shown["state"] == "succeeded", shown
    assert {s["name"]: s for s in shown["steps"]}["use"]["outputs"]["bytes"] == 20000000
    assert "made" in leat.ok("logs", run, "make") and leat.ok("logs", run, "use") == "a\nb\n"


def test_lists_and_names_of_folders(leat):
    leat.ok("apply", str(ROOT / "examples" / "shapes" / "lists.yaml"))
    started = leat.json("run", "shapes-lists")["id"]
    shown = leat.wait_run(started)
    assert shown["state"] == "succeeded", shown["reason"]
    assert leat.ok("logs", started, "join").splitlines() == ["0: FROM NORTH", "1: FROM SOUTH EAST", "2: FROM WEST"]


def test_a_run_with_its_artifacts_and_logs_in_s3(leat, s3):
    leat.apply(PIPELINE.format(name="stored"), "stored.yaml")
    run = leat.ok("run", "stored", "-o", "name").strip()
    check(leat, run)
    out = leat.work / "big"
    leat.ok("artifact", "get", run, "make.big", "-o", out)
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    assert digest == hashlib.sha256(b"x" * 20000000).hexdigest()
    keys = s3.keys("leat-store")
    assert f"prod/objects/{digest[:2]}/{digest[2:]}" in keys
    assert any(k.startswith(f"prod/logs/{run}/make/") for k in keys) and all(k.startswith("prod/") for k in keys)
    assert not list((leat.data / "store").rglob("*")), "nothing lies in the folder"
    canary = subprocess.run(["grep", "-rl", "leat-secret", leat.data / "log"], capture_output=True, text=True)
    assert canary.returncode == 1, canary.stdout


def test_minio_away_with_work_waiting(leat, minio):
    """60 s: a step that was running ends, one begins; nothing fails, all goes on; people are told 503 meanwhile."""
    leat.apply(PIPELINE.format(name="patient"), "patient.yaml")
    gate = leat.work / "gate"
    running = leat.ok("run", "patient", "-p", f"gate={gate}", "-o", "name").strip()
    until(lambda: any(s["state"] == "running" for s in leat.json("show", running)["steps"]), what="a step that runs")
    earlier = leat.json("runs", "--pipeline", "stored")[0]["id"]
    minio.kill()
    gone = time.monotonic()
    gate.touch()
    waiting = leat.ok("run", "patient", "-o", "name").strip()
    asked = time.monotonic()
    answer = request("GET", f"{leat.api}/api/v1/runs/{earlier}/artifacts/make.big", timeout=60)
    assert answer.status == 503 and time.monotonic() - asked < 30, (answer.status, answer.body)
    while time.monotonic() < gone + AWAY_S:
        assert leat.json("show", running)["state"] == leat.json("show", waiting)["state"] == "running"
        assert leat.leat("status").returncode == 0
        time.sleep(5)
    minio.up()
    back = time.monotonic()
    check(leat, running)
    check(leat, waiting)
    print(f"finished {time.monotonic() - back:.1f} s after MinIO was back")


def test_what_a_person_mends(minio):
    """A bucket that is not there and keys that are wrong end the start, and say what to do."""
    with tempfile.TemporaryDirectory() as folder:
        keys = pathlib.Path(folder) / "keys"
        for text, bucket, advice in (("leat:leat-secret", "not-there", "make the bucket"), ("leat:wrong", "leat-store", "secret key is wrong"),
                                     ("nothing", "leat-store", "KEY:SECRET")):
            keys.write_text(text)
            done = subprocess.run([BUILD / "bin" / "leat-api", "--database", "host=/nowhere", "--key-file", f"{folder}/key", "--listen", "127.0.0.1:0",
                                   "--store", f"s3://{bucket}", "--store-endpoint", minio.addresses()["MINIO"], "--store-credentials", keys],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode != 0 and advice in done.stderr and "leat-secret" not in done.stderr, done.stderr
