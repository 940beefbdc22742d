"""The production topology: an upload to MinIO becomes a model in Production by way of MinIO's own notification, Kafka, the
scheduler, containers and S3; proven by what each of them says of itself. Then each service is killed and away for a
while: what was accepted happens once, by itself, when it is back."""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import uuid
import xml.etree.ElementTree as xml

import pytest
from leat import TERMINAL, request, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "dev"))
from parts import PartError  # noqa: E402
from parts.production import DATA, MODELS, STORE, TOPIC, Production  # noqa: E402

AWAY_S = 35  # longer than a lease and than any call may take
GB = ROOT / "examples/forecast/data/gb.csv"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: a Docker engine of our own needs root")
PING = """
kind: source
name: pings
provider: generic
secret: pings-token
type: dev.example.ping
---
name: ping
on: {event: {type: dev.example.ping}}
steps:
  one:
    image: leat.test/busybox:1
    command: [sh, -c, 'echo pong; cp "$0" "$1"', /etc/passwd, "${{ outputs.copy.path }}"]
    outputs: {copy: {}}
"""


@pytest.fixture(scope="module")
def site():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lp-", dir="/tmp"))
    site = Production(folder, os.environ.get("LEAT_TEST_BUILD", "check"))
    try:
        site.at = site.up()
    except PartError as error:
        shutil.rmtree(folder, ignore_errors=True)
        if "is built with Go" in str(error):
            pytest.skip(f"SKIPPED: {error}")
        raise
    try:
        site.leat.command("secret", "set", "pings-token", stdin="pings-secret-value")
        site.apply(PING, "ping.yaml")
        yield site
    finally:
        site.remove()
        shutil.rmtree(folder, ignore_errors=True)


# ---- witnesses: each service by its own word ---------------------------------------------------------

def out(*argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, errors="replace", timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout


def records(site, topic):
    """All records of a topic, oldest first in each partition: (key, value)."""
    text = out("kcat", "-b", site.at["KAFKA"], "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J")
    return [(r["key"], r["payload"]) for r in map(json.loads, text.splitlines())]


def ends(site, topic):
    """Sum of the end offsets of its partitions; 0 before it is there."""
    listed = json.loads(out("kcat", "-b", site.at["KAFKA"], "-L", "-J", "-t", topic))["topics"][0]
    queries = [w for p in listed.get("partitions", []) for w in ("-t", f"{topic}:{p['partition']}:-1")]
    if not queries:
        return 0
    text = out("kcat", "-b", site.at["KAFKA"], "-Q", *queries)
    return sum(int(line.rpartition(" ")[2]) for line in text.splitlines() if "offset" in line)


def listing(site, bucket, prefix=""):
    keys, token = [], None
    while True:
        query = f"list-type=2&prefix={urllib.parse.quote(prefix, safe='')}"
        if token:
            query = f"continuation-token={urllib.parse.quote(token, safe='')}&{query}"
        tree = xml.fromstring(site.s3(f"{site.at['MINIO']}/{bucket}?{query}"))
        space = tree.tag.partition("}")[0] + "}"
        keys += [e.text for e in tree.iter(f"{space}Key")]
        token = tree.findtext(f"{space}NextContinuationToken")
        if not token:
            return keys


def docker(site, *argv):
    return out("/usr/bin/docker", "-H", site.at["DOCKER_HOST"], *argv)


def engine_events(site, since):
    text = docker(site, "events", "--since", str(since), "--until", str(int(time.time()) + 1), "--filter", "type=container",
                  "--format", "{{json .}}")
    return [json.loads(line) for line in text.splitlines()]


class Witness:
    """Writes the engine's events down as they come: afterwards it tells of the last 256 alone."""

    def __init__(self, site):
        self.file = site.folder / f"events-{uuid.uuid4().hex}"
        with self.file.open("ab") as file:
            self.process = subprocess.Popen(
                ["/usr/bin/docker", "-H", site.at["DOCKER_HOST"], "events", "--since", str(int(time.time())), "--filter",
                 "type=container", "--format", "{{json .}}"], stdout=file, stdin=subprocess.DEVNULL)

    def starts(self):
        """How often a container of each run was started."""
        lines = [line for line in self.file.read_text().splitlines(True) if line.endswith("\n")]
        return collections.Counter(e["Actor"]["Attributes"].get("dev.leat.run") for e in map(json.loads, lines)
                                   if e["Action"] == "start")

    def end(self):
        self.process.terminate()
        self.process.wait()


def mlflow(site, path, **query):
    with urllib.request.urlopen(f"{site.at['MLFLOW']}/api/2.0/mlflow/{path}?{urllib.parse.urlencode(query)}", timeout=180) as answer:
        return json.load(answer)


def versions(site):
    found = []
    for name in ("sgd_regressor", "random_forest_regressor"):
        for v in mlflow(site, "model-versions/search", filter=f"name = '{name}'").get("model_versions", []):
            found.append({**v, "tags": {t["key"]: t["value"] for t in v.get("tags", [])}})
    return found


def run_of(site, event, seconds=120):
    """The one run of an event, ended."""
    def ended():
        shown = site.leat.command("event", event, "-o", "json", check=False)
        if shown.returncode != 0:
            return None
        runs = [r if isinstance(r, str) else r["id"] for r in json.loads(shown.stdout)["runs"]]
        assert len(runs) < 2, f"event {event} has {len(runs)} runs"
        if not runs:
            return None
        run = json.loads(site.leat.command("show", runs[0], "-o", "json"))
        return run if run["state"] in TERMINAL else None
    return until(ended, seconds, 0.5, f"a run of event {event}")


# ---- from an upload to a model -------------------------------------------------------------------------

@pytest.fixture(scope="module")
def trained(site):
    site.images = site.forecast("e2e")
    before = {topic: ends(site, topic) for topic in (TOPIC, "leat.events", "leat.reports")}
    since = int(time.time())
    site.s3("-T", GB, f"{site.at['MINIO']}/{DATA}/gb.csv")
    until(lambda: ends(site, "leat.events") > before["leat.events"], 180, 0.2, "an event on Kafka")
    event = json.loads(records(site, "leat.events")[-1][1])
    run = run_of(site, event["id"], 900)
    assert run["state"] == "succeeded", run
    return {"run": run, "event": event, "before": before, "since": since}


def test_minios_own_notification_is_on_kafka(site, trained):
    assert until(lambda: ends(site, TOPIC) - trained["before"][TOPIC] == 1, 120), "one upload, one notification"
    key, value = records(site, TOPIC)[-1]
    assert key == f"{DATA}/gb.csv"
    assert json.loads(value)["EventName"] == "s3:ObjectCreated:Put"


def test_it_became_one_event(site, trained):
    assert ends(site, "leat.events") - trained["before"]["leat.events"] == 1
    event = trained["event"]
    assert event["type"] == "dev.leat.object.created" and event["leatsource"] == "uploads"
    assert event["data"]["bucket"] == DATA
    assert event["data"]["object"]["key"] == "gb.csv" and event["data"]["object"]["size"] == GB.stat().st_size
    assert trained["run"]["event"] == event["id"]


def test_every_step_ran_once_in_its_container(site, trained):
    until(lambda: not docker(site, "ps", "-aq").strip(), 120, 0.5, "no container is left over")
    steps = {s["name"]: s for s in trained["run"]["steps"] if s["state"] == "succeeded" and s["kind"] == "run"}
    assert {"ingest", "validate", "prepare", "sgd", "forest"} < set(steps) and len(steps) == 6
    seen = [e for e in engine_events(site, trained["since"]) if e["Actor"]["Attributes"].get("dev.leat.run") == trained["run"]["id"]]
    for action in ("create", "start", "die", "destroy"):
        by_attempt = sorted(e["Actor"]["Attributes"]["dev.leat.attempt"] for e in seen if e["Action"] == action)
        assert by_attempt == sorted(s["attempt_id"] for s in steps.values()), action
    assert {e["Actor"]["Attributes"]["exitCode"] for e in seen if e["Action"] == "die"} == {"0"}


def test_the_digest_of_what_ran_is_recorded(site, trained):
    """In `leat show`, and on the queue in the report of each attempt: the very digests that the registry gave when they
    were pushed."""
    digests = {image.rpartition("/")[2].rpartition(":")[0].removeprefix("forecast-"): f"{image.rpartition(':')[0]}@{digest}"
               for image, digest in site.images.items()}
    shown = {s["name"]: s["image"] for s in trained["run"]["steps"]}
    assert shown == {s["name"]: digests[s["name"].partition("-")[0]] if s["state"] == "succeeded" and s["kind"] == "run" else None
                     for s in trained["run"]["steps"]}
    attempts = {s["attempt_id"] for s in trained["run"]["steps"] if s["state"] == "succeeded" and s["kind"] == "run"}
    ran = set()
    for _, value in records(site, "leat.reports"):
        report = json.loads(value)
        for body in report.values():
            if isinstance(body, dict) and body.get("image") and (body.get("attempt") or report.get("attempt")) in attempts:
                ran.add(body["image"])
    pushed = {f"{image.rpartition(':')[0]}@{digest}" for image, digest in site.images.items()}
    assert ran == pushed


def test_artifacts_and_logs_are_in_the_bucket(site, trained):
    there = set(listing(site, STORE))
    for step in trained["run"]["steps"]:
        for name, output in (step["outputs"] or {}).items():
            if isinstance(output, dict) and "artifact" in output:
                digest = output["artifact"]
                assert f"objects/{digest[:2]}/{digest[2:]}" in there, f"{step['name']}.{name}"
    assert [k for k in there if k.startswith(f"logs/{trained['run']['id']}/")]


def test_the_better_model_is_in_production(site, trained):
    made = versions(site)
    assert len(made) == 2
    assert {v["tags"]["leat.run_id"] for v in made} == {trained["run"]["id"]}
    production = [v for v in made if v["current_stage"] == "Production"]
    assert [v["name"] for v in production] == ["random_forest_regressor"]
    rmse = {m["key"]: m["value"] for m in mlflow(site, "runs/get", run_id=production[0]["run_id"])["run"]["data"]["metrics"]}["rmse"]
    forest = next(s for s in trained["run"]["steps"] if s["name"] == "forest")
    assert rmse == forest["outputs"]["rmse"]


def test_mlflow_keeps_its_state_in_postgres_and_its_models_in_minio(site, trained):
    database = site.at["POSTGRES"].rpartition("/")[0] + "/mlflow"
    assert out("psql", database, "-XAtc", "select count(*) from model_versions").strip() == "2"
    assert [k for k in listing(site, MODELS) if k.endswith("MLmodel")]
    assert not (site.folder / "mlflow" / "mlflow.db").exists() and not (site.folder / "mlflow" / "artifacts").exists()


def test_the_worker_has_no_login_to_postgres(site, trained):
    database = site.at["POSTGRES"].rpartition("/")[0] + "/leat"
    names = set(out("psql", database, "-XAtc", "select distinct application_name from pg_stat_activity where datname = 'leat'").split())
    assert "leat-scheduler" in names and "leat-worker" not in names


def test_the_same_upload_told_again_starts_nothing(site, trained):
    """The notification that was read from the topic, by the source's webhook too: one event has one id."""
    value = records(site, TOPIC)[-1][1]
    token = (site.folder / "uploads-token").read_text()
    before = ends(site, "leat.events")
    again = request("POST", f"{site.at['LEAT_HOOKS']}/hooks/uploads", value.encode(),
                    {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    assert again.status == 202 and again.json()["event"] == trained["event"]["id"], again.body
    assert ends(site, "leat.events") == before + 1, "it is on Kafka twice"
    until(lambda: taken_in(site) == before + 1, 180, 0.2, "that the leader has seen it")
    assert [r["id"] for r in json.loads(site.leat.command("runs", "-o", "json", "--pipeline", "forecast-training"))] == [trained["run"]["id"]]


def taken_in(site):
    """How many events the leader has committed."""
    return int(out("psql", site.at["POSTGRES"].rpartition("/")[0] + "/leat", "-XAtc",
                   "select sum(next) from read_offset where topic = 'leat.events'").strip() or 0)


# ---- a service is away ------------------------------------------------------------------------------------

class Pings(threading.Thread):
    """A signed delivery every two seconds; each repeated until it is accepted, as a good sender does."""

    def __init__(self, site):
        super().__init__()
        self.site, self.accepted, self.refusals, self.odd = site, [], [], []
        self.ended, self.witness = threading.Event(), Witness(site)

    def run(self):
        while not self.ended.is_set():
            self.deliver(uuid.uuid4().hex)
            self.ended.wait(2)

    def deliver(self, key):
        while True:
            try:
                answer = request("POST", f"{self.site.at['LEAT_HOOKS']}/hooks/pings", b'{"n":1}', {
                    "Authorization": "Bearer pings-secret-value", "Content-Type": "application/json", "X-Delivery-Id": key})
            except OSError as error:
                self.odd.append(repr(error))
                return
            if answer.status == 202:
                self.accepted.append((time.monotonic(), answer.json()["event"]))
                return
            if answer.status != 503 or not answer.headers.get("Retry-After"):
                self.odd.append((answer.status, answer.body))
                return
            self.refusals.append(time.monotonic())
            if self.ended.wait(float(answer.headers["Retry-After"])):
                return

    def end(self):
        self.ended.set()
        self.join(180)


def away(site, name):
    """Pings before, while and after the service is killed and gone for longer than anybody waits."""
    pings = Pings(site)
    pings.start()
    until(lambda: len(pings.accepted) > 2, 180, 0.2, "accepted pings")
    service = site.part(name)
    service.kill()
    gone = time.monotonic()
    asked = {}
    try:
        time.sleep(AWAY_S / 2)
        began = time.monotonic()
        asked["run"] = site.leat.command("run", "ping", check=False)
        asked["seconds"] = time.monotonic() - began
        time.sleep(max(0, gone + AWAY_S - time.monotonic()))
    finally:
        back = time.monotonic()
        service.up()
    up = time.monotonic()
    until(lambda: len([t for t, _ in pings.accepted if t > up]) > 2, 180, 0.2, "accepted pings after it is back")
    pings.end()
    assert pings.odd == [], f"neither 202 nor 503 with Retry-After: {pings.odd[:5]}"
    during = [t for t, _ in pings.accepted if gone + 10 < t < back]
    return pings, during, [t for t in pings.refusals if gone + 10 < t < back], asked


def all_happened(site, pings):
    assert len(pings.accepted) > 5
    runs = []
    for _, event in pings.accepted:
        run = run_of(site, event, 300)
        assert run["state"] == "succeeded", run
        runs.append(run["id"])
    assert len({event for _, event in pings.accepted}) == len(pings.accepted)
    until(lambda: all(pings.witness.starts()[run] for run in runs), 60, 0.5, "the engine's word of each run")
    begun = pings.witness.starts()
    pings.witness.end()
    assert {run: begun[run] for run in runs} == dict.fromkeys(runs, 1), "by the engine's word each ran once"


def test_kafka_is_away(site):
    pings, accepted, refused, asked = away(site, "kafka")
    assert accepted == [] and refused, "nothing is accepted that is nowhere"
    assert asked["run"].returncode != 0 and asked["seconds"] < 60, "a command says so, in time"
    all_happened(site, pings)


def test_postgres_is_away(site):
    """Hooks need the queue alone: what they accept meanwhile runs afterwards. So does a command that the queue took, whose
    answer is its run's id without a verdict."""
    pings, accepted, refused, asked = away(site, "postgres")
    assert accepted and not refused, "sources that were known are taken from"
    assert asked["seconds"] < 60
    all_happened(site, pings)
    if asked["run"].returncode == 0:
        run = asked["run"].stdout.split()[1]
        until(lambda: json.loads(site.leat.command("show", run, "-o", "json"))["state"] == "succeeded", 180, 0.5, "the run that was asked for")


def test_minio_is_away(site):
    """Steps that began or ended meanwhile wait for the store; none fails."""
    pings, accepted, refused, asked = away(site, "minio")
    assert accepted and not refused, "small events do not need the store"
    assert asked["run"].returncode == 0
    all_happened(site, pings)


def test_after_all_that_nothing_is_left_over(site):
    def live():
        return out("psql", site.at["POSTGRES"].rpartition("/")[0] + "/leat", "-XAtc",
                   "select (select count(*) from run_live), (select count(*) from step_live)").strip()
    until(lambda: live() == "0|0", 180, 0.5, "the end of what was asked for while a service was away")
    until(lambda: not docker(site, "ps", "-aq").strip(), 120, 0.5, "no container is left over")
    until(lambda: taken_in(site) == ends(site, "leat.events"), 180, 0.5, "offsets in Postgres that are the brokers' ends")
