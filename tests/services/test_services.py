"""dev/services as a person calls it, on each of the real services: their life, their data, what is refused, and that
nothing is ended that is not theirs."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLES = "create table if not exists t (n int)"


def run(*argv, **more):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=600, **more)


def start_time(pid):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


class Services:
    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *argv):
        return run(ROOT / "dev/services", *argv, "--dir", self.folder)

    def up(self, name, *more):
        """Its addresses."""
        done = self("up", name, *more)
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def ok(self, *argv):
        done = self(*argv)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pids(self, name):
        return [r["pid"] for r in json.loads((self.folder / name / "processes.json").read_text())]

    def processes_in(self, name):
        """Every process that works in or names the part's folder, whoever started it."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes()
                there = os.readlink(entry / "cwd")
            except OSError:
                continue
            mark = f"{self.folder}/{name}"
            if (mark.encode() + b"/" in words or there.startswith(mark)) and start_time(int(entry.name)):
                found.append((int(entry.name), words))
        return found


@pytest.fixture
def services():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))
    folder.chmod(0o755)
    each = Services(folder)
    yield each
    for part in folder.iterdir():
        each("remove", part.name)
    shutil.rmtree(folder, ignore_errors=True)


# ---- what each service keeps: written, and read back ------------------------------------------------

def psql(address, sql):
    done = run("psql", address["POSTGRES"], "-XAtc", sql)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Postgres:
    def write(self, address, folder):
        psql(address, f"{TABLES}; insert into t values (7)")

    def read(self, address, folder):
        return psql(address, "select n from t") == "7"


class Kafka:
    def cluster(self, folder):
        return (folder / "kafka" / "data" / "meta.properties").read_text()

    def write(self, address, folder):
        self.was = self.cluster(folder)
        sent = run("kcat", "-b", address["KAFKA"], "-P", "-t", "kept", input="one\n")
        assert sent.returncode == 0, sent.stderr

    def read(self, address, folder):
        got = run("kcat", "-b", address["KAFKA"], "-C", "-t", "kept", "-o", "beginning", "-e", "-q")
        return got.stdout == "one\n" and self.cluster(folder) == self.was


class S3:
    def __init__(self, name):
        self.name = name

    def curl(self, address, *argv):
        user = f"{address[f'{self.name}_USER']}:{address[f'{self.name}_PASSWORD']}"
        return run("curl", "-fsS", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", user,
                   "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", *argv)

    def write(self, address, folder):
        (folder / "object").write_text("content")
        for argv in (("-X", "PUT", f"{address[self.name]}/box"),
                     ("-T", folder / "object", f"{address[self.name]}/box/a.csv")):
            done = self.curl(address, *argv)
            assert done.returncode == 0, done.stderr
        (folder / "object").unlink()

    def read(self, address, folder):
        return self.curl(address, f"{address[self.name]}/box/a.csv").stdout == "content"


def docker(address, *argv, **more):
    done = run("/usr/bin/docker", "-H", address["DOCKER_HOST"], *argv, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Docker:
    def write(self, address, folder):
        empty = folder / "empty.tar"
        empty.write_bytes(bytes(10240))
        docker(address, "import", empty, "leat/empty:1")
        empty.unlink()

    def read(self, address, folder):
        return "leat/empty" in docker(address, "images")


class Registry:
    def write(self, address, folder):
        begun = run("curl", "-fsS", "-X", "POST", "-D-", "-o/dev/null", f"http://{address['REGISTRY']}/v2/a/blobs/uploads/")
        place = next(line.split(": ", 1)[1].strip() for line in begun.stdout.splitlines() if line.lower().startswith("location"))
        digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of "abc"
        done = run("curl", "-fsS", "-X", "PUT", "--data-binary", "abc", "-H", "Content-Type: application/octet-stream",
                   f"{place}&digest={digest}")
        assert done.returncode == 0, done.stderr

    def read(self, address, folder):
        digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        return run("curl", "-fsS", f"http://{address['REGISTRY']}/v2/a/blobs/{digest}").stdout == "abc"


def comes(check, seconds=120):
    """A service that answers may need a moment until it has all that it kept."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


KEEPERS = {"postgres": Postgres(), "kafka": Kafka(), "minio": S3("MINIO"), "versitygw": S3("VERSITYGW"),
           "docker": Docker(), "registry": Registry()}
SETTINGS = {"kafka": ("--set", "auto_create=1")}


@pytest.mark.parametrize("name", KEEPERS)
def test_the_life_of_a_service(services, name):
    if name == "docker" and os.geteuid() != 0:
        pytest.skip("SKIPPED: dockerd needs root")
    if name in ("minio", "versitygw") and not shutil.which("go"):
        fetched = list((pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "leat" / "services").glob(f"{name}-*/"))
        if not fetched:
            pytest.skip(f"SKIPPED: {name} is built with Go, which is not installed")
    keeper = KEEPERS[name]
    first = services.up(name, *SETTINGS.get(name, ()))
    keeper.write(first, services.folder)
    pids = services.pids(name)

    assert services.up(name) == first, "up again changes nothing"
    assert services.pids(name) == pids
    assert f"{name:<10} runs" in services.ok("status", name)

    services.ok("kill", name)
    assert not any(start_time(p) for p in pids)
    assert "stopped" in services.ok("status", name)
    assert services.up(name) == first, "after a kill it is on the same address"
    assert comes(lambda: keeper.read(first, services.folder)), "with its data"

    services.ok("down", name)
    assert services.processes_in(name) == []
    services.ok("down", name)
    assert services.up(name) == first
    assert comes(lambda: keeper.read(first, services.folder))

    services.ok("remove", name)
    assert services.processes_in(name) == []
    assert not (services.folder / name).exists()
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    assert f"{services.folder}/{name}" not in mounts
    assert services.ok("status", name) == ""


def test_two_folders_are_two_services(services):
    other = Services(services.folder / "other")
    other.folder.mkdir()
    a, b = services.up("registry"), other.up("registry")
    assert a != b
    services.ok("remove", "registry")
    assert f"{'registry':<10} runs" in other.ok("status", "registry")
    other.ok("remove", "registry")
    other.folder.rmdir()


# ---- what is refused ----------------------------------------------------------------------------------

@pytest.mark.parametrize("argv,words", [
    (("up", "kafak"), ["no part kafak", "kafka", "minio"]),
    (("down", "registry", "nothing"), ["no part nothing"]),
    (("up",), ["name at least one"]),
    (("remove",), ["name at least one"]),
    (("start", "kafka"), ["invalid choice"]),
    (("up", "registry", "--set", "colour=red"), ["registry has no setting colour", "registry_port"]),
    (("up", "registry", "--set", "colour"), ["KEY=VALUE"]),
    (("up", "kafka", "--set", "brokers=2"), ["brokers: 1 or 3, not 2"]),
])
def test_what_is_not_understood_is_said(services, argv, words):
    done = services(*argv)
    assert done.returncode != 0
    for word in words:
        assert word in done.stderr
    assert list(services.folder.iterdir()) == []


def test_a_start_that_fails_says_why_and_leaves_nothing_running(services):
    import socket
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = services("up", "registry", "--set", f"registry_port={taken.getsockname()[1]}")
    assert done.returncode != 0
    assert "address already in use" in done.stderr
    assert services.processes_in("registry") == []


# ---- processes that are not ours -----------------------------------------------------------------------

@pytest.fixture
def stranger():
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def test_a_pid_that_belongs_to_another_now_is_left_alone(services, stranger):
    first = services.up("registry")
    ours = services.pids("registry")
    services.ok("kill", "registry")
    # As after a reboot, or once the numbers have gone round: the number is in use again.
    file = services.folder / "registry" / "processes.json"
    record = json.loads(file.read_text())
    record[0]["pid"] = stranger.pid
    file.write_text(json.dumps(record))
    for verb in ("down", "kill"):
        services.ok(verb, "registry")
        assert stranger.poll() is None, f"{verb} ended a process that is not its own"
    assert "stopped" in services.ok("status", "registry")
    assert services.up("registry") == first, "and it is no reason not to start"
    assert services.pids("registry") not in (ours, [stranger.pid])
    services.ok("remove", "registry")
    assert stranger.poll() is None


@pytest.mark.parametrize("text", ["", "nonsense", "{}", '[{"pid": "x"}]', "[7]"])
def test_a_record_that_is_broken_ends_nothing(services, text):
    services.up("registry")
    pid = services.pids("registry")[0]
    services.ok("down", "registry")
    (services.folder / "registry" / "processes.json").write_text(text)
    services.ok("down", "registry")
    services.up("registry")
    assert services.pids("registry")[0] != pid


def test_a_service_that_ends_while_starting(services):
    """Stopped by somebody else: up starts it again."""
    services.up("registry")
    os.kill(services.pids("registry")[0], signal.SIGKILL)
    assert comes(lambda: not start_time(services.pids("registry")[0]))
    services.up("registry")
    assert f"{'registry':<10} runs" in services.ok("status", "registry")
