"""Debian's Docker engine in a folder of its own: own socket, own containerd, no bridge, no iptables, so containers have
the networks `none` and `host`. Needs root."""
import http.client
import os
import pathlib
import socket
import subprocess

from .base import BasePart, PartError


class Part(BasePart):
    name, about = "docker", "dockerd (Debian's docker.io)"
    stop_seconds = 30

    @property
    def socket(self):
        return self.folder / "docker.sock"

    def addresses(self):
        return {"DOCKER_HOST": f"unix://{self.socket}"}

    def start(self):
        if os.geteuid() != 0:
            raise PartError("dockerd needs root")
        if len(str(self.folder / "exec" / "containerd" / "containerd-debug.sock")) > 100:
            raise PartError(f"{self.folder} is too long for unix sockets: choose a shorter --dir")
        daemon = next((p for p in ("/usr/sbin/dockerd", "/usr/bin/dockerd") if os.path.exists(p)), None)
        if not daemon:
            raise PartError("docker needs dockerd: dev/setup check installs docker.io")
        (self.folder / "docker.pid").unlink(missing_ok=True)
        self.forget_dead(self.folder / "exec" / "containerd" / "containerd.pid")
        process = self.spawn([daemon, "--data-root", self.folder / "data", "--exec-root", self.folder / "exec",
                              "--host", f"unix://{self.socket}", "--pidfile", self.folder / "docker.pid",
                              "--iptables=false", "--ip6tables=false", "--bridge=none"],
                             env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        self.until(self.answers, 60, process)

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            s.connect(str(self.socket))
            s.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            answer = http.client.HTTPResponse(s)
            answer.begin()
            return answer.status == 200

    def after_stop(self):
        """dockerd leaves mounts below its folders; deepest first."""
        mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{self.folder}/")), key=len, reverse=True):
            subprocess.run(["umount", "-l", mount], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
