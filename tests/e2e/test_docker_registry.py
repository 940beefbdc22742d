"""Images from a real registry: pulled, recorded by digest, by each policy, with a login and without."""
import base64
import contextlib
import http.client
import http.server
import json
import pathlib
import re
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest
from engine import run, service
from leat import Leat, Stream, in_background, request, until

USER, PASSWORD = "puller", "canary-55e2:of the registry's \"login\""
WRONG = "canary-91aa-of-no-login"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def header(login):
    user, _, password = login.partition(":")
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Registry:
    def __init__(self, folder, login=None):
        self.folder, self.login = folder, login
        folder.mkdir()
        self.host = service("up", "registry", folder, *(["--set", f"login={login}"] if login else []))["REGISTRY"]

    def push(self, engine, name, *changes):
        """An image of this registry, which the engine does not have; its name with and without a digest."""
        image = engine.image_with(f"{self.host}/{name}", *changes)
        user, _, password = (self.login or ":").partition(":")
        auth = base64.urlsafe_b64encode(json.dumps({"username": user, "password": password}).encode()).decode()
        said = engine.ask("POST", f"/images/{self.host}/{name}/push?tag=1", headers={"X-Registry-Auth": auth})
        assert b'"error"' not in said, said
        engine.ask("DELETE", f"/images/{image}?force=1")
        assert not self.has(engine, image)
        return image, f"{self.host}/{name}@{self.digest(name)}"

    def has(self, engine, image):
        return "Id" in engine.ask("GET", f"/images/{image}/json")

    def digest(self, name):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request("HEAD", f"/v2/{name}/manifests/1",
                           headers={"Accept": MANIFEST, **(header(self.login) if self.login else {})})
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.headers["Docker-Content-Digest"]

    def remove(self, name, digest):
        """Its manifest and its configuration: an engine may have kept the one of an earlier pull, and pull by it."""
        place = f"/v2/{name}/manifests/{digest.rpartition('@')[2]}"
        config = json.loads(self.ask("GET", place, 200))["config"]["digest"]
        self.ask("DELETE", place, 202)
        self.ask("DELETE", f"/v2/{name}/blobs/{config}", 202)

    def ask(self, method, path, status):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, path, headers={"Accept": MANIFEST, **(header(self.login) if self.login else {})})
        answer = connection.getresponse()
        assert answer.status == status, (path, answer.status)
        return answer.read()


@pytest.fixture(scope="module")
def registries(engine):
    made = {}
    try:
        made["open"] = Registry(engine.folder / "r1")
        made["locked"] = Registry(engine.folder / "r2", f"{USER}:{PASSWORD}")
        yield made
    finally:
        for registry in made.values():
            service("remove", "registry", registry.folder)


@pytest.fixture(scope="module")
def leat(engine):
    instance = Leat(slots=8, env={"DOCKER_HOST": engine.addresses["DOCKER_HOST"]})
    try:
        yield instance.up()
    finally:
        instance.remove()


def once(leat, name, image, container="", command='[/bin/sh, -c, "echo of $WHICH"]'):
    """One run of one step: (its state, its shown step, its log)."""
    done, shown, steps = run(leat, f"name: {name}\nsteps:\n  s: {{image: '{image}', container: {{{container}}}, "
                                   f"command: {command}}}\n", name)
    return shown["state"], steps["s"], leat.ok("logs", f"latest:{name}", "s")


def test_pulled_and_recorded(leat, engine, registries):
    image, digest = registries["open"].push(engine, "a/first", "ENV WHICH=one PATH=/bin")
    state, step, log = once(leat, "first", image)
    assert state == "succeeded", str(step)
    assert step["image"] == digest
    lines = log.splitlines()
    assert lines[0] == f"leat: pulling image {image}" and lines[-1] == "of one"
    assert any(line.startswith(f"leat: image {image} is there after ") for line in lines)
    # It is there now: no second pull, and the same digest.
    state, step, log = once(leat, "first", image)
    assert (state, step["image"], log) == ("succeeded", digest, "of one\n")


class SlowWay:
    """A TCP proxy before the registry that lets so many bytes a second through to the engine, once it is told to."""

    def __init__(self, host):
        self.target, self.rate, self.lock, self.free_at = host.rsplit(":", 1), 0, threading.Lock(), 0.0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.server.accept()[0]
                far = socket.create_connection((self.target[0], int(self.target[1])))
                for a, b, slow in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self.pump, args=(a, b, slow), daemon=True).start()

    def pump(self, a, b, slow):
        with contextlib.suppress(OSError):
            while data := a.recv(16384):
                if slow and self.rate:
                    with self.lock:  # one way for all connections
                        self.free_at = max(self.free_at, time.monotonic()) + len(data) / self.rate
                        wait = self.free_at - time.monotonic()
                    time.sleep(max(0, wait))
                b.sendall(data)
        with contextlib.suppress(OSError):
            b.shutdown(socket.SHUT_WR)


def layered(engine, name, layers, size):
    """An image of the engine's own one and `layers` more, of that many random bytes each."""
    image = engine.image
    for n in range(layers):
        body = json.dumps({"Image": image, "Cmd": ["/bin/sh", "-c", f"head -c {size} /dev/urandom > /layer-{n}"]})
        made = engine.ask("POST", "/containers/create", body, {"Content-Type": "application/json"})["Id"]
        engine.ask("POST", f"/containers/{made}/start")
        engine.ask("POST", f"/containers/{made}/wait")
        image = engine.ask("POST", f"/commit?container={made}&repo={name}&tag={n}", "{}",
                           {"Content-Type": "application/json"})["Id"]
        engine.ask("DELETE", f"/containers/{made}?v=1")
    engine.ask("POST", f"/images/{image}/tag?repo={name}&tag=1")


def test_how_far_a_pull_is(leat, engine, registries):
    """Of several layers over a slow way: the run says how many are there while they come, and nothing of it once it runs."""
    layers, more = 6, 5
    way = SlowWay(registries["open"].host)
    image = f"{way.host}/layered:1"
    layered(engine, f"{way.host}/layered", more, 1 << 20)
    said = engine.ask("POST", f"/images/{way.host}/layered/push?tag=1", headers={"X-Registry-Auth": "e30="})
    assert b'"error"' not in said, said
    for each in (*(f"{way.host}/layered:{n}" for n in range(more)), engine.image):  # its layer comes with the others
        engine.ask("DELETE", f"/images/{each}?force=1")
    assert not registries["open"].has(engine, image)
    try:
        way.rate = 250_000
        file = leat.work / "layered.yaml"
        file.write_text(f"name: layered\nsteps:\n  s: {{image: '{image}', command: [/bin/sh, -c, 'echo up; until [ -e /tmp/go ]; do sleep 0.1; done']}}\n")
        leat.ok("apply", file)
        run_id = json.loads(leat.ok("run", "layered", "-o", "json"))["id"]
        stream = Stream(leat, run_id)
        reader = in_background(stream.to_the_end)
        seen, logged, step = [], "", {"state": "placed"}
        until(lambda: leat.json("show", run_id)["steps"][0]["state"] not in ("pending", "ready"))
        while step["state"] == "placed":
            step = leat.json("show", run_id)["steps"][0]
            if "layers" in (step["reason"] or "") and step["reason"] not in seen:
                seen.append(step["reason"])
                logged += leat.leat("logs", run_id, "s").stdout
        assert step["state"] == "running" and not step["reason"], str(step)
        engine.touch(until(engine.running, what="the step's container"), "/tmp/go")
        words = rf"pulling image {re.escape(image)}: (\d+) of (\d+) layers are there"
        counts = [re.fullmatch(words, s) for s in seen]
        assert len(counts) >= 2 and all(counts), seen
        done = [int(c[1]) for c in counts]
        of = [int(c[2]) for c in counts]  # the engine tells of layers as it comes to them
        assert done == sorted(done) and done[0] < done[-1] and done[0] < layers, seen
        assert of == sorted(of) and of[-1] == layers, seen
        assert "leat: pulling image" in logged, "its log could be read meanwhile"
        assert leat.wait_run(run_id)["state"] == "succeeded"
        reader.join(180)
        told = [d["reason"] for n, d in stream.events if n == "step" and d["state"] == "placed" and "layers" in d["reason"]]
        assert len(told) >= 2 and told == list(dict.fromkeys(told)) and all(re.fullmatch(words, each) for each in told), told
        assert [int(re.fullmatch(words, each)[1]) for each in told] == sorted(int(re.fullmatch(words, each)[1]) for each in told), told
        assert leat.ok("logs", run_id, "s").splitlines()[-1] == "up"
    finally:
        way.server.close()
        engine.restore_image()


def test_by_digest(leat, engine, registries):
    _, digest = registries["open"].push(engine, "by-digest", "ENV WHICH=digest PATH=/bin")
    state, step, log = once(leat, "by-digest", digest)
    assert (state, step["image"]) == ("succeeded", digest) and log.endswith("of digest\n")


def test_policies(leat, engine, registries):
    registry = registries["open"]
    old, old_digest = registry.push(engine, "moves", "ENV WHICH=old PATH=/bin")
    state, step, log = once(leat, "moves-never", old, "pull: never")
    assert state == "failed" and "pull is never" in step["reason"] and log == "", str(step)
    assert once(leat, "moves", old)[0] == "succeeded"
    kept = engine.ask("GET", f"/images/{old}/json")["Id"]
    _, new_digest = registry.push(engine, "moves", "ENV WHICH=new PATH=/bin")
    assert new_digest != old_digest
    until(lambda: not engine.containers())
    engine.ask("POST", f"/images/{kept}/tag?repo={registry.host}/moves&tag=1")  # the engine has the old one
    state, step, log = once(leat, "moves", old)
    assert (state, step["image"], log) == ("succeeded", old_digest, "of old\n")
    state, step, log = once(leat, "moves-always", old, "pull: always")
    assert (state, step["image"], log.splitlines()[-1]) == ("succeeded", new_digest, "of new")
    state, step, log = once(leat, "moves-never", old, "pull: never")
    assert (state, step["image"], log) == ("succeeded", new_digest, "of new\n")


def test_not_there(leat, registries):
    host = registries["open"].host
    state, step, _ = once(leat, "no-tag", f"{host}/a/first:none")
    assert state == "failed" and "could not be pulled" in step["reason"] and "not found" in step["reason"], step["reason"]


def everything_said(leat, engine, *names):
    """What a person or a program can see of those runs, but the secret's own place."""
    said = [p.read_text(errors="replace") for p in (leat.data / "log").glob("*.log")]
    for name in names:
        said += [leat.ok("show", f"latest:{name}", "-o", "json"), leat.ok("logs", f"latest:{name}", "s")]
    said += [json.dumps(engine.ask("GET", f"/containers/{c['Id']}/json")) for c in engine.containers()]
    said += [leat.leat("secret", "list", "-o", "json").stdout,
             *(p.read_text(errors="replace") for p in (pathlib.Path(engine.folder) / "docker").glob("*.log"))]
    tables = [row[0] for row in leat.sql("select format('%I.%I', schemaname, tablename) from pg_tables "
                                         "where schemaname not in ('pg_catalog', 'information_schema')")]
    assert tables
    said += [str(leat.sql(f"select t::text from {table} t")) for table in tables]
    return "\n".join(said)


def test_login(leat, engine, registries):
    image, digest = registries["locked"].push(engine, "private/x", "ENV WHICH=private PATH=/bin")
    for name, value in (("right", f"{USER}:{PASSWORD}"), ("wrong", f"{USER}:{WRONG}"), ("shapeless", "canary-no-colon")):
        assert leat.leat("secret", "set", name, stdin=value).returncode == 0
    reasons = {}
    for name, container in (("no-login", ""), ("wrong-login", "registry_secret: wrong"),
                            ("shapeless-login", "registry_secret: shapeless")):
        state, step, log = once(leat, name, image, container)
        reasons[name] = step["reason"]
        assert state == "failed" and not registries["locked"].has(engine, image), (name, step)
    assert image in reasons["no-login"] and "no basic auth credentials" in reasons["no-login"]
    assert image in reasons["wrong-login"] and "unauthorized" in reasons["wrong-login"].lower()
    assert "registry_secret" in reasons["shapeless-login"] and "USER:PASSWORD" in reasons["shapeless-login"]
    file = leat.work / "right-login.yaml"
    file.write_text(f"name: right-login\nsteps:\n  s: {{image: '{image}', container: {{registry_secret: right}}, "
                    "command: [/bin/sh, -c, 'env; cat /leat/secrets/* 2>&1; sleep 2; echo of $WHICH']}\n")
    leat.ok("apply", file)
    leat.ok("run", "right-login")
    until(engine.containers)
    while_it_ran = json.dumps([engine.ask("GET", f"/containers/{c['Id']}/json") for c in engine.containers()])
    shown = leat.wait_run("latest:right-login")
    assert shown["state"] == "succeeded" and shown["steps"][0]["image"] == digest, str(shown)
    said = while_it_ran + everything_said(leat, engine, *reasons, "right-login")
    for canary in ("canary-55e2", WRONG, "canary-no-colon",
                   base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()[4:-4]):
        assert canary not in said


# ---- apply --pin-images ---------------------------------------------------------------------------

def pinned(leat, name, image, *options, more="", config=None):
    """`leat apply` of one step with that image: what it said, and the image that the version has."""
    file = leat.work / f"{name}.yaml"
    file.write_text(f"name: {name}\nsteps:\n  s: {{image: '{image}', command: [/bin/sh, -c, 'echo of $WHICH']{more}}}\n")
    if config:
        leat.env["DOCKER_CONFIG"] = str(config)
    try:
        said = leat.leat("apply", *options, file)
    finally:
        leat.env.pop("DOCKER_CONFIG", None)
    rows = leat.sql("SELECT v.ir->'steps'->0->>'image' FROM pipeline p JOIN pipeline_version v ON v.pipeline = p.name "
                    f"AND v.hash = p.version WHERE p.name = '{name}'")
    return said, rows[0][0] if rows else None


def test_pinned_by_apply_it_stays_and_is_cached(leat, engine, registries):
    registry = registries["open"]
    image, digest = registry.push(engine, "a/pinned", "ENV WHICH=old PATH=/bin")
    said, _ = pinned(leat, "pinned", image, more=", cache: {}")
    assert said.returncode == 1 and "--pin-images" in said.stderr
    said, has = pinned(leat, "pinned", image, "--pin-images", more=", cache: {}")
    assert said.returncode == 0 and has == digest, said
    first = leat.wait_run(leat.json("run", "pinned")["id"])
    assert first["state"] == "succeeded" and first["steps"][0]["image"] == digest
    again = leat.wait_run(leat.json("run", "pinned")["id"])
    assert again["steps"][0]["cached_from"] == first["id"]
    # The tag is another image now: this version knows nothing of it, the next apply does.
    _, newer = registry.push(engine, "a/pinned", "ENV WHICH=new PATH=/bin")
    assert newer != digest
    again = leat.wait_run(leat.json("run", "pinned")["id"])
    assert again["steps"][0]["cached_from"] == first["id"]
    said, has = pinned(leat, "pinned", image, "--pin-images", more=", cache: {}")
    assert has == newer
    anew = leat.wait_run(leat.json("run", "pinned")["id"])
    assert anew["steps"][0]["cached_from"] is None and leat.ok("logs", anew["id"], "s").endswith("of new\n")
    assert leat.ok("validate", "--pin-images", leat.work / "pinned.yaml").endswith("fine\n")


def test_what_cannot_be_pinned_is_refused(leat, registries):
    host = registries["open"].host
    said, has = pinned(leat, "unpinned", f"{host}/a/pinned:none", "--pin-images")
    assert said.returncode == 3 and f"image {host}/a/pinned:none: registry {host}: it has no a/pinned:none" in said.stderr
    assert has is None
    said, _ = pinned(leat, "unpinned", "127.0.0.1:9/a", "--pin-images")
    assert said.returncode == 5 and "registry 127.0.0.1:9: " in said.stderr, said
    said = leat.leat("validate", "--pin-images", leat.work / "unpinned.yaml")
    assert said.returncode == 1 and "unpinned.yaml:3:14: image 127.0.0.1:9/a: registry 127.0.0.1:9: " in said.stderr, said


def docker_config(folder, host, login):
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(login.encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return folder


def test_pinned_with_the_login_of_docker(leat, engine, registries):
    registry = registries["locked"]
    image, digest = registry.push(engine, "private/pinned", "ENV WHICH=private PATH=/bin")
    said, has = pinned(leat, "locked", image, "--pin-images", config=leat.work)
    assert said.returncode == 4 and f"docker login {registry.host}" in said.stderr and has is None, said
    wrong = docker_config(leat.work / "wrong", registry.host, f"{USER}:{WRONG}")
    said, has = pinned(leat, "locked", image, "--pin-images", config=wrong)
    assert said.returncode == 4 and "does not let private/pinned be read with that login" in said.stderr and has is None
    right = docker_config(leat.work / "right", registry.host, f"{USER}:{PASSWORD}")
    said, has = pinned(leat, "locked", image, "--pin-images", config=right)
    assert said.returncode == 0 and has == digest and "canary" not in said.stdout + said.stderr


# ---- rerun ----------------------------------------------------------------------------------------

def rerun(leat, run_id, *options, config=None):
    """`leat rerun`: what it warned of, and its run, over."""
    leat.env["DOCKER_CONFIG"] = str(config or leat.work)
    try:
        said = leat.leat("rerun", run_id, "-o", "json", *options)
    finally:
        leat.env.pop("DOCKER_CONFIG")
    assert said.returncode == 0, said
    return said.stderr.splitlines(), leat.wait_run(json.loads(said.stdout)["id"])


def test_a_rerun_says_that_an_image_is_gone(leat, engine, registries):
    registry = registries["open"]
    image, digest = registry.push(engine, "a/goes", "ENV WHICH=goes PATH=/bin")
    text = (f"name: goes\nparams: {{tag: '1'}}\nsteps:\n  s: {{image: '{registry.host}/a/goes:${{{{ params.tag }}}}', "
            "command: [/bin/sh, -c, 'echo of $WHICH']}\n  t: {needs: s, image: '" + image + "', command: [/bin/sh, -c, ':']}\n"
            "  own: {image: '" + image + "', container: {pull: never}, needs: s, command: [/bin/sh, -c, ':']}\n")
    _, shown, _ = run(leat, text, "goes")
    assert shown["state"] == "succeeded" and {s["image"] for s in shown["steps"]} == {digest}, shown
    few = request("GET", f"{leat.api}/api/v1/runs/{shown['id']}?images=true").json()
    assert few["steps"] == [{k: s[k] for k in ("name", "step", "index", "iteration", "image")} for s in shown["steps"]]
    assert few["params"] == {"tag": "1"} and few["finished"] == shown["finished"]
    said, again = rerun(leat, shown["id"])
    assert said == [] and again["state"] == "succeeded" and {s["image"] for s in again["steps"]} == {digest}
    registry.remove("a/goes", digest)
    gone = [f"warning: step s and 1 more: image {digest} is no longer in its registry: it fails on a worker that has it not"]
    said, again = rerun(leat, shown["id"])
    assert said == gone and again["state"] == "succeeded", "the worker has it still"
    assert rerun(leat, shown["id"], "--anyway")[0] == []
    # With another tag the digest of then is not what its step runs; t keeps its own.
    said, again = rerun(leat, shown["id"], "-p", "tag=2")
    assert said == [gone[0].replace("step s and 1 more", "step t")] and again["state"] == "failed", (said, again)
    until(lambda: not engine.containers())
    engine.ask("DELETE", f"/images/{image}?force=1")
    assert not registry.has(engine, digest)
    said, again = rerun(leat, shown["id"])
    reason = next(s["reason"] for s in again["steps"] if s["name"] == "s")
    assert said == gone and again["state"] == "failed" and digest in reason, again


def test_a_rerun_of_what_only_a_worker_has(leat, engine):
    image = engine.image_with("built.here/own", "ENV PATH=/bin")
    state, step, _ = once(leat, "own", image)
    assert state == "succeeded" and step["image"].startswith("sha256:"), step
    said, again = rerun(leat, "latest:own")
    assert said == [] and again["state"] == "succeeded"


def test_a_rerun_while_a_registry_is_away(leat, engine):
    registry = Registry(engine.folder / "r4")
    try:
        image, digest = registry.push(engine, "a/away", "ENV WHICH=away PATH=/bin")
        assert once(leat, "away", image)[0] == "succeeded"
        service("down", "registry", registry.folder)
        said, again = rerun(leat, "latest:away")
        assert len(said) == 1 and f"is not known: registry {registry.host}: " in said[0], said
        assert again["state"] == "succeeded" and again["steps"][0]["image"] == digest
        assert rerun(leat, "latest:away", "--anyway")[0] == []
    finally:
        service("remove", "registry", registry.folder)


def test_a_rerun_asks_with_the_login_of_docker(leat, engine, registries):
    registry = registries["locked"]
    image, digest = registry.push(engine, "private/kept", "ENV WHICH=private PATH=/bin")
    assert leat.leat("secret", "set", "right", stdin=f"{USER}:{PASSWORD}").returncode == 0
    assert once(leat, "kept", image, "registry_secret: right")[0] == "succeeded"
    run_id = leat.json("runs", "--pipeline", "kept")[0]["id"]
    said, _ = rerun(leat, run_id)
    assert len(said) == 1 and f"docker login {registry.host}" in said[0], said
    right = docker_config(leat.work / "right", registry.host, f"{USER}:{PASSWORD}")
    assert rerun(leat, run_id, config=right)[0] == []
    registry.remove("private/kept", digest)
    said, _ = rerun(leat, run_id, config=right)
    assert len(said) == 1 and f"step s: image {digest} is no longer in its registry" in said[0], said


def test_a_rerun_waits_for_no_registry_for_long(leat, engine, registries):
    """Registries that take a connection and say nothing: each is waited for once, all of them 10 s at most."""
    ways = [SlowWay(registries["open"].host) for _ in range(4)]
    hosts = [way.host for way in ways]
    try:
        steps = []
        for n, host in enumerate(hosts + hosts[:1]):
            image = engine.image_with(f"{host}/slow/{n}", f"ENV N={n} PATH=/bin")
            said = engine.ask("POST", f"/images/{host}/slow/{n}/push?tag=1", headers={"X-Registry-Auth": "e30="})
            assert b'"error"' not in said, said
            steps.append(f"  s{n}: {{image: '{image}', command: [/bin/sh, -c, ':']}}\n")
        _, shown, by_name = run(leat, "name: silent\nsteps:\n" + "".join(steps), "silent")
        assert shown["state"] == "succeeded", shown
        assert [by_name[f"s{n}"]["image"].split("/")[0] for n in range(5)] == hosts + hosts[:1]
        for way in ways:
            way.rate = 1
        said, again = rerun(leat, shown["id"])  # an answer in less than the time that a command has here
        assert again["state"] == "succeeded"
    finally:
        for way in ways:
            way.server.close()
    asked = [host for host in hosts if any(f"is not known: registry {host}: " in line for line in said)]
    assert asked == hosts[:len(asked)] and 1 <= len(asked) < 4, said
    assert len(said) == len(asked) + 1, said
    assert said[-1] == f"warning: {4 - len(asked)} of its images were not asked for within 10 s", said


class Tokens(http.server.BaseHTTPRequestHandler):
    """Gives tokens for what is asked for, to USER alone; the registry checks their signature."""
    folder = login = None
    asked = []

    def do_GET(self):
        question = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self.asked.append(question)
        if self.headers.get("Authorization") != header(self.login)["Authorization"]:
            self.send_error(401)
            return
        kind, name, actions = question["scope"][0].split(":")
        body = json.dumps({"token": self.token(question["service"][0], kind, name, actions)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def token(self, service, kind, name, actions):
        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")
        certificate = base64.b64encode(subprocess.run(
            ["openssl", "x509", "-in", self.folder / "cert.pem", "-outform", "DER"], check=True, capture_output=True).stdout)
        now = int(time.time())
        claims = {"iss": "tokens", "sub": USER, "aud": service, "exp": now + 300, "nbf": now - 60, "iat": now, "jti": "1",
                  "access": [{"type": kind, "name": name, "actions": actions.split(",")}]}
        signed = part(json.dumps({"typ": "JWT", "alg": "RS256", "x5c": [certificate.decode()]}).encode()) + b"." + part(json.dumps(claims).encode())
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.folder / "key.pem"], check=True,
                                   input=signed, capture_output=True).stdout
        return (signed + b"." + part(signature)).decode()

    def log_message(self, *_):
        pass


def test_pinned_by_a_registry_with_tokens(leat, engine):
    folder = engine.folder / "r3"
    registry = Registry(folder)
    try:
        image, digest = registry.push(engine, "a/tokened", "ENV WHICH=tokened PATH=/bin")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tokens", "-days", "2",
                        "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
        Tokens.folder, Tokens.login = folder, f"{USER}:{PASSWORD}"
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tokens) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            service("down", "registry", folder)
            realm = f"http://127.0.0.1:{server.server_port}/token"
            assert service("up", "registry", folder, "--set", f"token={realm} tokens {folder / 'cert.pem'}")["REGISTRY"] == registry.host
            said, has = pinned(leat, "tokened", image, "--pin-images", config=leat.work)
            assert said.returncode == 4 and "it does not take the login" in said.stderr and has is None, said
            right = docker_config(leat.work / "tokened", registry.host, f"{USER}:{PASSWORD}")
            said, has = pinned(leat, "tokened", image, "--pin-images", config=right)
            assert said.returncode == 0 and has == digest, said
            assert Tokens.asked[-1] == {"service": ["leat"], "scope": ["repository:a/tokened:pull"]}
            server.shutdown()
    finally:
        service("remove", "registry", folder)
