"""A store that is full fails what needs room, with a text that says so; everything else goes on."""
import json
import os
import subprocess

import pytest
from leat import Leat


@pytest.fixture(scope="module")
def leat():
    if os.getuid() != 0:
        print("SKIPPED a full store: only root can mount a small file system")
        pytest.skip("needs root")
    instance = Leat()
    small = instance.folder / "s"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m,mode=0777", "tmpfs", small], check=True)
    instance.extra += ["--store", str(small)]
    try:
        yield instance.up()
    finally:
        instance.down()
        subprocess.run(["umount", "-l", small], check=False)
        instance.remove()


def test_an_artifact_that_has_no_room_fails_its_step_and_nothing_else(leat):
    leat.apply("name: large\nsteps: {one: {command: [sh, -c, 'head -c 60000000 /dev/zero > \"$0\"', '${{ outputs.big.path }}'], outputs: {big: {}}}}\n")
    leat.apply("name: fine\nsteps: {one: {command: [echo, fine]}}\n", "fine.yaml")
    shown = leat.wait_run(json.loads(leat.ok("run", "large", "-o", "json"))["id"])
    reason = shown["steps"][0]["reason"]
    assert shown["state"] == "failed" and "big" in reason and ("full" in reason or "free" in reason or "space" in reason), reason
    assert leat.leat("run", "fine", "--wait").returncode == 0
    assert leat.ok("logs", "latest:fine") == "fine\n"
