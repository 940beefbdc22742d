"""What a file names is found: component files are sent along, pipelines come from the catalog and stay as they were."""
import functools
import hashlib
import http.server
import pathlib
import ssl
import subprocess
import threading

import pytest

SUB = "name: sub\nparams: {n: 1}\nsteps: {one: {command: [echo, '${{ params.n }}'], outputs: {o: {type: integer}}}}\noutputs: {o: one.o}\n"
MAIN = "name: main\nsteps: {part: {pipeline: sub, with: {n: 2}}}\n"
COMPONENT = "kind: component\nname: fit\nparams: {lr: 0.1}\ncommand: [fit, '${{ params.lr }}']\n"
USER = "name: user\nsteps: {fit: {uses: ../parts/fit.yaml, with: {lr: 0.2}}}\n"


def version(leat, name):
    return leat.json("pipeline", name)["version"]


def steps(leat, name):
    return [step["name"] for step in leat.json("pipeline", name)["ir"]["steps"]]


def refused(leat, *words):
    done = leat.leat(*words)
    assert done.returncode in (1, 3), (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_a_pipeline_is_taken_from_the_catalog_and_pinned(leat):
    assert "main.yaml:2:26: pipeline sub: there is no pipeline of that name" in refused(leat, "apply", leat.file("main.yaml", MAIN))
    leat.apply(SUB)
    leat.apply(MAIN)
    assert steps(leat, "main") == ["part", "part/one"]
    before = version(leat, "main")
    leat.apply(SUB.replace("one", "two"))
    assert version(leat, "main") == before and steps(leat, "main") == ["part", "part/one"]
    leat.apply(MAIN)
    assert version(leat, "main") != before and steps(leat, "main") == ["part", "part/two"]
    leat.apply(MAIN.replace("sub", "sub@1"))
    assert steps(leat, "main") == ["part", "part/one"]
    assert "has no such version" in refused(leat, "apply", leat.file("main.yaml", MAIN.replace("sub", "sub@9")))
    assert "there is no parameter m" in refused(leat, "apply", leat.file("main.yaml", MAIN.replace("{n:", "{m:")))


def test_files_that_are_applied_together_find_one_another(leat):
    first, second = leat.file("x.yaml", MAIN.replace("sub", "late").replace("main", "early")), leat.file("y.yaml", SUB.replace("sub", "late"))
    leat.ok("validate", first, second)
    assert "not among these files" in refused(leat, "validate", first)
    leat.ok("apply", first, second)
    assert steps(leat, "early") == ["part", "part/one"]


def test_a_component_is_sent_along(leat, tmp_path):
    for folder, name, text in (("parts", "fit.yaml", COMPONENT), ("pipelines", "user.yaml", USER)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text)
    user = tmp_path / "pipelines" / "user.yaml"
    leat.ok("validate", str(user), str(tmp_path / "parts"))
    leat.ok("apply", str(user))
    assert steps(leat, "user") == ["fit", "fit/fit"]
    before = version(leat, "user")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for folder in ("parts", "pipelines"):
        (tmp_path / folder).rename(moved / folder)
    leat.ok("apply", str(moved / "pipelines" / "user.yaml"))
    assert version(leat, "user") == before, "where files lie is no part of a version"
    (moved / "parts" / "fit.yaml").write_text(COMPONENT.replace("params.lr", "params.l"))
    said = refused(leat, "apply", str(moved / "pipelines" / "user.yaml"))
    assert "fit.yaml:4:16: params.l: there is no parameter of that name; did you mean lr?" in said
    (moved / "parts" / "fit.yaml").unlink()
    assert "No such file" in refused(leat, "validate", str(moved / "pipelines" / "user.yaml"))
    said = refused(leat, "apply", str(moved / "pipelines" / "user.yaml"))
    assert "user.yaml:2:21: uses ../parts/fit.yaml: " in said and "fit.yaml: No such file" in said


@pytest.fixture()
def web(tmp_path):
    """A folder that is served over https, and the certificate that proves it."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"https://127.0.0.1:{server.server_port}", certificate
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_component_over_https_is_fetched_and_held_against_its_hash(leat, web):
    folder, url, certificate = web
    (folder / "fit.yaml").write_text(COMPONENT)
    sha = hashlib.sha256(COMPONENT.encode()).hexdigest()
    uses = f"name: far\nsteps: {{fit: {{uses: '{url}/fit.yaml@sha256:{sha}'}}}}\n"
    leat.env["SSL_CERT_FILE"] = str(certificate)
    try:
        leat.apply(uses)
        assert steps(leat, "far") == ["fit", "fit/fit"]
        origin = leat.json("pipeline", "far")["ir"]["steps"][0]["origin"]
        assert origin == f"{url}/fit.yaml@sha256:{sha}"
        (folder / "fit.yaml").write_text(COMPONENT + "# changed\n")
        assert "has another content: its sha256 is " in refused(leat, "apply", leat.file("far.yaml", uses))
        (folder / "fit.yaml").unlink()
        assert "the server answers 404" in refused(leat, "apply", leat.file("far.yaml", uses))
        assert "must be named with its hash" in refused(leat, "apply", leat.file("far.yaml", uses.replace(f"@sha256:{sha}", "")))
    finally:
        del leat.env["SSL_CERT_FILE"]
    (folder / "fit.yaml").write_text(COMPONENT)
    said = refused(leat, "apply", leat.file("far.yaml", uses))
    assert "was not sent along" in said and "certificate" in said.lower()


def test_a_component_leads_to_no_other_file(leat, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("kind: component\nname: s\nexecutor: noop\n")
    user = tmp_path / "user.yaml"
    user.write_text("name: thief\nsteps: {a: {uses: ./secret.txt}}\n")
    assert "a component file is called .yaml or .yml" in refused(leat, "apply", str(user))


def test_limits(leat):
    leat.apply("kind: limit\nname: gpu\nlimit: 4\n")
    leat.apply("kind: limit\nname: gpu\nlimit: 2\ndescription: of the big machine\n")
    assert [(row["name"], row["limit"]) for row in leat.json("limits")] == [("gpu", 2)]
    again = leat.json("apply", leat.file("l.yaml", "kind: limit\nname: gpu\nlimit: 2\ndescription: of the big machine\n"))
    assert again[0]["action"] == "unchanged" and again[0]["kind"] == "limit"
    uses = "name: limited\nsteps: {a: {executor: noop, limits: [LIMIT]}}\n"
    leat.apply(uses.replace("LIMIT", "gpu"))
    assert "limits gp: there is no limit of that name" in refused(leat, "apply", leat.file("u.yaml", uses.replace("LIMIT", "gp")))
    assert "at most 1000000" in refused(leat, "apply", leat.file("l.yaml", "kind: limit\nname: gpu\nlimit: 1000001\n"))


def test_a_graph_of_a_file_and_of_what_was_applied(leat):
    leat.apply(SUB.replace("sub", "drawn"))
    file = leat.file("drawn.yaml", SUB.replace("sub", "drawn"))
    drawing = 'flowchart TD\n    s0["one"]\n'
    assert leat.ok("graph", file) == leat.ok("graph", "drawn") == leat.ok("graph", "drawn@1") == drawing
    assert leat.leat("graph", "nobody").returncode == 3


def test_the_examples_apply(leat):
    folder = pathlib.Path(__file__).parents[2] / "examples" / "shapes"
    items = leat.json("apply", str(folder), "--dry-run")
    assert len(items) == sum(1 + file.read_text().count("\n---\n") for file in folder.glob("*.yaml"))
