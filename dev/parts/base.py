"""What every part shares: a folder, processes recorded by pid and start time, a cache of what was fetched.

A part is one class `Part(BasePart)` with `name`, `about` and the steps that differ:
  get(target)   makes target, a folder of the cache, once a machine (a lock is held; an unfinished one is never seen)
  start()       starts its processes with self.spawn and returns when they answer
  addresses()   {NAME: VALUE}, what others need to reach it; known before it runs, the same after a restart"""
import contextlib
import fcntl
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


class PartError(Exception):
    pass


def cache():
    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return base / "leat"


PORTS = []  # that this process has chosen


def held(port):
    """Bound, so that nobody else's socket gets it while this process lives; who listens there with SO_REUSEADDR, as daemons do,
    may. False when somebody has it."""
    alone = socket.socket()
    try:
        alone.bind(("", port))
    except OSError:
        return False
    finally:
        alone.close()
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("127.0.0.1", port))
    except OSError:
        s.close()
        return False
    PORTS.append(s)
    return True


def free_port():
    """Nobody else's, also before its daemon is there and while that is away: no connection gets it from the kernel, which has
    a range for those, and nobody else is given it here before all others were, when this process has long ended."""
    first = 10000
    last = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]) - 1
    if last - first < 1000:  # connections are given nearly all
        last = 60999
    with open(pathlib.Path(tempfile.gettempdir()) / f"leat-ports-{os.getuid()}", "a+") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        text = kept.read()
        port = int(text) if text.isdigit() else random.randint(first, last)
        for _ in range(last - first + 1):
            port = port + 1 if first <= port < last else first
            if held(port):
                break
        else:
            raise PartError(f"no port from {first} to {last} is free")
        kept.truncate(0)
        kept.write(str(port))
    return port


def start_time(pid):
    """Clock ticks after boot at which the process began, or None: with the pid it names one process for ever."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def command(*argv, **more):
    """Runs a program to its end; its output is only shown when it fails."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **more)
    if done.returncode != 0:
        raise PartError(f"{argv[0]} failed with {done.returncode}:\n" + "\n".join(done.stdout.splitlines()[-20:]))
    return done.stdout


def fetching(*argv, again=None, **more):
    """The same for one that needs the network, whose faults pass: it is tried three times; `again` tidies up in between."""
    for wait in (5, 30, None):
        try:
            return command(*argv, **more)
        except PartError as error:
            if wait is None:
                raise PartError(f"tried three times: {error}") from None
            print(f"{error}\nit is tried again in {wait} s", file=sys.stderr, flush=True)
        time.sleep(wait)
        if again:
            again()
    return None


class BasePart:
    name = about = ""
    version = "1"         # part of the cache's folder: another version is another folder
    stop_signal = signal.SIGTERM
    stop_seconds = 20
    ports = ()            # names of the ports that it listens on
    defaults = {}         # settings and their defaults

    def __init__(self, folder, settings):
        unknown = set(settings) - set(self.defaults) - {f"{p}_port" for p in self.ports}
        if unknown:
            raise PartError(f"{self.name} has no setting {sorted(unknown)[0]}; it has: "
                            f"{', '.join([*self.defaults, *(f'{p}_port' for p in self.ports)]) or 'none'}")
        self.folder = pathlib.Path(folder) / self.name
        self.given = settings

    # ---- what it is made of -------------------------------------------------------------------

    @property
    def cached(self):
        return cache() / "services" / f"{self.name}-{self.version}"

    @contextlib.contextmanager
    def alone(self, what=""):
        """One process of this machine at a time fills the cache, or `what` of it."""
        self.cached.parent.mkdir(parents=True, exist_ok=True)
        with open(self.cached.with_suffix(f"{what}.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def fetch(self):
        """Fills the cache. Several at once wait for the first."""
        if self.cached.exists():
            return
        with self.alone():
            if self.cached.exists():
                return
            half = self.cached.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            self.get(half)
            half.rename(self.cached)

    def get(self, target):
        """Nothing to fetch, unless a part says otherwise."""

    def needs(self, program, package):
        found = shutil.which(program)
        if not found:
            raise PartError(f"{self.name} needs {program}: dev/setup check installs {package}")
        return found

    # ---- settings: the first `up` fixes them --------------------------------------------------

    @property
    def settings(self):
        file = self.folder / "settings.json"
        if file.exists():
            return json.loads(file.read_text())
        return {**self.defaults, **{f"{p}_port": self.given.get(f"{p}_port") or free_port() for p in self.ports},
                **self.given}

    def keep_settings(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        chosen = {**self.settings, **self.given}
        (self.folder / "settings.json").write_text(json.dumps(chosen, indent=1))

    def port(self, name):
        return int(self.settings[f"{name}_port"])

    def addresses(self):
        return {}

    # ---- its life -----------------------------------------------------------------------------

    def forget_dead(self, file):
        """Takes a program's own pid file away when that process has ended: dead, or dead and not yet reaped, which many
        programs take for alive."""
        try:
            pid = int(file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return
        if start_time(pid) is None:
            file.unlink()

    def up(self):
        self.fetch()
        self.keep_settings()
        if not self.whole():
            self.records = []
            try:
                self.start()
            except Exception:
                self.signal(signal.SIGKILL)
                raise
        return self.addresses()

    def start(self):
        raise NotImplementedError

    def spawn(self, argv, log="log", **more):
        """A process of its own session that outlives this one; output goes to folder/LOG."""
        with open(self.folder / log, "ab") as out:
            process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, start_new_session=True, **more)
        self.records.append({"pid": process.pid, "start": start_time(process.pid)})
        self.keep_records()
        return process

    def spawn_at(self, place, argv, **more):
        """The same for a part of several processes: it is the one recorded at `place`, whoever was there before."""
        process = self.spawn(argv, **more)
        self.records[place:place + 1] = [self.records.pop()]
        self.keep_records()
        return process

    def keep_records(self):
        (self.folder / "processes.json").write_text(json.dumps(self.records))

    def until(self, ready, seconds=300, process=None):
        """Waits for ready() to be true, on a busy machine too; shows the log's end when it never is."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError):
                if ready():
                    return
            ended = process is not None and process.poll() is not None
            if ended or time.monotonic() > end:
                text = (self.folder / "log").read_text(errors="replace") if (self.folder / "log").exists() else ""
                why = f"ended with {process.returncode}" if ended else f"does not answer after {seconds} s"
                raise PartError(f"{self.name} {why}; its log ends:\n" + "\n".join(text.splitlines()[-15:]))
            time.sleep(0.05)

    def recorded(self):
        """What the last start left; a file that a full disk or a power cut left half is no record."""
        try:
            records = json.loads((self.folder / "processes.json").read_text())
        except (FileNotFoundError, ValueError):
            return []
        return [r for r in records if isinstance(r, dict) and isinstance(r.get("pid"), int)
                and isinstance(r.get("start"), int)] if isinstance(records, list) else []

    def running(self):
        return [r["pid"] for r in self.recorded() if start_time(r["pid"]) == r["start"]]

    def whole(self):
        """Whether nothing of it has to be started."""
        return bool(self.running())

    def signal(self, signo):
        for pid in self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signo)

    def gone(self, seconds):
        end = time.monotonic() + seconds
        while self.running():
            if time.monotonic() > end:
                return False
            self.reap()
            time.sleep(0.02)
        self.reap()
        return True

    def reap(self):
        """Those of them that are children of this very process, and no other child of it."""
        for record in self.recorded():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(record["pid"], os.WNOHANG)

    def down(self):
        self.signal(self.stop_signal)
        if not self.gone(self.stop_seconds):
            self.kill()
        self.after_stop()

    def kill(self):
        self.signal(signal.SIGKILL)
        if not self.gone(120):
            raise PartError(f"{self.name}: {self.running()} do not end after SIGKILL")

    def after_stop(self):
        """What a stopped part leaves outside its folder is taken away here."""

    def remove(self):
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)


def go_install(target, package, program):
    """Builds a Go program into target, at low priority: it takes minutes of the machine."""
    if not shutil.which("go"):
        raise PartError(f"{program} is built with Go, which is not installed")
    environment = {**os.environ, "GOBIN": str(target), "GOFLAGS": "-p=2", "CGO_ENABLED": "0"}
    fetching("nice", "-n", "10", "go", "install", package, env=environment, cwd="/")
    if not (target / program).exists():
        raise PartError(f"go install {package} made no {program}")


def http_ok(url):
    """Asked directly: what the parts listen on is on this machine, whatever proxy the environment names."""
    import http.client
    import urllib.error
    import urllib.request
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            return 200 <= answer.status < 300
    except (urllib.error.URLError, http.client.HTTPException):
        return False
