"""What starts runs without a request: files that others put into a bucket's folder, also while nobody looked, and cron ticks."""
import os
import signal
import time

import pytest
from leat import until


@pytest.fixture(scope="module", autouse=True)
def prepared(leat):
    leat.apply("{kind: source, name: box, provider: directory}\n", "box.yaml")
    leat.apply("name: seen\non: {object: {bucket: box, suffix: .txt, types: [created, deleted]}}\nsteps: {one: {command: ['true']}}\n", "seen.yaml")
    leat.apply("name: ticks\non: {cron: {schedule: '* * * * *'}}\nsteps: {one: {command: ['true']}}\n", "ticks.yaml")
    until(lambda: (leat.data / "buckets" / "box").is_dir(), what="the bucket's folder")
    time.sleep(1)


def drop(leat, name, text):
    """As another program would: written beside, moved in."""
    beside = leat.file(name.replace("/", "-"), text)
    target = leat.data / "buckets" / "box" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    os.chmod(target.parent, 0o755)
    os.chmod(beside, 0o644)
    beside.rename(target)


def events(leat, key):
    return [e for e in leat.json("events", "--limit", "1000") if e["subject"] == key]


def test_a_file_moved_in_is_seen(leat):
    drop(leat, "moved.txt", "one")
    event, = until(lambda: events(leat, "moved.txt"), what="an event for moved.txt")
    run, = leat.event_runs(event["id"])
    assert leat.wait_run(run)["state"] == "succeeded"


def test_a_file_in_a_new_folder_is_seen(leat):
    drop(leat, "2026/11/deep.txt", "two")
    until(lambda: events(leat, "2026/11/deep.txt"), what="an event for deep.txt")


def test_an_upload_is_announced_once(leat):
    event = leat.put("box", "put.txt", b"three").json()["event"]
    leat.event_runs(event)
    time.sleep(1)
    assert [e["id"] for e in events(leat, "put.txt")] == [event]


def test_what_came_and_went_while_nobody_looked_is_made_up_for(leat):
    leat.kill("leat-triggers", signo=signal.SIGSTOP)
    try:
        drop(leat, "late.txt", "four")
        left = leat.data / "buckets" / "box" / ".leat-000000000000000000000000"
        left.write_text("an upload that a death cut short")
        (leat.data / "buckets" / "box" / "moved.txt").unlink()
    finally:
        leat.kill("leat-triggers")
    until(lambda: events(leat, "late.txt"), what="an event for late.txt")
    until(lambda: [e for e in events(leat, "moved.txt") if e["type"].endswith("deleted")], what="moved.txt is gone")
    until(lambda: not left.exists(), what="what an upload left is removed")
    assert len(events(leat, "put.txt")) == 1, "what was announced is not announced again"


def test_a_cron_slot_fires_once(leat):
    ticks = until(lambda: [e for e in leat.json("events", "--limit", "1000") if e["type"] == "dev.leat.cron"], 150, every=1, what="a tick")
    slots = [e["subject"] for e in ticks]
    assert len(slots) == len(set(slots))
    run, = leat.event_runs(ticks[0]["id"])
    assert leat.wait_run(run)["trigger"] == "cron"
