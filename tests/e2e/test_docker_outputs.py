"""What containers leave, whoever their user is, for a worker that is not root; and names, byte for byte."""
import json
import pathlib
import subprocess

import pytest
from engine import run
from leat import BUILD, Leat, until

ODD = ["plain", "a b", "'", '"', "`id`", "$(id)", "${HOME}", "\\n", "line\nend", "tab\there", "*", "~", "-rf", "--",
       "..", "../../etc", "%s%n", "\u202egnp.exe", "\u200f\u2066mixed\u2069", "\U0001f512", "\u00e9 and e\u0301",
       "{{ x }}", "#!", "&& id", "; id", "| id", "> x", "\r", "\u0001", "x" * 250]
FILE_NAMES = [n for n in ODD if "/" not in n and n != ".." and n.isprintable() and "\\" not in n or n[0] in "\u202e\u200f"]


@pytest.fixture(scope="module")
def leat(engine):
    instance = Leat(slots=8, env={"DOCKER_HOST": engine.addresses["DOCKER_HOST"]})
    try:
        yield instance.up()
    finally:
        instance.remove()


def pipeline(leat, name, steps):
    """JSON is YAML, but for pairs of surrogates."""
    return run(leat, json.dumps({"name": name, "steps": steps}, ensure_ascii=False), name)


def test_the_worker_is_not_root(leat):
    pid = leat.pids("leat-worker")[0]
    assert pathlib.Path(f"/proc/{pid}").stat().st_uid != 0


@pytest.mark.parametrize("user", ["0:0", "1234:1234"])
def test_any_user_and_any_mode(leat, engine, user):
    image = engine.image_with(f"leat.test/u{user[0]}", f"USER {user}", "ENV PATH=/bin")
    name = f"modes-{user[0]}"
    script = ("umask 077; cd $LEAT_OUT; echo secret > a; chmod 0000 a; mkdir -p f/shut/deep; echo x > f/shut/deep/y; "
              "echo run > f/run; chmod 700 f/run; chmod 0000 f/shut/deep/y; chmod 0500 f/shut/deep f/shut; "
              "printf 7 > n; mkdir left; echo z > left/z; chmod 0000 left; mkfifo pipe; "
              "echo '{\"name\": \"m\", \"value\": 2}' >> $LEAT_METRICS; id -u")
    done, shown, steps = pipeline(leat, name, {
        "w": {"image": image, "command": ["/bin/sh", "-c", script],
              "outputs": {"a": {}, "f": {}, "n": {"type": "integer"}, "no": {"optional": True}}},
        "r": {"image": image, "inputs": {"a": "w.a", "f": "w.f"}, "container": {"read_only": True},
              "command": ["/bin/sh", "-c", "cat $LEAT_IN/a $LEAT_IN/f/shut/deep/y $LEAT_IN/f/run; test -x $LEAT_IN/f/run "
                                           "&& echo runs; echo ok > $LEAT_OUT/o; touch /x 2>/dev/null || echo fixed"],
              "outputs": {"o": {}}}})
    assert shown["state"] == "succeeded", str(shown) + leat.logs_tail()
    assert leat.ok("logs", f"latest:{name}", "w") == user.split(":")[0] + "\n"
    assert leat.ok("logs", f"latest:{name}", "r") == "secret\nx\nrun\nruns\nfixed\n"
    assert steps["w"]["outputs"]["n"] == 7 and steps["w"]["metrics"]["m"] == 2
    nothing_left(leat, engine)


def nothing_left(leat, engine):
    until(lambda: not engine.containers())
    until(lambda: not engine.ask("GET", "/volumes")["Volumes"])
    until(lambda: not any((leat.data / "worker" / "work").iterdir()), what="no workspace")


@pytest.mark.parametrize("script,said", [
    ("ln -s /etc/passwd $LEAT_OUT/a", "neither a file nor a folder"),
    ("mkfifo $LEAT_OUT/a", "declared and not written"),
    ("rm -rf $LEAT_OUT || true", "declared and not written"),  # it is a mount, and stays
    ("rm -rf $LEAT_OUT; ln -s /etc $LEAT_OUT", "declared and not written"),
    ("rm -rf $LEAT_OUT; mkdir /tmp/x; echo x > /tmp/x/a; ln -s /tmp/x $LEAT_OUT", "declared and not written"),
])
def test_what_is_no_output(leat, engine, script, said):
    done, shown, steps = pipeline(leat, "none", {"s": {
        "image": engine.image, "command": ["/bin/sh", "-c", script], "outputs": {"a": {}}}})
    assert steps["s"]["state"] == "failed" and said in steps["s"]["reason"], steps["s"]["reason"]
    nothing_left(leat, engine)




@pytest.mark.parametrize("user", ["0:0", "1234:1234"])
def test_outputs_by_path(leat, engine, user):
    """A program that chooses its own places: a file, a folder, a value; the next steps get them as any other output."""
    image = engine.image_with(f"leat.test/p{user[0]}", f"USER {user}", "ENV PATH=/bin")
    name = f"by-path-{user[0]}"
    done, shown, steps = pipeline(leat, name, {
        "w": {"image": image, "command": ["/bin/sh", "-c", "mkdir -p /tmp/runs/best && echo weights > /tmp/runs/best/m.bin && "
                                          "echo 0.25 > /tmp/runs/loss && echo $0", "${{ outputs.model.path }}"],
              "outputs": {"model": {"path": "/tmp/runs/best/m.bin"}, "all": {"path": "/tmp/runs"},
                          "loss": {"type": "number", "path": "/tmp/runs/loss"},
                          "none": {"optional": True, "path": "/tmp/none"}}},
        "c": {"image": image, "inputs": {"m": "w.model", "all": "w.all"},
              "command": ["/bin/sh", "-c", "cat $LEAT_IN/m $LEAT_IN/all/best/m.bin; echo $0", "${{ steps.w.outputs.loss }}"]},
        "p": {"inputs": {"m": "w.model"}, "command": ["sh", "-c", "cat $LEAT_IN/m"]}})
    assert shown["state"] == "succeeded", str(shown) + leat.logs_tail()
    assert leat.ok("logs", f"latest:{name}", "w") == "/tmp/runs/best/m.bin\n"
    assert leat.ok("logs", f"latest:{name}", "c") == "weights\nweights\n0.25\n"
    assert leat.ok("logs", f"latest:{name}", "p") == "weights\n"
    nothing_left(leat, engine)


@pytest.mark.parametrize("step,said", [
    ({"command": ["x"], "outputs": {"m": {"path": "/m"}}}, "path: is of containers"),
    ({"image": "i", "executor": "process", "outputs": {"m": {"path": "/m"}}}, "path: is of containers"),
    ({"image": "i", "outputs": {"m": {"path": "/leat/out/m"}}}, "no output comes out of /leat"),
    ({"image": "i", "outputs": {"m": {"path": "/a/../m"}}}, "'..'"),
    ({"image": "i", "outputs": {"m": {"path": "m"}}}, "absolute path")])
def test_paths_that_are_refused(leat, step, said):
    file = leat.work / "paths.yaml"
    file.write_text(json.dumps({"name": "paths", "steps": {"s": step}}))
    done = leat.leat("validate", file)
    assert done.returncode == 1 and said in done.stdout + done.stderr, done.stdout + done.stderr


def test_arguments_and_environment_byte_for_byte(leat, engine):
    env = {f"ODD_{i}": text for i, text in enumerate(ODD)}
    script = ("for a in \"$@\"; do printf '%s\\0' \"$a\"; done > $LEAT_OUT/argv; cat /proc/self/environ > $LEAT_OUT/env; "
              "cat $LEAT_OUT/argv; printf '\\0'; cat $LEAT_OUT/env")
    done, shown, steps = pipeline(leat, "bytes", {"s": {
        "image": engine.image, "command": ["/bin/sh", "-c", script, "zero", *[t.replace("{{", "{ {") for t in ODD]],
        "env": {k: v.replace("{{", "{ {") for k, v in env.items()}, "outputs": {"argv": {}, "env": {}}}})
    assert shown["state"] == "succeeded", str(shown)
    said = subprocess.run([BUILD / "bin/leat", "logs", "latest:bytes", "s"], env=leat.env, check=True,
                          capture_output=True, timeout=60).stdout
    argv, _, environ = said.partition(b"\0\0")
    assert argv.split(b"\0") == [t.replace("{{", "{ {").encode() for t in ODD]
    assert steps["s"]["outputs"]["argv"]["size"] == len(argv) + 1
    seen = dict(e.split(b"=", 1) for e in environ.strip(b"\0").split(b"\0"))
    assert {k: seen[k.encode()].decode() for k in env} == {k: v.replace("{{", "{ {") for k, v in env.items()}


def test_file_names_byte_for_byte(leat, engine):
    names = FILE_NAMES
    made = "i=0; mkdir $LEAT_OUT/f; for n in \"$@\"; do i=$((i+1)); echo $i > \"$LEAT_OUT/f/$n\" || exit 9; done"
    read = "cd $LEAT_IN/f; i=0; for n in \"$@\"; do i=$((i+1)); test \"$(cat \"./$n\")\" = $i || echo \"no $i\"; done; ls -A | wc -l"
    names = [n.replace("{{", "{ {") for n in names]
    done, shown, steps = pipeline(leat, "names", {
        "w": {"image": engine.image, "command": ["/bin/sh", "-c", made, "w", *names], "outputs": {"f": {}}},
        "r": {"image": engine.image, "inputs": {"f": "w.f"}, "command": ["/bin/sh", "-c", read, "r", *names]}})
    log = leat.ok("logs", "latest:names", "r")
    assert shown["state"] == "succeeded", str(shown)
    assert log == f"{len(names)}\n"


@pytest.mark.parametrize("name", ["line\nend", "tab\there", "\r", "\u0001", "back\\slash"])
def test_file_names_that_are_refused(leat, engine, name):
    done, shown, steps = pipeline(leat, "refused", {"s": {
        "image": engine.image, "command": ["/bin/sh", "-c", "mkdir $LEAT_OUT/f; echo x > \"$LEAT_OUT/f/$0\"", name],
        "outputs": {"f": {}}}})
    assert steps["s"]["state"] == "failed" and "such a name cannot be kept" in steps["s"]["reason"]
    nothing_left(leat, engine)
