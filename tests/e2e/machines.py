"""Machines of their own on this one: network namespaces on a bridge, each with its own view of the files, in which what is
hidden is not there. Needs root. Nothing of it leaves this machine: there is no route but the bridge's."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from leat import BUILD, signal_all, until


def ip(*words):
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"ip {' '.join(map(str, words))}: {done.stderr}"
    return done.stdout


class Network:
    """198.18.N.1 is this machine, 198.18.N.2 and on are the others (a range that is kept for tests, RFC 2544)."""

    def __init__(self):
        self.machines = []
        self.bridge = f"lt{os.getpid()}"
        taken = ip("-4", "-o", "addr")
        self.net = next(f"198.18.{n}" for n in [*range(os.getpid() % 250, 250), *range(250)] if f" 198.18.{n}." not in taken)
        self.address = f"{self.net}.1"
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", f"{self.address}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")

    def machine(self, folder, hidden):
        self.machines.append(Machine(self, len(self.machines) + 2, folder, hidden))
        return self.machines[-1]

    def remove(self):
        for each in self.machines:
            each.remove()
        ip("link", "del", self.bridge)


class Machine:
    def __init__(self, network, n, folder, hidden):
        self.name, self.folder, self.hidden = f"m{n}", pathlib.Path(folder), hidden
        self.space, self.address = f"{network.bridge}-{n}", f"{network.net}.{n}"
        self.processes = {}
        outer = f"{network.bridge}v{n}"
        ip("netns", "add", self.space)
        ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        ip("link", "set", outer, "master", network.bridge, "up")
        for words in (("addr", "add", f"{self.address}/24", "dev", "eth0"), ("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
            ip("-n", self.space, *words)
        self.folder.mkdir()
        shutil.chown(self.folder, "leat", "leat")
        for program in ("leat", "leat-worker", "leat-keeper"):
            shutil.copy(BUILD / "bin" / program, self.folder / program)
        # Nothing of the caller's: what a daemon here knows stands in its files.
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder), "ASAN_OPTIONS": "detect_leaks=0"}

    def argv(self, *words):
        """In the machine, as its user; the folders that another machine does not have are covered there."""
        cover = "".join(f"mount -t tmpfs none '{folder}' && " for folder in self.hidden)
        return ["ip", "netns", "exec", self.space, "sh", "-c", f'{cover}exec setpriv --reuid=leat --regid=leat --init-groups "$@"',
                "sh", *map(str, words)]

    def run(self, *words, **more):
        return subprocess.run(self.argv(*words), env=self.env, cwd=self.folder, text=True, capture_output=True, timeout=120, **more)

    def start(self, name, *words):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(self.argv(*words), env=self.env, cwd=self.folder, stdout=log, stderr=log,
                                                    stdin=subprocess.DEVNULL)
        return self.processes[name]

    def pids(self):
        return [int(pid) for pid in ip("netns", "pids", self.space).split()]

    def pid_of(self, program):
        """Of the one process of that program: one that it is about to make looks like it for a moment."""
        def one():
            found = []
            for pid in self.pids():
                with contextlib.suppress(OSError):
                    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    if words[0].endswith(f"/{program}".encode()):
                        found.append(pid)
            return found[0] if len(found) == 1 else None
        return until(one, what=f"one {program} on {self.name}")

    def cut(self):
        """The cable is out: what is sent is not answered, and nobody says so."""
        for chain, way in (("INPUT", "-i"), ("OUTPUT", "-o")):
            self.iptables("-A", chain, way, "eth0", "-j", "DROP")

    def heal(self):
        self.iptables("-F")

    def dropped(self):
        """How many packets the cut has struck."""
        return sum(int(line.split()[0]) for line in self.iptables("-nvxL").splitlines() if " DROP " in line)

    def iptables(self, *words):
        done = subprocess.run(["ip", "netns", "exec", self.space, "iptables", "-w", *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def remove(self):
        signal_all(signal.SIGKILL, self.pids())
        for process in self.processes.values():
            process.wait()
        until(lambda: not self.pids(), what="an empty machine")
        ip("netns", "del", self.space)
