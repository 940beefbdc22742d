"""In what `make quickstart` runs the steps: containers where a Docker engine of this machine answers that the user who runs
Leat may use, else programs that are installed here. Asks the engine's HTTP interface, as the worker does, and as that user."""
import collections
import grp
import http.client
import json
import os
import pathlib
import pwd
import socket
import urllib.parse

from .base import PartError

WORDS = ("auto", "process", "docker")
SOCKET = "/var/run/docker.sock"
CLIENT = "/usr/bin/docker"  # builds the images
OLDEST = (1, 41)            # Docker 20.10, what the worker speaks
ANSWER_S = 5                # of one that is there
WORK_S = 120                # of one that is asked to do something, on a busy machine
REPOSITORY = "leat.quickstart"  # of the steps' images; resolves nowhere, so that nothing is ever pulled in their place

Choice = collections.namedtuple("Choice", "executor why")


# ---- the engine ---------------------------------------------------------------------------------------

def socket_of(host):
    """The path in unix:///PATH; the engine of another machine does not see the data folder."""
    if not host:
        return SOCKET
    if not host.startswith("unix://"):
        raise PartError(f"DOCKER_HOST={host} is no unix:// socket, and containers elsewhere do not see this machine's folders")
    return host.removeprefix("unix://")


def ask(path, method, url, seconds=ANSWER_S):
    """The parsed answer; OSError, ValueError or http.client's when there is none."""
    connection = http.client.HTTPConnection("docker", timeout=seconds)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(seconds)
    try:
        connection.sock.connect(path)
        connection.request(method, url)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status >= 400:
        raise ValueError(f"{url} answers {answer.status}: {body[:200].decode(errors='replace').strip()}")
    return json.loads(body) if body else None


def describe(path):
    """{version, info} of the engine, or {error}: what the user that asks gets."""
    try:
        return {"version": ask(path, "GET", "/version"), "info": ask(path, "GET", "/info")}
    except PermissionError:
        return {"error": "denied"}
    except (FileNotFoundError, NotADirectoryError):
        return {"error": "absent"}
    except (OSError, ValueError, http.client.HTTPException) as error:
        return {"error": str(error) or type(error).__name__}


def become(user):
    """As `leat up` becomes it. One that is not there yet will be in no group but its own, as nobody is."""
    try:
        entry = pwd.getpwnam(user)
        os.initgroups(user, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    except KeyError:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


def describe_as(user, path):
    """describe() by a child that is `user`; root is asked to be somebody else, others are who they are."""
    if os.geteuid() != 0:
        return describe(path)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become(user)
            os.write(writer, json.dumps(describe(path))[:1 << 20].encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        text = file.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"error": f"could not be asked as {user}"}


# ---- the choice ---------------------------------------------------------------------------------------

def api_of(version):
    try:
        major, minor = str(version.get("ApiVersion", "")).split(".")
        return int(major), int(minor)
    except ValueError:
        return 0, 0


def way_in(path, user):
    """What would let the user in, as far as the socket's group does."""
    try:
        group = grp.getgrgid(os.stat(path).st_gid).gr_name
    except (OSError, KeyError):
        return ""
    if group == "root":
        return ", which is root's alone"
    return (f"; to let it (who may is root on this machine): usermod -aG {group} {user}, make quickstart-stop, "
            "make quickstart")


def refusal(path, user, said, client):
    """Why the engine that said so cannot be used, or None."""
    error, version, info = said.get("error"), said.get("version") or {}, said.get("info") or {}
    security = " ".join(info.get("SecurityOptions") or [])
    if error == "absent":
        return f"no Docker engine: {path} is not there"
    if error == "denied":
        return f"user {user} may not speak to the Docker engine at {path}{way_in(path, user)}"
    if error:
        return f"the Docker engine at {path} does not answer: {error}"
    name = f"Docker {version.get('Version', '?')} at {path}"
    if api_of(version) < OLDEST:
        return f"{name} speaks API {version.get('ApiVersion', '?')}, older than {OLDEST[0]}.{OLDEST[1]}"
    if info.get("OSType") != "linux":
        return f"{name} runs containers of {info.get('OSType', '?')}"
    # Network `host` has to be this machine's: MLflow listens on its loopback alone.
    if "Docker Desktop" in str(info.get("OperatingSystem", "")):
        return f"{name} is Docker Desktop, whose containers do not share this machine's loopback"
    for option in ("rootless", "userns"):
        if f"name={option}" in security:
            return f"{name} runs with {option}, so containers do not share this machine's loopback"
    if not os.access(client, os.X_OK):
        return f"{name} answers, but {client} to build the images with is missing"
    return None


def choose(wanted="auto", host="", user="leat", client=CLIENT):
    """Choice(executor, why). What was asked for by hand and cannot be is a PartError."""
    wanted = wanted or "auto"
    if wanted not in WORDS:
        raise PartError(f"QUICKSTART_EXECUTOR={wanted}: it is {', '.join(WORDS[:-1])} or {WORDS[-1]}")
    if wanted == "process":
        return Choice("process", "QUICKSTART_EXECUTOR says so")
    try:
        path = socket_of(host)
        said = describe_as(user, path)
        why = refusal(path, user, said, client)
    except PartError as error:
        why = str(error)
    if why and wanted == "docker":
        raise PartError(f"QUICKSTART_EXECUTOR=docker: {why}")
    if why:
        return Choice("process", why)
    return Choice("docker", f"Docker {said['version']['Version']}, API {said['version']['ApiVersion']}, answers at {path}")


# ---- what is left in an engine --------------------------------------------------------------------------

def containers(path, data):
    """Those of attempts whose folder a worker below `data` still has: it goes after the container, when the result is
    acknowledged. Mounts do not tell: a step without inputs has none from there."""
    query = urllib.parse.urlencode({"all": 1, "filters": json.dumps({"label": ["dev.leat.worker", "dev.leat.attempt"]})})
    attempts = {p.name for p in pathlib.Path(data, "worker").glob("*/*") if p.is_dir()}
    return [c["Id"] for c in ask(path, "GET", f"/containers/json?{query}", WORK_S) if c["Labels"]["dev.leat.attempt"] in attempts]


def remove_containers(path, data):
    """How many there were. Only when Leat has ended: a worker that runs would report them lost."""
    found = containers(path, data)
    for each in found:
        ask(path, "DELETE", f"/containers/{each}?force=1&v=1", WORK_S)
    return len(found)


def images(path):
    """Names of the images that quickstart has built."""
    query = urllib.parse.urlencode({"filters": json.dumps({"reference": [f"{REPOSITORY}/*", "leat/base-*"]})})
    return sorted(tag for image in ask(path, "GET", f"/images/json?{query}") for tag in image.get("RepoTags") or [])
