"""Three brokers, three copies, two of which must have a record: Leat says which class it runs in; one broker dies under load
and nothing is lost or doubled; with two dead nothing is taken, and all of it goes on when they are back."""
import collections
import json
import re
import subprocess
import time

import pytest
from kafka_site import Load, Site
from leat import request, until

FIXED = ("leat.bus", "leat.commands", "leat.events", "leat.reports", "leat.changes")


@pytest.fixture(scope="module")
def site():
    made = Site(brokers="3", heap="128")
    try:
        yield made.up()
    finally:
        made.remove()


def partitions(site):
    """{(topic, partition): {leader, replicas, isrs}} of Leat's topics."""
    seen = until(site.broker.metadata, what="the word of a broker")
    return {(t["topic"], p["partition"]): {"leader": p["leader"], "replicas": len(p["replicas"]), "insync": len(p["isrs"])}
            for t in seen["topics"] for p in t["partitions"] if t["topic"].startswith("leat.")}


def whole(site):
    there = partitions(site)
    return there and all(p["insync"] == 3 for p in there.values())


def settings(site):
    """What each topic was made with, by Kafka's own tool."""
    done = subprocess.run([*site.broker.java(*site.broker.how()), "kafka.admin.ConfigCommand", "--bootstrap-server",
                           site.broker.listed("kafka"), "--describe", "--entity-type", "topics"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found, topic = {}, None
    for line in done.stdout.splitlines():
        named = re.match(r"Dynamic configs for topic (\S+) are:", line)
        topic = named.group(1) if named else topic
        pair = re.match(r"\s+([\w.]+)=(\S*) ", line)
        if pair:
            found.setdefault(topic, {})[pair.group(1)] = pair.group(2)
    return found


def test_it_survives_power_loss_and_says_so(site):
    def known():
        shown = request("GET", f"{site.leat.api}/api/v1/status").json()
        return shown["class"] != "survives process crashes" and shown
    assert until(known, what="the class")["class"] == "survives process crashes and power loss"
    assert "survives process crashes and power loss" in site.leat.ok("status")
    found = next(f for f in json.loads(site.leat.leat("doctor", "--data", site.leat.data, "-o", "json").stdout) if f["what"] == "bus")
    assert found["level"] == "ok" and "3 brokers" in found["why"] and "survives power loss" in found["why"], found


def test_every_topic_has_three_copies_and_needs_two(site):
    there, made = partitions(site), settings(site)
    orders = {topic for topic, _ in there if topic.startswith("leat.orders.")}
    assert {topic for topic, _ in there} == {*FIXED, *orders} and len(orders) == 3
    assert {p["replicas"] for p in there.values()} == {3}
    assert {made[topic]["min.insync.replicas"] for topic in [*FIXED, *orders]} == {"2"}
    assert {made[topic]["unclean.leader.election.enable"] for topic in [*FIXED, *orders]} == {"false"}


def test_the_first_start_waits_for_nothing(site):
    """The brokers know of a new topic's leader a moment after they made it: the moment is asked again, not waited out."""
    said = (site.leat.data / "log" / "scheduler.log").read_text()
    assert "leading" in said and "was not made" not in said, said


def busiest(site):
    """The broker that leads most."""
    return collections.Counter(p["leader"] for p in partitions(site).values()).most_common()[0][0]


def test_brokers_die_under_load(site):
    until(lambda: whole(site), 180, every=0.3, what="three copies of everything")
    load = Load(site, 6, pause=0.05)
    before = site.deliver("before")
    until(lambda: len(load.answered) > 100, 180, what="load")

    # One: the other two go on without it.
    victim = busiest(site)
    long = site.begin_long()
    site.broker.kill_node(victim)
    struck = time.monotonic()
    one = site.deliver("one-dead")
    until(lambda: len(load.answered) > 300 and len(load.between(struck + 6, time.monotonic())) > 200, 180,
          what="events taken by two brokers")
    assert not site.broker.alive(victim)
    until(lambda: all(p["leader"] not in (victim, -1) for p in partitions(site).values()), every=0.3, what="another leader of all it led")
    took = min(when for _, when in load.answered.values() if when > struck + 0.5) - struck
    site.broker.up()
    until(lambda: whole(site), 180, every=0.3, what="three copies again")

    # Two: what cannot be kept twice is not taken.
    lost = [node for node in site.broker.nodes if node != busiest(site)]
    second = site.begin_long()
    for node in lost:
        site.broker.kill_node(node)
    dead = time.monotonic()
    until(lambda: load.all_refused(dead), what="a 503 for each sender")
    time.sleep(4)
    back = time.monotonic()
    assert load.sent_and_taken(dead, back) == [], "taken with one broker of three"
    site.broker.up()
    until(lambda: len(load.between(back, time.monotonic())) > 100, 180, what="events taken again")
    after = site.deliver("after")
    load.end()

    load.check()
    for event in (before, one, after):
        site.check_steady(event)
    for run in (long, second):
        site.check_once(run, ["one"])
    until(lambda: whole(site), 180, every=0.3, what="three copies in the end")
    print(f"{len(load.answered)} events, {len(load.late)} first answered 503, the first after the death of one in {took:.1f} s")
