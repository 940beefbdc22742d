"""leat doctor: each thing really broken once, and what it says then."""
import email.utils
import http.server
import json
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
import time

import pytest

from leat import BUILD, ROOT, Leat, free_port, signal_all, until

LEVELS = {"ok", "warning", "wrong"}
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: needs root (another user's folder, a tmpfs)")


def doctor(instance, *words, env=None):
    """(exit status, findings by name)."""
    done = subprocess.run([BUILD / "bin" / "leat", "doctor", "--data", instance.data, *map(str, words), "-o", "json"],
                          env={**instance.env, **(env or {})}, text=True, capture_output=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    found = {f["what"]: f for f in json.loads(done.stdout)}
    for name, finding in found.items():
        assert finding["level"] in LEVELS and finding["why"], finding
        assert finding["level"] == "ok" or finding["todo"], f"{name} does not say what to do"
    wrong = [name for name, f in found.items() if f["level"] == "wrong"]
    assert done.returncode == (1 if wrong else 0), found
    return wrong, found


def finds(leat, fits, what):
    """What it says once `fits`, which is given both, is true: on a busy machine an answer may come later than it waits for
    one, and a daemon that was held up takes a moment to be well again."""
    def found():
        wrong, all_of_it = doctor(leat)
        return fits(wrong, all_of_it) and all_of_it
    return until(found, every=0.5, what=what)


def well(leat):
    return finds(leat, lambda wrong, _: wrong == [], "nothing wrong")


@pytest.fixture
def absent():
    """A machine on which nothing was started yet."""
    instance = Leat()
    yield instance
    shutil.rmtree(instance.folder, ignore_errors=True)


def ports(instance):
    return ["--listen", f"127.0.0.1:{instance.api_port}", "--hooks", f"127.0.0.1:{instance.hooks_port}"]


def test_before_the_first_start(absent):
    wrong, found = doctor(absent, *ports(absent))
    assert wrong == []
    assert found["daemons"]["level"] == "warning" and "leat up" in found["daemons"]["todo"]
    assert not absent.data.exists(), "a look changes nothing"


def test_all_is_well_and_the_running_one_is_asked(leat):
    begun = []

    def quick(wrong, _):
        begun.append(time.monotonic())
        return wrong == [] and begun[-1] - begun[-2] < 10
    begun.append(time.monotonic())
    found = finds(leat, quick, "a quick look that finds nothing wrong")  # no option but --data: its addresses are the running one's
    for name in ("user", "programs", "disk", "postgres", "bus", "store", "port-api", "port-hooks", "daemons", "keeper"):
        assert found[name]["level"] == "ok", found[name]
    assert str(leat.api_port) in found["port-api"]["why"]
    assert not [p for p in (leat.data / "store").rglob("doctor/*") if p.is_file()], "the probe is gone"
    text = leat.leat("doctor", "--data", leat.data)
    lines = text.stdout.splitlines()
    assert text.returncode == 0 and len(lines) == len(found) + 1
    assert all(line.split()[0] in LEVELS for line in lines[1:])
    assert leat.ok("doctor", "--data", leat.data, "-o", "name").split() == list(found)


def test_postgres_that_hangs(leat):
    postmaster = [int((leat.data / "postgres" / "postmaster.pid").read_text().split()[0])]
    signal_all(signal.SIGSTOP, postmaster)
    try:
        started = time.monotonic()
        wrong, found = doctor(leat)
        assert "postgres" in wrong and "within 2 s" in found["postgres"]["why"]
        assert time.monotonic() - started < 60
    finally:
        signal_all(signal.SIGCONT, postmaster)
    well(leat)


def test_postgres_that_is_stopped(absent):
    wrong, found = doctor(absent, *ports(absent), "--database", f"host={absent.folder} port=5999 dbname=leat")
    assert wrong == ["postgres", "bus"]
    assert "does not answer" in found["postgres"]["why"] and "pg_hba" in found["postgres"]["todo"]
    wrong, found = doctor(absent, *ports(absent), "--database", "postgres://u:canary@[h/d")
    assert "postgres" in wrong and "canary" not in json.dumps(found)


def test_settings_of_postgres_that_lose(leat):
    try:
        leat.sql("ALTER ROLE leat SET synchronous_commit = off")
        found = well(leat)
        assert found["postgres"]["level"] == "warning" and "power cut" in found["postgres"]["why"]
        leat.sql("ALTER ROLE leat SET default_transaction_read_only = on")
        found = finds(leat, lambda wrong, _: wrong == ["postgres"], "postgres alone is wrong")
        assert "only read" in found["postgres"]["why"]
    finally:
        leat.sql("BEGIN READ WRITE; ALTER ROLE leat RESET ALL; COMMIT")
    well(leat)


@ROOT_ONLY
def test_store_that_cannot_be_written(leat):
    store = leat.data / "store"
    owner = store.stat()
    os.chown(store, 0, 0)
    try:
        found = finds(leat, lambda wrong, _: wrong == ["store"], "the store alone is wrong")
        assert "ermission denied" in found["store"]["why"] and "chown" in found["store"]["todo"]
    finally:
        os.chown(store, owner.st_uid, owner.st_gid)
    well(leat)


@ROOT_ONLY
def test_data_folder_of_somebody_else(absent):
    absent.data.mkdir(mode=0o700)
    wrong, found = doctor(absent, *ports(absent))
    assert "user" in wrong and "chown -R leat" in found["user"]["todo"]


@ROOT_ONLY
@pytest.mark.parametrize("options, why", [("size=100m", "MiB"), ("size=8g,nr_inodes=500", "files")])
def test_disk_that_is_nearly_full(absent, options, why):
    absent.data.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", absent.data], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"SKIPPED: no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        shutil.chown(absent.data, "leat", "leat")
        wrong, found = doctor(absent, *ports(absent))
        assert wrong == ["disk"] and why in found["disk"]["why"]
    finally:
        subprocess.run(["umount", absent.data], check=True)


def test_user_that_is_not_there(absent):
    if os.geteuid() != 0:
        pytest.skip("SKIPPED: needs root: only root chooses a user")
    wrong, found = doctor(absent, *ports(absent), "--user", "nobody-of-this-name")
    assert wrong == ["user"] and "nobody-of-this-name" in found["user"]["why"]
    wrong, found = doctor(absent, *ports(absent), "--user", "root")
    assert wrong == ["user"] and "root" in found["user"]["why"]


def test_ports_that_are_taken(absent):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wrong, found = doctor(absent, "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--hooks", f"127.0.0.1:{absent.hooks_port}")
    assert wrong == ["port-api"] and "in use" in found["port-api"]["why"] and "--listen" in found["port-api"]["todo"]


def test_programs_of_which_one_is_missing(absent):
    alone = absent.folder / "bin"
    alone.mkdir()
    for name in ("leat", "leat-scheduler", "leat-worker", "leat-triggers", "leat-api"):
        shutil.copy2(BUILD / "bin" / name, alone / name)
    done = subprocess.run([alone / "leat", "doctor", "--data", absent.data, *ports(absent), "-o", "json"], env=absent.env,
                          capture_output=True, text=True, timeout=60)
    found = {f["what"]: f for f in json.loads(done.stdout)}
    assert done.returncode == 1 and found["programs"]["level"] == "wrong" and "leat-keeper" in found["programs"]["why"]


def test_brokers(absent):
    closed = f"127.0.0.1:{free_port()}"
    wrong, found = doctor(absent, *ports(absent), "--bus", f"kafka://{closed}")
    assert wrong == ["bus"] and closed in found["bus"]["why"]
    wrong, found = doctor(absent, *ports(absent), "--bus", "kafka://far.example:9092")
    assert wrong == ["bus"] and "bus-tls" in found["bus"]["why"]
    wrong, _ = doctor(absent, *ports(absent), "--bus", "pigeon")
    assert wrong == ["bus"]


# ---- Docker ---------------------------------------------------------------------------------------

class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Enough of an engine to be an old one, or one that never answers."""
    daemon_threads = True

    def __init__(self, path, version):
        self.version = version
        super().__init__(str(path), Handler)
        os.chmod(path, 0o666)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if not self.server.version:
            time.sleep(4)  # longer than anybody waits
            return
        info = {"OSType": "linux", "Driver": "overlay2", "MemoryLimit": True}
        body = json.dumps({"/version": self.server.version, "/info": info}[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


def test_docker(absent):
    path = absent.folder / "docker.sock"
    env = {"DOCKER_HOST": f"unix://{path}"}
    wrong, found = doctor(absent, *ports(absent), env=env)
    assert wrong == [] and found["docker"]["level"] == "warning"  # process steps need none
    wrong, found = doctor(absent, *ports(absent), "--executor", "docker", env=env)
    assert wrong == ["docker"] and "docker.sock" in found["docker"]["why"]
    for api, expected in (("1.40", ["docker"]), ("1.41", []), ("1.100", []), ("2.0", []), ("nonsense", ["docker"])):
        engine = Engine(path, {"Version": "99", "ApiVersion": api})
        wrong, found = doctor(absent, *ports(absent), "--executor", "docker", env=env)
        engine.shutdown()
        engine.server_close()
        path.unlink()
        assert wrong == expected, found["docker"]
    engine = Engine(path, None)
    wrong, _ = doctor(absent, *ports(absent), "--executor", "docker", env=env)
    assert wrong == ["docker"]
    engine.shutdown()
    engine.server_close()


@ROOT_ONLY
def test_a_real_engine(absent):
    services = [ROOT / "dev" / "services", "--dir", absent.folder / "services"]
    started = subprocess.run([*services, "up", "docker"], capture_output=True, text=True, timeout=120)
    try:
        if started.returncode:
            pytest.skip(f"SKIPPED: no dockerd can be started here: {started.stderr.strip()[-200:]}")
        address = next(line.split("=", 1)[1] for line in started.stdout.splitlines() if line.startswith("DOCKER_HOST="))
        path = address.removeprefix("unix://")
        (absent.folder / "services").chmod(0o755)
        os.chmod(os.path.dirname(path), 0o755)
        os.chmod(path, 0o600)  # root's alone, as it is where the user is not in the group docker
        wrong, found = doctor(absent, *ports(absent), "--executor", "docker", env={"DOCKER_HOST": address})
        assert wrong == ["docker"] and "usermod" in found["docker"]["todo"]
        os.chmod(path, 0o666)
        wrong, found = doctor(absent, *ports(absent), "--executor", "docker", env={"DOCKER_HOST": address})
        assert wrong == [] and found["docker"]["why"].startswith("Docker "), found["docker"]
    finally:
        subprocess.run([*services, "remove", "docker"], capture_output=True, timeout=60)


# ---- the clock ------------------------------------------------------------------------------------

class Late(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: {email.utils.formatdate(time.time() - 3600, usegmt=True)}"
                         "\r\nConnection: close\r\n\r\n".encode())

    def log_message(self, *_):
        pass


def test_clocks_that_differ(leat):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Late) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        wrong, found = doctor(leat, "--listen", f"127.0.0.1:{server.server_address[1]}")
        server.shutdown()
    assert "clock" in wrong and "behind ours" in found["clock"]["why"]


def test_daemons_that_do_not_answer(leat):
    leat.kill("leat-triggers", signo=signal.SIGSTOP)
    try:
        wrong, _ = doctor(leat)
        assert "daemons" in wrong and "port-hooks" in wrong
    finally:
        leat.kill("leat-triggers", signo=signal.SIGCONT)
    well(leat)


def test_nothing_hangs_on_a_silent_address(absent):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        wrong, found = doctor(absent, *ports(absent), "--database", f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=x")
        assert "postgres" in wrong and "within 2 s" in found["postgres"]["why"]
        assert time.monotonic() - started < 60
