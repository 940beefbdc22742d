"""One Leat on this machine for a test: started with `leat up` in a folder of its own, on free ports,
spoken to as a user would (command line, HTTP), looked at from outside (Postgres, the effect ledger)."""
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "dev"))
from parts.base import free_port, start_time  # noqa: E402

BUILD = ROOT / "build" / os.environ.get("LEAT_TEST_BUILD", "check")
TERMINAL = {"succeeded", "failed", "cancelled", "skipped"}


def until(check, seconds=60, every=0.05, what=""):
    """The first true value of check(); fails loudly when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what or check}")
        time.sleep(every)


def stalled():
    """Seconds since the machine's start in which somebody waited for a processor: a promise of seconds is one of seconds in
    which there was one. 0 where the kernel does not tell."""
    try:
        text = pathlib.Path("/proc/pressure/cpu").read_text()
    except OSError:
        return 0.0
    return int(text.splitlines()[0].rpartition("total=")[2]) / 1e6


def signal_all(signo, pids):
    """To each of them that is still there: whoever was looked up may have ended since."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signo)


def sockets(pid):
    """The inodes of a process's sockets; none of one that has ended."""
    found = set()
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.add(os.readlink(f"/proc/{pid}/fd/{fd}").removeprefix("socket:[").removesuffix("]"))
    return found


class Answer:
    def __init__(self, status, body, headers):
        self.status, self.body, self.headers = status, body, headers

    def json(self):
        return json.loads(self.body)


def request(method, url, body=None, headers=None, timeout=30):
    """One HTTP exchange; any status is an answer. OSError when the connection breaks."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), answer.headers)
    except http.client.HTTPException as error:
        raise OSError(f"{method} {url}: {error!r}") from error
    finally:
        connection.close()


class Leat:
    def __init__(self, *, slots=8, path=None, extra=(), env=None, host="127.0.0.1"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lt-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.data = self.folder / "d"
        self.work = self.folder / "w"
        self.work.mkdir()
        self.work.chmod(0o1777)
        self.ledger = self.work / "ledger"
        self.failpoints = self.work / "failpoints"
        self.failpoint_log = self.work / "failpoint-log"
        for file in (self.ledger, self.failpoints, self.failpoint_log):
            file.touch()
            file.chmod(0o666)
        self.api_port, self.hooks_port = free_port(), free_port()
        self.listen = f"{host}:{self.api_port}"
        self.api, self.hooks = f"http://{self.listen}", f"http://127.0.0.1:{self.hooks_port}"
        self.slots, self.path, self.extra = slots, path or "/usr/local/bin:/usr/bin:/bin", list(extra)
        self.env = {**os.environ, "LEAT_URL": self.api, "LEAT_FAILPOINT": f"@{self.failpoints}",
                    "LEAT_FAILPOINT_LOG": str(self.failpoint_log), "ASAN_OPTIONS": "detect_leaks=0",
                    # Meant for one daemon, it must not reach the others.
                    "LEAT_LISTEN": self.listen,
                    **(env or {})}

    # ---- its life -----------------------------------------------------------------------------

    def up(self):
        done = self.leat("up", "--detach", "--data", str(self.data), "--listen", self.listen,
                         "--hooks", f"127.0.0.1:{self.hooks_port}", "--slots", str(self.slots),
                         "--path", self.path, *self.extra, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr + self.logs_tail()
        return self

    def down(self):
        return self.leat("down", "--data", str(self.data), timeout=90)

    def remove(self):
        self.down()
        if os.environ.get("LEAT_TEST_KEEP"):
            print("kept", self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def logs_tail(self, lines=25):
        out = []
        for log in sorted((self.data / "log").glob("*.log")):
            out += [f"---- {log.name}"] + log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(out)

    def pids_of(self, name):
        """As pids, those that were started beside `leat up` with files in `work` too."""
        return self.pids(name, self.folder)

    def pids(self, name, folder=None):
        """Processes of this instance by program name (leat-scheduler, postgres, leat-keeper …)."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                if words[0].endswith(f"/{name}".encode()) and stat[0] != "Z" and \
                        any(str(folder or self.data).encode() in w for w in words):
                    found.append(int(entry.name))
        return found

    def kill(self, *names, signo=signal.SIGKILL):
        """Waits for each of these programs, which may be on its way back from an earlier death, then strikes all at once;
        who was killed is dead afterwards."""
        pids = [pid for name in names for pid in until(lambda name=name: self.pids(name), what=f"a {name} to strike")]
        signal_all(signo, pids)
        if signo == signal.SIGKILL:
            until(lambda: not any(map(start_time, pids)), what=f"the end of {names}")
        return pids

    def arm(self, *specs):
        """Failpoints from now on; each acts once. The file changes at one stroke: a daemon that met it empty on the way, in
        the same tick of the clock, would not look again."""
        beside = self.work / "failpoints-new"
        beside.write_text(",".join(specs))
        beside.chmod(0o666)
        os.utime(beside, ns=(time.time_ns(), time.time_ns()))
        beside.rename(self.failpoints)

    def struck(self, name):
        return name in self.failpoint_log.read_text().split()

    # ---- as a user ----------------------------------------------------------------------------

    def leat(self, *words, timeout=60, stdin=None):
        return subprocess.run([BUILD / "bin" / "leat", *map(str, words)], env=self.env, text=True,
                              capture_output=True, timeout=timeout, input=stdin, cwd=self.folder)

    def ok(self, *words, **more):
        done = self.leat(*words, **more)
        assert done.returncode == 0, f"leat {words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *words, **more):
        return json.loads(self.ok(*words, "-o", "json", **more))

    def file(self, name, text):
        path = self.work / name
        path.write_text(text)
        return path

    def apply(self, text, name="pipeline.yaml"):
        return self.ok("apply", self.file(name, text))

    def put(self, bucket, key, body):
        return request("PUT", f"{self.hooks}/buckets/{bucket}/{urllib.parse.quote(key)}", body)

    def hook(self, source, body, headers=None):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return request("POST", f"{self.hooks}/hooks/{source}", body,
                       {"Content-Type": "application/json", **(headers or {})})

    def event_runs(self, event, seconds=60):
        """Ids of the runs of an event, once it is known."""
        def known():
            done = self.leat("event", event, "-o", "json")
            assert done.returncode in (0, 3, 5), done.stderr
            return done.returncode == 0 and json.loads(done.stdout)
        shown = until(known, seconds, what=f"event {event}")
        return [run if isinstance(run, str) else run["id"] for run in shown["runs"]]

    def wait_run(self, run, seconds=90):
        def ended():
            done = self.leat("show", run, "-o", "json")
            shown = json.loads(done.stdout) if done.returncode == 0 else {"state": "?"}
            return shown["state"] in TERMINAL and shown
        try:
            return until(ended, seconds, every=0.1, what=f"run {run}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.leat('show', run).stdout}\n{self.logs_tail()}") from None

    # ---- from outside -------------------------------------------------------------------------

    def sql(self, text):
        done = subprocess.run(["psql", "-h", self.data / "run", "-p", "5432", "-U", "leat", "-d", "leat",
                               "-XAtq", "-F", "\t", "-c", text], text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def ledger_lines(self):
        return [line.split() for line in self.ledger.read_text().splitlines()]


class Stream:
    """A client of one run's events that takes a broken line up again, as a browser does."""

    def __init__(self, leat, run, last="", query=""):
        self.leat, self.path, self.last = leat, f"/api/v1/runs/{run}/events{query}", last
        self.events, self.lines, self.breaks = [], 0, 0

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.leat.api_port, timeout=30)
        connection.request("GET", self.path, headers={"Last-Event-ID": self.last} if self.last else {})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert answer.headers["Content-Type"] == "text/event-stream"
        return answer

    def read(self, answer, enough=lambda event: False):
        """Until the end of the run, or of the line (False)."""
        name, ident = "", None
        for raw in answer:
            field, _, value = raw.decode().rstrip("\n").partition(": ")
            if field == "id":
                ident = value
            elif field == "event":
                name = value
            elif field == "data":
                self.last = ident if ident is not None else self.last
                self.events.append((name, json.loads(value)))
                ident = None
                if name == "end" or enough(self.events[-1]):
                    return True
        return False

    def to_the_end(self, seconds=180):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.read(self.connect()):
                    return self
            self.breaks += 1
            time.sleep(0.1)
        raise AssertionError("no end of the stream")

    def text(self, step):
        return "".join(data.get("text", "") for name, data in self.events
                       if name == "log" and data["step"] == step)

    def states(self, step):
        return [data["state"] for name, data in self.events if name == "step" and data["step"] == step]


def in_background(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def github_signature(secret, body):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
