"""Leat's daemons as a site runs them: each from its own configuration file, two schedulers, against services that run
already. Not one of dev/services' parts: dev/production makes its settings."""
import contextlib
import os
import pathlib
import secrets
import signal
import subprocess

from .base import BasePart, PartError, http_ok, start_time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAEMONS = {  # name of the process -> program
    "scheduler-1": "leat-scheduler", "scheduler-2": "leat-scheduler",
    "triggers": "leat-triggers", "api": "leat-api", "worker": "leat-worker",
}


class Part(BasePart):
    name, about = "leat", "Leat's daemons, each with a configuration file"
    ports = ("api", "hooks", "scheduler_1", "scheduler_2", "worker")
    stop_seconds = 30
    defaults = {"build": "release", "database": "", "kafka": "", "s3": "", "s3_user": "", "s3_password": "",
                "bucket": "leat", "docker": "", "path": "/usr/local/bin:/usr/bin:/bin", "slots": "4"}

    @property
    def bin(self):
        return ROOT / "build" / self.settings["build"] / "bin"

    def addresses(self):
        return {"LEAT_URL": f"http://127.0.0.1:{self.port('api')}", "LEAT_HOOKS": f"http://127.0.0.1:{self.port('hooks')}"}

    # ---- configuration files ------------------------------------------------------------------

    def secret(self, name, make):
        """A file that only its owner reads, made once."""
        file = self.folder / name
        if not file.exists():
            file.touch(mode=0o600)
            file.write_bytes(make())
        return file

    def keys(self, name):
        chosen = self.settings
        bus = {"bus": f"kafka://{chosen['kafka']}"}
        database = {"database": chosen["database"]}
        store = {"store": f"s3://{chosen['bucket']}", "store-endpoint": chosen["s3"],
                 "store-credentials": self.secret("s3-credentials", lambda: f"{chosen['s3_user']}:{chosen['s3_password']}\n".encode())}
        token = {"token-file": self.secret("token", lambda: secrets.token_hex(24).encode() + b"\n")}
        key = {"key-file": self.secret("secret.key", lambda: secrets.token_bytes(32))}
        if name.startswith("scheduler"):
            return {**bus, **database, "node": name, "listen": f"127.0.0.1:{self.port(name.replace('-', '_'))}"}
        if name == "triggers":
            return {**bus, **database, **store, **token, **key, "hooks": f"127.0.0.1:{self.port('hooks')}",
                    "buckets": self.folder / "buckets"}
        if name == "api":
            return {**bus, **database, **store, **token, **key, "listen": f"127.0.0.1:{self.port('api')}"}
        engine = {"executor": "docker", "docker-host": chosen["docker"], "docker-network": "host",
                  "docker-networks": "none,host"} if chosen["docker"] else {"executor": "process"}
        # On Kafka a worker has no login to Postgres.
        return {**bus, **store, **token, **engine, "name": "worker-1", "data": self.folder / "worker",
                "api": self.addresses()["LEAT_URL"], "slots": chosen["slots"], "path": chosen["path"],
                "buckets": self.folder / "buckets", "listen": f"127.0.0.1:{self.port('worker')}"}

    def write_config(self, name):
        file = self.secret(f"{name}.conf", bytes)
        file.write_text("".join(f"{key} = {value}\n" for key, value in self.keys(name).items()))
        return file

    # ---- life -----------------------------------------------------------------------------------

    def environment(self):
        """Nothing of the caller's LEAT_… settings: what a daemon is told stands in its file."""
        return {k: v for k, v in os.environ.items() if not k.startswith("LEAT_") or k.startswith("LEAT_FAILPOINT")}

    def start(self):
        (self.folder / "buckets").mkdir(exist_ok=True)
        (self.folder / "worker").mkdir(exist_ok=True)
        self.processes = {}
        for name, program in DAEMONS.items():
            if not (self.bin / program).exists():
                raise PartError(f"{self.bin / program} is not there: make V={self.settings['build']} all")
            self.processes[name] = self.spawn([self.bin / program, "--config", self.write_config(name)],
                                              log=f"{name}.log", env=self.environment(), cwd="/")
        for name, port in (("scheduler-1", "scheduler_1"), ("api", "api"), ("triggers", "hooks"), ("worker", "worker")):
            self.until(lambda: http_ok(f"http://127.0.0.1:{self.port(port)}/healthz"), process=self.processes[name], name=name)

        # One leads, has made the tables, and knows the worker.
        self.until(lambda: self.command("workers", "-o", "name", check=False).stdout.strip(),
                   process=self.processes["worker"], name="worker")

    def until(self, ready, seconds=300, process=None, name=None):
        try:
            super().until(ready, seconds, process)
        except PartError as error:
            log = self.folder / f"{name}.log"
            text = log.read_text(errors="replace") if log.exists() else ""
            raise PartError(f"{name}: {error}\n" + "\n".join(text.splitlines()[-15:])) from None

    def daemon(self, name):
        """The pid of one of them."""
        return self.recorded()[list(DAEMONS).index(name)]["pid"]

    def restart(self, name):
        """After it was killed; the others go on."""
        self.records = self.recorded()
        self.spawn_at(list(DAEMONS).index(name), [self.bin / DAEMONS[name], "--config", self.write_config(name)],
                      log=f"{name}.log", env=self.environment(), cwd="/")

    def after_stop(self):
        """The keeper outlives its worker on purpose; when all is to end it ends too."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "worker" / "keeper.pid").read_text().split()[0])
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"leat-keeper" in words and str(self.folder).encode() in words and start_time(pid):
                os.kill(pid, signal.SIGTERM)
                self.until(lambda: start_time(pid) is None, 60, name="worker")

    def kill(self):
        super().kill()
        self.after_stop()

    def command(self, *argv, stdin=None, check=True):
        """The command line, against this Leat."""
        token = (self.folder / "token").read_text().strip()
        done = subprocess.run([self.bin / "leat", *map(str, argv)], input=stdin, capture_output=True, text=True,
                              env={**self.environment(), "LEAT_URL": self.addresses()["LEAT_URL"], "LEAT_TOKEN": token,
                                   "ASAN_OPTIONS": "detect_leaks=0"}, timeout=300)
        if check and done.returncode != 0:
            raise PartError(f"leat {' '.join(map(str, argv))}: {done.stdout}{done.stderr}")
        return done.stdout if check else done
