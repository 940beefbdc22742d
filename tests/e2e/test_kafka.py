"""All of Leat on a real Kafka broker, two schedulers and three workers: it runs pipelines; each daemon may be killed; a
leader that was stopped and comes back changes nothing; a broker that dies in a burst loses and doubles nothing; what is
away comes back and everything goes on by itself."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
from kafka_site import Load, Site
from leat import request, signal_all, sockets, stalled, until


@pytest.fixture(scope="module")
def site():
    made = Site()
    try:
        yield made.up()
    finally:
        made.remove()


def test_steps_run_on_all_three_workers(site):
    run = json.loads(site.leat.ok("run", "wide", "--wait", "-o", "json", timeout=120))["id"]
    site.check_once(run, [f"s{i}" for i in range(24)])
    used = site.leat.sql(f"SELECT DISTINCT worker FROM step_result WHERE run = '{run}'")
    assert sorted(w for w, in used) == ["local", "w2", "w3"]


def talk_to_postgres(leat):
    """The inodes of the sockets at whose other end is this Postgres."""
    done = subprocess.run(["ss", "-xnH"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    return {row[-1] for row in rows if f"{leat.data}/run/.s.PGSQL" in row[4]}


def test_workers_hold_no_login_of_postgres(site):
    workers, schedulers = site.leat.pids_of("leat-worker"), site.leat.pids_of("leat-scheduler")
    assert len(workers) == 3 and len(schedulers) == 2

    def control():
        ends = talk_to_postgres(site.leat)
        return all(sockets(pid) & ends for pid in schedulers) and ends
    ends = until(control, what="the control: theirs are seen")
    for pid in workers:
        for file in ("cmdline", "environ"):
            words = pathlib.Path(f"/proc/{pid}/{file}").read_bytes()
            assert not any(word in words for word in (b"database", b"DATABASE", b"dbname")), words
        assert not sockets(pid) & ends
    for name in ("w2", "w3"):
        assert "dbname" not in (site.leat.work / f"{name}.conf").read_text()


def test_a_verdict_may_come_before_the_delivery_report(site):
    """Of 2,000 commands, 16 at a time, some have their change record read before the broker's answer: each has one answer."""
    leat = site.leat
    leat.apply("name: brief\nsteps: {a: {executor: noop}}\n")
    before = leat.pids("leat-api")

    def submit(count):
        connection, runs = http.client.HTTPConnection("127.0.0.1", leat.api_port, timeout=60), []
        for _ in range(count):
            connection.request("POST", "/api/v1/runs", json.dumps({"pipeline": "brief"}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            runs.append(json.loads(answer.read())["id"])
            assert answer.status in (201, 202), answer.status
        return runs
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        runs = sum(pool.map(submit, [125] * 16), [])
    assert len(set(runs)) == 2000 and leat.pids("leat-api") == before
    until(lambda: leat.sql("SELECT count(*) FROM run_done WHERE pipeline = 'brief' AND state = 'succeeded'") == [["2000"]], 180)


def test_status_says_what_this_survives(site):
    def status():
        shown = request("GET", f"{site.leat.api}/api/v1/status").json()
        return shown if shown["bus"]["lag"] == 0 else None
    shown = until(status, what="a queue that is read to its end")
    assert shown["bus"]["backend"] == "kafka"
    assert shown["class"] == "survives process crashes"  # one broker: one copy


def test_the_doctor_looks_at_the_brokers(site):
    shown = json.loads(site.leat.leat("doctor", "--data", site.leat.data, "-o", "json").stdout)
    bus = next(finding for finding in shown if finding["what"] == "bus")
    assert bus["level"] == "ok" and "1 brokers" in bus["why"] and "not power loss" in bus["why"], bus


@pytest.mark.parametrize("daemon", ["leat-scheduler", "leat-worker", "leat-triggers", "leat-api"])
def test_kill_9_of_each_daemon_with_work_under_way(site, daemon):
    with site.steady_held():
        before = site.deliver(f"{daemon}-before")
        run = site.leat.event_runs(before)[0]
        until(lambda: any(line[0] == run for line in site.leat.ledger_lines()), what="a running step")
        count = len(site.leat.pids_of(daemon))
        site.kill_supervised(daemon)
        assert site.leat.sql(f"SELECT count(*) FROM run_live WHERE id = '{run}'") == [["1"]], "it struck nothing"
    after = site.deliver(f"{daemon}-after")
    until(lambda: len(site.leat.pids_of(daemon)) == count, what="the next life of the one that was killed")
    site.check_steady(before)
    site.check_steady(after)


def test_a_leader_stopped_for_longer_than_its_lease_changes_nothing(site):
    site.leading()
    events = [site.deliver(f"zombie-{i}") for i in range(6)]
    pid, epoch = site.leading()
    os.kill(pid, signal.SIGSTOP)
    try:
        events += [site.deliver(f"zombie-{i}") for i in range(6, 9)]
        until(lambda: site.leader()[1] > epoch, what="another leader")
        time.sleep(12)
        events += [site.deliver(f"zombie-{i}") for i in range(9, 12)]
    finally:
        os.kill(pid, signal.SIGCONT)
    for event in events:
        site.check_steady(event)
    assert all(process.poll() is None for name, process in site.alone.items() if process.pid != pid)
    until(lambda: pid not in site.leat.pids_of("leat-scheduler"), what="the end of the old leader")
    now = site.leader()
    assert now[1] == epoch + 1 and now[0] != pid


def test_a_broker_that_dies_in_a_burst_of_events(site):
    count = 3000
    began = time.monotonic()
    load = Load(site, 16, count)

    def strike():
        until(lambda: len(load.answered) > count // 4, 180, what="a quarter of the burst")
        site.broker.kill()
        time.sleep(8)
        site.broker.up()
    striker = threading.Thread(target=strike)
    striker.start()
    load.join()
    striker.join()
    took = time.monotonic() - began
    assert load.late, "the broker's death struck nothing"
    load.check()
    print(f"{count} events in {took:.0f} s, {len(load.late)} first answered 503, every one has its run")


def wait_away(site, seconds, what):
    """While something is away: each hook is answered in time, 202 or 503 with Retry-After. Returns what was taken."""
    end, taken, refused, n = time.monotonic() + seconds, [], 0, 0
    while time.monotonic() < end:
        n += 1
        asked, waited = time.monotonic(), stalled()
        answer = site.event(f"{what}-{n}", "dev.example.steady", timeout=60)
        assert time.monotonic() - asked < 9 + stalled() - waited, "an answer came late"
        assert answer.status in (202, 503), answer.body
        if answer.status == 202:
            taken.append(answer.json()["event"])
        else:
            refused += 1
            assert int(answer.headers["Retry-After"]) > 0
        time.sleep(3)
    return taken, refused


AWAY_S = 35  # longer than a worker's lease and than any call may take


def test_the_broker_is_away(site):
    run = site.begin_long()
    site.broker.kill()
    taken, refused = wait_away(site, AWAY_S, "broker")
    assert not taken and refused >= 3
    site.broker.up()
    site.check_steady(site.deliver("broker-back"))
    site.check_once(run, ["one"])


def test_postgres_is_away(site):
    """The queue goes on taking events: they run when Postgres is back."""
    run = site.begin_long()
    leat = site.leat
    postmaster = int((leat.data / "postgres" / "postmaster.pid").read_text().split()[0])
    children = pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    stopped = [postmaster, *map(int, children)]
    signal_all(signal.SIGSTOP, stopped)
    try:
        taken, refused = wait_away(site, AWAY_S, "postgres")
    finally:
        signal_all(signal.SIGCONT, stopped)
    assert taken and not refused
    site.check_steady(site.deliver("postgres-back"))
    for event in taken:
        site.check_steady(event)
    site.check_once(run, ["one"])
