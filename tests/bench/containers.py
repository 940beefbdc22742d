"""A container step over the bare runtime's own time: a run of one step against the same container made by the engine's
own calls (create, start, wait, remove), turn about, so that both see the same machine."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from engine import ROOT, Engine
from leat import Leat


def bare(engine):
    """The same container as Leat's: init, no capabilities, a log of driver local."""
    body = json.dumps({"Image": engine.image, "Cmd": ["/bin/true"], "HostConfig": {
        "Init": True, "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "LogConfig": {"Type": "local"}}})
    began = time.perf_counter()
    made = engine.ask("POST", "/containers/create", body, {"Content-Type": "application/json"})["Id"]
    engine.ask("POST", f"/containers/{made}/start")
    engine.ask("POST", f"/containers/{made}/wait")
    took = time.perf_counter() - began
    engine.ask("DELETE", f"/containers/{made}")
    return took


def bench_containers(row, timed_run, count=20):
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        print("SKIPPED containers: dockerd and root are needed", flush=True)
        return
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lb-", dir="/tmp"))
    folder.chmod(0o755)
    engine = Engine(folder)
    leat = Leat(env={"DOCKER_HOST": engine.addresses["DOCKER_HOST"]})
    try:
        leat.up()
        leat.apply(f"name: one\nsteps:\n  s: {{image: {engine.image}, command: [/bin/true]}}\n")
        timed_run(leat, "one")
        pairs = [(timed_run(leat, "one"), bare(engine)) for _ in range(count)]
        over = statistics.median(ours - its for ours, its in pairs)
        row("container step over the bare runtime's own time (docker)", over * 1000, "ms", 60,
            statistics.median(ours for ours, _ in pairs) / statistics.median(its for _, its in pairs), "engine's own calls")
    finally:
        leat.remove()
        subprocess.run([ROOT / "dev/services", "remove", "docker", "--dir", folder], check=True, timeout=90,
                       stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)
