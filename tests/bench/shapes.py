"""What shapes cost: a large for_each and a crowded concurrency group beside other work, a takeover with much that is
live, and where the time of one step goes by the daemons' own histograms."""
import json
import os
import re
import signal
import statistics
import time

from leat import Leat, free_port, request, until

MANY = 10_000


def steps(shape):
    return "steps:\n" + "".join(f"  {line}\n" for line in shape)


def probe(leat):
    """Seconds from submit to finished of five steps in a row, by the scheduler's own rows."""
    done = json.loads(leat.ok("run", "probe", "--wait", "-o", "json"))["id"]
    return float(leat.sql(f"SELECT extract(epoch FROM finished - created) FROM run_done WHERE id = '{done}'")[0][0])


def beside(leat, begin, end, count=15, rounds=3):
    """Medians of the probe without and with a load, turn about, so that both see the same machine."""
    without, with_load = [], []
    for _ in range(rounds):
        without += [probe(leat) for _ in range(count)]
        begin()
        with_load += [probe(leat) for _ in range(count)]
        end()
    return statistics.median(without), statistics.median(with_load)


def cancel_all(leat):
    for run, in leat.sql("SELECT id FROM run_live"):
        leat.leat("cancel", run)
    until(lambda: leat.sql("SELECT count(*) FROM run_live") == [["0"]], 180, every=0.2)


def bench_each(leat, row):
    leat.apply('name: each\nparams: {items: {type: json}}\n' + steps(
        ["one: {for_each: '${{ params.items }}', parallelism: 4, command: [/bin/sleep, '600']}"]), "each.yaml")
    leat.apply('name: items\nparams: {items: {type: json}}\n' + steps(
        ["one: {for_each: '${{ params.items }}', executor: noop}"]), "items.yaml")
    items = "items=" + json.dumps(list(range(MANY)))
    done = json.loads(leat.ok("run", "items", "-p", items, "--wait", "-o", "json", timeout=300))["id"]
    took = float(leat.sql(f"SELECT extract(epoch FROM finished - created) FROM run_done WHERE id = '{done}'")[0][0])
    row("a for_each of 10,000 noop items", took, "s", None)

    def begin():
        leat.ok("run", "each", "-p", items)
        until(lambda: int(leat.sql("SELECT count(*) FROM step_live WHERE state = 'running'")[0][0]) >= 5, 60)
    without, with_load = beside(leat, begin, lambda: cancel_all(leat))
    row("five steps in a row beside a live for_each of 10,000 items", with_load * 1000, "ms", None,
        with_load / without, "same without it")


def bench_group(leat, row):
    leat.apply("name: crowd\nconcurrency: {limit: 1}\n" + steps(["one: {command: [/bin/sleep, '600']}"]), "crowd.yaml")

    def begin():
        for n in range(1001):
            answer = request("POST", f"{leat.api}/api/v1/runs", json.dumps({"pipeline": "crowd"}), {"Content-Type": "application/json"})
            assert answer.status in (201, 202), answer.body
        until(lambda: leat.sql("SELECT count(*) FROM run_live WHERE state = 'queued'") == [["1000"]], 60)
    without, with_load = beside(leat, begin, lambda: cancel_all(leat), rounds=2)
    row("five steps in a row beside 1,000 runs that wait in one concurrency group", with_load * 1000, "ms", None,
        with_load / without, "same without them")


def bench_takeover(leat, row, rounds=3):
    """kill -9 of the leader, which is started again at once; a run submitted then is the next dispatch."""
    leat.apply("name: sleepers\n" + steps(f"s{i}: {{command: [/bin/sleep, '600']}}" for i in range(MANY)), "sleepers.yaml")
    leat.ok("run", "sleepers")
    until(lambda: int(leat.sql("SELECT count(*) FROM step_live WHERE state = 'running'")[0][0]) >= leat.slots - 10, 60)
    waits = []
    for _ in range(rounds):
        pid, = leat.pids("leat-scheduler")
        killed = time.time()
        os.kill(pid, signal.SIGKILL)
        run = json.loads(leat.ok("run", "probe", "--wait", "-o", "json"))["id"]
        first = leat.sql(f"SELECT extract(epoch FROM min(started)) FROM step_result WHERE run = '{run}'")[0][0]
        waits.append(float(first) - killed)
    row("leader killed with 10,000 live steps, to the next dispatch", statistics.median(waits), "s", 3)
    cancel_all(leat)


# ---- the time of one step ------------------------------------------------------------------------

def histograms(port):
    """{name{labels}: (sum in seconds, count)}"""
    text = request("GET", f"http://127.0.0.1:{port}/metrics").body.decode()
    found = {}
    for name, kind, labels, value in re.findall(r"^(leat_\w+)_(sum|count)(\{[^}]*\})? (\S+)$", text, re.M):
        found.setdefault(name + labels, {})[kind] = float(value)
    return {name: (v["sum"], v["count"]) for name, v in found.items() if len(v) == 2}


def bench_profile(row, timed_run, runs=10, length=40):
    ports = free_port(), free_port()
    leat = Leat(extra=["--scheduler-listen", f"127.0.0.1:{ports[0]}", "--worker-listen", f"127.0.0.1:{ports[1]}"])
    del leat.env["LEAT_LISTEN"]
    try:
        leat.up()
        leat.apply("name: chain\n" + steps(
            f"s{i}: {{command: [/bin/true]{f', needs: [s{i - 1}]' if i else ''}}}" for i in range(length)), "chain.yaml")
        timed_run(leat, "chain")
        before = [histograms(port) for port in ports]
        took = sum(timed_run(leat, "chain") for _ in range(runs))
        after = [histograms(port) for port in ports]
        each = runs * length
        row("one process step of a chain, all of it", took / each * 1000, "ms", None)
        for old, new in zip(before, after):
            for name, (total, count) in sorted(new.items()):
                spent = total - old.get(name, (0, 0))[0]
                if count > old.get(name, (0, 0))[1] and "http" not in name:
                    row(f"of it, by {name}", spent / each * 1000, "ms", None)
    finally:
        leat.remove()


def bench_shape_costs(row):
    leat = Leat(slots=100)
    try:
        leat.up()
        leat.apply("name: probe\n" + steps(
            f"p{i}: {{executor: noop, resources: {{slots: 0}}, priority: 100{f', needs: [p{i - 1}]' if i else ''}}}" for i in range(5)), "probe.yaml")
        probe(leat)
        bench_each(leat, row)
        bench_group(leat, row)
        bench_takeover(leat, row)
    finally:
        leat.remove()
