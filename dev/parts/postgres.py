"""A private PostgreSQL cluster (dev/postgres) that also listens on loopback. Settings: none."""
import json
import pathlib
import subprocess

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

    def start(self):
        self.own()
        self.script("start", "listen_addresses=127.0.0.1", f"port={self.port('postgres')}")
        pid = int((self.folder / "cluster" / "data" / "postmaster.pid").read_text().splitlines()[0])
        (self.folder / "processes.json").write_text(json.dumps([{"pid": pid, "start": start_time(pid)}]))

    def down(self):
        if self.running():
            self.script("stop", "fast")
