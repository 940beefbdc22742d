"""Steps in containers of a real Docker engine, as a user would run them."""
import json
import signal
import time

import pytest
from engine import run
from leat import Leat, signal_all, until

CANARY = "canary-7c1f-of-the-secret"


@pytest.fixture(scope="module")
def leat(engine):
    instance = Leat(slots=8, env={"DOCKER_HOST": engine.addresses["DOCKER_HOST"]})
    try:
        yield instance.up()
    finally:
        instance.remove()


def test_auto_takes_the_engine(leat, engine):
    worker = until(lambda: next((w for w in leat.json("workers") if "docker" in w["executors"]), None), what="the worker's engine")
    assert worker["executors"][:2] == ["docker", "process"]
    log = (leat.data / "log/worker.log").read_text()
    assert "containers: docker " in log
    wide = leat.ok("workers", "-o", "wide")
    assert "RUNTIME" in wide and "containers: docker " in wide and str(engine.socket) in wide
    assert worker["runtime"] in wide


def test_why_it_is_processes():
    for extra, said in (((), "processes until a docker engine answers: no engine: there is no socket /nowhere"),
                        (("--executor", "process"), "processes: executor is process")):
        instance = Leat(slots=1, env={"DOCKER_HOST": "unix:///nowhere"}, extra=extra)
        try:
            instance.up()
            assert said in instance.ok("workers", "-o", "wide")
        finally:
            instance.remove()


def test_a_run_of_containers_and_a_process(leat, engine):
    user = engine.image_with("leat.test/user", "USER 1234:1234", 'ENTRYPOINT ["/bin/sh", "-c"]', "ENV PATH=/bin")
    done, shown, steps = run(leat, f"""
name: mixed
steps:
  first:
    image: {user}
    args: ["id -u; echo data > $LEAT_OUT/a; printf 7 > ${{{{ outputs.n.path }}}}; ls -ld /leat/in 2>&1 | head -c 0"]
    outputs: {{a: {{}}, n: {{type: integer}}}}
  second:
    image: {user}
    args: ["cat ${{{{ inputs.a.path }}}}; touch /leat/in/x 2>/dev/null && echo writable; mkdir $LEAT_OUT/f; cp $LEAT_IN/a $LEAT_OUT/f/copy"]
    inputs: {{a: first.a}}
    outputs: {{f: {{}}}}
  third:
    command: [sh, -c, 'cat "$LEAT_IN/f/copy"; echo "$0"', "${{{{ steps.first.outputs.n }}}}"]
    inputs: {{f: second.f}}
""", "mixed")
    assert done.returncode == 0, done.stdout + done.stderr + str(shown)
    assert leat.ok("logs", "latest:mixed", "first") == "1234\n"
    assert leat.ok("logs", "latest:mixed", "second") == "data\n"
    assert leat.ok("logs", "latest:mixed", "third") == "data\n7\n"
    assert steps["first"]["image"].startswith("sha256:")  # it came from no registry
    assert steps["third"]["image"] is None
    until(lambda: not engine.containers())


def test_secrets_are_nowhere_but_in_files(leat, engine):
    assert leat.leat("secret", "set", "api-key", stdin=CANARY).returncode == 0
    done, shown, _ = run(leat, f"""
name: secretive
steps:
  s:
    image: {engine.image}
    secrets: [api-key]
    command: [/bin/sh, -c, 'test "$(cat $LEAT_SECRETS/api-key)" = "$0-7c1f-of-the-secret" && stat -f -c %T /leat/secrets && sleep 2', canary]
""", "secretive")
    assert done.returncode == 0, str(shown)
    assert "tmpfs" in leat.ok("logs", "latest:secretive", "s")
    for log in (leat.data / "log").glob("*.log"):
        assert CANARY not in log.read_text(errors="replace")


def test_secrets_are_not_in_inspect(leat, engine):
    file = leat.work / "looked.yaml"
    file.write_text(f"""
name: looked
steps:
  s: {{image: {engine.image}, secrets: [api-key], command: [/bin/sleep, "20"]}}
""")
    leat.ok("apply", file)
    until(lambda: not engine.containers(), 90)  # the step before is removed after its run has ended
    leat.ok("run", "looked")
    inspected = json.dumps(until(engine.running, 90))
    assert CANARY not in inspected and "/leat/secrets" in inspected
    until(lambda: not engine.containers(), 90)


def test_the_worker_dies_while_containers_run(leat, engine):
    file = leat.work / "long.yaml"
    file.write_text(f"""
name: long
defaults: {{image: {engine.image}}}
steps:
""" + "".join(f"""
  s{i}:
    command: [/bin/sh, -c, 'echo $LEAT_ATTEMPT_ID >> $LEAT_OUT/ledger; for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done; until [ -e /tmp/go ]; do sleep 0.1; done']
    outputs: {{ledger: {{}}}}
""" for i in range(3)))
    leat.ok("apply", file)
    run_id = json.loads(leat.ok("run", "long", "-o", "json"))["id"]
    until(lambda: [c["State"] for c in engine.containers()] == ["running"] * 3, 90, what="three containers")
    for _ in range(2):
        time.sleep(0.7)
        leat.kill("leat-worker")
    for container in engine.containers():
        engine.touch(container, "/tmp/go")
    shown = leat.wait_run(run_id)
    assert shown["state"] == "succeeded", str(shown)
    for step in shown["steps"]:
        assert step["attempt"] == 1 and step["outputs"]["ledger"]["size"] == 37
        assert leat.ok("logs", run_id, step["name"]) == "1\n2\n3\n4\n5\n6\n"
    until(lambda: not engine.containers())


FIRST_FOR_EVER = "echo $LEAT_ATTEMPT; [ $LEAT_ATTEMPT -gt 1 ] || sleep 600"
DEAF = "trap '' TERM; echo $LEAT_ATTEMPT; while [ $LEAT_ATTEMPT -eq 1 ]; do sleep 1; done"


def test_down_ends_containers_as_it_ends_processes(leat, engine):
    """Nothing of them is left while Leat is down, and each is tried again when it is back."""
    file = leat.work / "down.yaml"
    steps = {f"{kind}-{name}": {"image": engine.image, "executor": kind, "command": ["/bin/sh", "-c", script]}
             for kind in ("docker", "process") for name, script in (("waits", FIRST_FOR_EVER), ("deaf", DEAF))}
    file.write_text(json.dumps({"name": "down", "steps": steps}))
    leat.ok("apply", file)
    run_id = json.loads(leat.ok("run", "down", "-o", "json"))["id"]
    until(lambda: all(s["state"] == "running" for s in leat.json("show", run_id)["steps"]), 60)
    until(lambda: len(engine.containers()) == 2)
    assert leat.down().returncode == 0
    assert engine.containers() == []
    assert not engine.ask("GET", "/volumes")["Volumes"]
    assert not leat.pids("leat-keeper") and not leat.pids("leat-worker")
    leat.up()
    shown = leat.wait_run(run_id)
    assert shown["state"] == "succeeded", str(shown) + leat.logs_tail()
    assert [s["attempt"] for s in shown["steps"]] == [2] * 4, str(shown["steps"])
    until(lambda: not engine.containers())


def test_killed_while_it_ends_them(leat, engine):
    """The journal says that they were to end: what the next life finds is not taken for the step's own end."""
    file = leat.work / "cut.yaml"
    file.write_text(json.dumps({"name": "cut", "steps": {
        kind: {"image": engine.image, "executor": kind, "command": ["/bin/sh", "-c", DEAF]} for kind in ("docker", "process")}}))
    leat.ok("apply", file)
    run_id = json.loads(leat.ok("run", "cut", "-o", "json"))["id"]
    until(lambda: all(s["state"] == "running" for s in leat.json("show", run_id)["steps"]), 60)
    def told():
        return (leat.data / "log/worker.log").read_text().count("and what it runs with it")
    before = told()
    pid, = leat.kill("leat-worker", signo=signal.SIGQUIT)
    until(lambda: told() > before)
    time.sleep(0.5)  # of the 2 s that they are given
    signal_all(signal.SIGKILL, [pid])
    shown = leat.wait_run(run_id)
    assert shown["state"] == "succeeded", str(shown) + leat.logs_tail()
    assert all(s["attempt"] >= 2 for s in shown["steps"]), str(shown["steps"])
    until(lambda: not engine.containers())


@pytest.mark.parametrize("more,said", [
    ("privileged: true", "privileged"), ("container: {privileged: true}", "privileged"),
    ("container: {volumes: [/:/host]}", "volumes"), ("container: {network: 'container:x'}", "network"),
    ("container: {devices: [/dev/kmsg]}", "devices"), ("container: {pid: host}", "pid"),
    ("workdir: /proc/self", "/proc"), ("workdir: ../x", "absolute"), ("resources: {memory: 1MiB}", "memory"),
    ("image: '$(id)'", "image")])
def test_what_reaches_out_is_refused(leat, more, said):
    file = leat.work / "hostile.yaml"
    image = "" if more.startswith("image") else "image: busybox, "
    file.write_text(f"name: hostile\nsteps:\n  s: {{{image}{more}}}\n")
    done = leat.leat("validate", file)
    assert done.returncode == 1 and said in done.stderr + done.stdout
