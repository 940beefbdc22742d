"""Debian's Docker engine in a folder of its own: own socket, own containerd, no bridge, no iptables, so containers have
the networks `none` and `host`. Needs root. It has one small image, IMAGE: busybox, linked statically. Setting `tls`: it
listens on DOCKER_TLS too, for clients with a certificate of its authority; DOCKER_CERTS has one."""
import contextlib
import http.client
import os
import pathlib
import shutil
import socket
import subprocess
import tarfile

from .base import BasePart, PartError, command


def plain(entry):
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def authority(folder):
    """ca.pem and ca-key.pem."""
    folder.mkdir(parents=True)
    command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=Leat test authority",
            "-keyout", folder / "ca-key.pem", "-out", folder / "ca.pem")


def certificate(folder, name, to, usage, more=""):
    """to/cert.pem and to/key.pem by folder's authority, and its ca.pem beside them."""
    to.mkdir(parents=True)
    (to / "extensions").write_text(f"extendedKeyUsage={usage}\n{more}")
    command("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", to / "key.pem",
            "-out", to / "request.pem")
    command("openssl", "x509", "-req", "-days", "3650", "-in", to / "request.pem", "-CA", folder / "ca.pem",
            "-CAkey", folder / "ca-key.pem", "-CAcreateserial", "-extfile", to / "extensions", "-out", to / "cert.pem")
    shutil.copy2(folder / "ca.pem", to)
    for file in to.iterdir():
        file.chmod(0o644)  # of a test, for daemons that run as another user


class Part(BasePart):
    name, about = "docker", "dockerd (Debian's docker.io)"
    ports = ("tls",)
    version = "2"
    stop_seconds = 30
    defaults = {"live_restore": "false", "insecure_registry": "", "tls": "false"}
    image = "leat.test/busybox:1"

    @property
    def socket(self):
        return self.folder / "docker.sock"

    def addresses(self):
        tls = {"DOCKER_TLS": f"tcp://127.0.0.1:{self.port('tls')}", "DOCKER_CERTS": self.folder / "tls/client"}
        return {"DOCKER_HOST": f"unix://{self.socket}", "IMAGE": self.image,
                **(tls if self.settings["tls"] == "true" else {})}

    def tls_flags(self):
        folder = self.folder / "tls"
        if self.settings["tls"] != "true":
            return []
        if not folder.exists():
            authority(folder)
            certificate(folder, "engine", folder / "engine", "serverAuth", "subjectAltName=IP:127.0.0.1\n")
            certificate(folder, "worker", folder / "client", "clientAuth")
        return ["--host", f"tcp://127.0.0.1:{self.port('tls')}", "--tlsverify", "--tlscacert", folder / "ca.pem",
                "--tlscert", folder / "engine/cert.pem", "--tlskey", folder / "engine/key.pem"]

    def get(self, target):
        """The root folder of the image, as a tar file."""
        program = self.needs("busybox", "busybox-static")
        root = target / "root"
        for folder in ("bin", "etc", "tmp", "dev", "proc", "sys"):
            (root / folder).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\nuser:x:1234:1234:user:/tmp:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\nuser:x:1234:\n")
        shutil.copy2(program, root / "bin/busybox")
        listed = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
        for applet in set(listed) - {"busybox"}:
            (root / "bin" / applet).symlink_to("busybox")
        with tarfile.open(target / "busybox.tar", "w") as tar:
            tar.add(root, arcname=".", filter=plain)
        shutil.rmtree(root)

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
                              *self.tls_flags(), "--iptables=false", "--ip6tables=false", "--bridge=none",
                              *(["--live-restore"] if self.settings["live_restore"] == "true" else []),
                              *(["--insecure-registry", self.settings["insecure_registry"]]
                                if self.settings["insecure_registry"] else [])],
                             env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        self.until(self.answers, process=process)
        self.import_image()

    def ask(self, method, path, body=None):
        """(status, answer) of the engine's HTTP interface."""
        connection = http.client.HTTPConnection("docker")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.socket))
        with contextlib.closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def import_image(self):
        if self.ask("GET", f"/v1.41/images/{self.image}/json")[0] == 200:
            return
        repository, tag = self.image.rsplit(":", 1)
        status, said = self.ask("POST", f"/v1.41/images/create?fromSrc=-&repo={repository}&tag={tag}"
                                "&changes=CMD%20%5B%22/bin/sh%22%5D&changes=ENV%20PATH%3D/bin",
                                (self.cached / "busybox.tar").read_bytes())
        if status != 200:
            raise PartError(f"the image could not be imported: {said.decode(errors='replace')}")

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
