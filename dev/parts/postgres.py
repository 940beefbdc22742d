"""A private PostgreSQL cluster (dev/postgres) that also listens on loopback. Settings: none."""
import contextlib
import json
import pathlib
import subprocess
import time

from .base import BasePart, PartError, start_time

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "postgres"


class Part(BasePart):
    name, about = "postgres", "PostgreSQL, a private cluster"
    ports = ("postgres",)

    def addresses(self):
        return {"POSTGRES": f"postgresql://postgres@127.0.0.1:{self.port('postgres')}/postgres"}

    def own(self):
        """The server's user must be able to reach its folder."""
        self.folder.chmod(0o755)

    def script(self, *argv):
        done = subprocess.run([SCRIPT, argv[0], self.folder / "cluster", *argv[1:]], capture_output=True, text=True)
        if done.returncode != 0:
            raise PartError(done.stderr.strip())

    def helpers(self):
        """Processes of the cluster besides the postmaster; a killed one's live on for a moment."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (entry / "cwd").samefile(self.folder / "cluster" / "data"):
                    found.append(int(entry.name))
        return found

    def start(self):
        self.own()
        end = time.monotonic() + 30
        while self.helpers() and time.monotonic() < end:
            time.sleep(0.02)
        if not self.helpers():
            for lock in (self.folder / "cluster" / "data" / "postmaster.pid", *(self.folder / "cluster").glob(".s.PGSQL.*.lock")):
                self.forget_dead(lock)
        self.script("start", "listen_addresses=127.0.0.1", f"port={self.port('postgres')}")
        pid = int((self.folder / "cluster" / "data" / "postmaster.pid").read_text().splitlines()[0])
        (self.folder / "processes.json").write_text(json.dumps([{"pid": pid, "start": start_time(pid)}]))

    def down(self):
        """The cluster's pid file goes a moment before its processes do."""
        if self.running():
            self.script("stop", "fast")
            self.until(lambda: not self.running() and not self.helpers())
