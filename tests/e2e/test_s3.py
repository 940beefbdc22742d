"""S3 services as users have them: a real MinIO that tells of uploads by its webhook, a store in S3, outages."""
import contextlib
import hashlib
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from leat import ROOT, Leat, until
from s3client import S3

sys.path.insert(0, str(ROOT / "dev"))
from parts import part  # noqa: E402
from parts.base import cache  # noqa: E402

ODD = ["datasets/it +1%41.csv", "q\"o'te/ü€.csv", "a\nb.csv", "plain.csv", "a+b=c&d?e#f.csv"]
PIPELINE = """
name: {name}
on: {{object: {{bucket: {bucket}, suffix: .csv, types: [created, deleted], run_name: "${{{{ event.data.object.key }}}}"}}}}
steps: {{one: {{command: ['true']}}}}
"""


@contextlib.contextmanager
def service(name, **settings):
    """A part of dev/services in a folder of its own."""
    made = part(name, pathlib.Path(tempfile.mkdtemp(prefix="leat-s3-")), settings)
    if name == "minio" and not made.cached.exists():
        pytest.skip(f"MinIO is not in {cache()}: dev/services fetch minio builds it")
    made.up()
    try:
        yield made
    finally:
        made.remove()
        made.folder.parent.rmdir()


@pytest.fixture(scope="module")
def leat():
    instance = Leat()
    try:
        yield instance.up()
    finally:
        instance.remove()


@pytest.fixture(scope="module")
def minio(leat):
    with service("minio", webhook=f"{leat.hooks}/hooks/uploads", token="hook-token") as made:
        yield made


@pytest.fixture(scope="module")
def s3(leat, minio):
    client = S3(minio.addresses()["MINIO"])
    leat.ok("secret", "set", "uploads-token", stdin="hook-token")
    leat.apply("{kind: source, name: uploads, provider: minio, secret: uploads-token}\n", "uploads.yaml")
    for bucket, versions in (("plain", False), ("versions", True)):
        client.make(bucket, versions)
        client.notify(bucket, "webhook")
        leat.apply(PIPELINE.format(name=f"seen-{bucket}", bucket=bucket), f"{bucket}.yaml")
    return client


def events(leat, key, kind=None):
    return [e for e in leat.json("events", "--limit", "1000")
            if e["subject"] == key and (kind is None or e["type"].endswith(kind))]


@pytest.mark.parametrize("bucket", ["plain", "versions"])
def test_an_upload_starts_a_run(leat, s3, bucket):
    for key in ODD:
        name = f"{bucket}/{key}"
        version, etag = s3.put(bucket, name, b"1,2\n")
        event, = until(lambda: events(leat, name), what=f"an event of {name}")
        run, = leat.event_runs(event["id"])
        shown = leat.wait_run(run)
        assert shown["state"] == "succeeded" and shown["name"] == name
        data = leat.json("event", event["id"])["data"]
        assert data["bucket"] == bucket and data["object"]["key"] == name and data["object"]["etag"] == etag
        assert data["object"]["version"] == (version or f"etag:{etag}") and data["object"]["size"] == 4


@pytest.mark.parametrize("bucket", ["plain", "versions"])
def test_overwrites_and_removals_are_told_apart(leat, s3, bucket):
    key = f"{bucket}-again.csv"
    s3.put(bucket, key, b"one")
    until(lambda: events(leat, key), what="the first")
    s3.put(bucket, key, b"one")  # the same bytes: another upload all the same
    until(lambda: len(events(leat, key)) == 2, what="the second")
    s3.delete(bucket, key)
    gone, = until(lambda: events(leat, key, "deleted"), what="its removal")
    leat.event_runs(gone["id"])
    assert len(events(leat, key, "created")) == 2 and len(events(leat, key)) == 3


def test_a_wrong_token_and_no_notification(leat, s3):
    body = {"Records": [{"eventName": "s3:ObjectCreated:Put", "eventSource": "minio:s3",
                         "s3": {"bucket": {"name": "plain"}, "object": {"key": "x.csv", "sequencer": "18EB2964B7F6EB57"}}}]}
    right = {"Authorization": "Bearer hook-token"}
    assert leat.hook("uploads", body, {"Authorization": "Bearer other"}).status == 401
    assert leat.hook("uploads", body).status == 401
    assert leat.hook("uploads", {"no": "records"}, right).status == 400
    assert leat.hook("uploads", {"Records": [{"eventName": "s3:ObjectCreated:Put"}]}, right).status == 400
    assert leat.hook("uploads", {"Records": [{"eventName": "s3:ObjectAccessed:Get"}]}, right).status == 204
    assert leat.hook("uploads", {"Event": "s3:TestEvent"}, right).status == 204
    first = leat.hook("uploads", body, right)
    again = leat.hook("uploads", body, {"Authorization": "Basic bGVhdDpob29rLXRva2Vu"})
    assert first.status == again.status == 202 and first.json() == again.json()
    leat.event_runs(first.json()["event"])
    time.sleep(1)
    assert len(events(leat, "x.csv")) == 1


# ---- object sets ---------------------------------------------------------------------------------

SET = """
name: set-{name}
steps:
  read:
    command: [sh, -c, 'cat "$1"/files/data/*.csv > "$2"; cp "$1/manifest.json" "$3"', read]
    args: ["${{{{ inputs.raw.path }}}}", "${{{{ outputs.all.path }}}}", "${{{{ outputs.manifest.path }}}}"]
    inputs: {{raw: {{objects: {{bucket: {bucket}, prefix: data/, suffix: .csv}}}}}}
    outputs: {{all: {{}}, manifest: {{}}}}
"""
ONE = """
name: one-{name}
on: {{object: {{bucket: {bucket}, prefix: one/}}}}
steps:
  read:
    command: [sh, -c, 'cp "$1"/files/one/x "$2"', read]
    args: ["${{{{ inputs.it.path }}}}", "${{{{ outputs.it.path }}}}"]
    inputs: {{it: {{object: "${{{{ event.data.object }}}}"}}}}
    outputs: {{it: {{}}}}
"""
SOURCE = """
{{kind: source, name: {name}, provider: {provider}, bucket: {bucket}, endpoint: "{url}", credentials: s3-keys, secret: uploads-token}}
"""


def read_set(leat, name):
    run = leat.ok("run", f"set-{name}", "-o", "name").strip()
    shown = leat.wait_run(run)
    assert shown["state"] == "succeeded", json.dumps(shown["steps"])
    return (leat.ok("artifact", "get", run, "read.all", "-o", "-"),
            json.loads(leat.ok("artifact", "get", run, "read.manifest", "-o", "-")))


def check_set(leat, client, url, name, bucket, provider, versions):
    client.make(bucket, versions)
    leat.ok("secret", "set", "s3-keys", stdin="leat:leat-secret\n")
    leat.apply(SOURCE.format(name=name, provider=provider, bucket=bucket, url=url), f"{name}-source.yaml")
    leat.apply(SET.format(name=name, bucket=bucket), f"set-{name}.yaml")
    first = client.put(bucket, "data/a 1+.csv", b"a\n")
    client.put(bucket, "data/b.csv", b"b\n")
    client.put(bucket, "data/c.txt", b"no\n")
    client.put(bucket, "other/d.csv", b"no\n")
    text, manifest = read_set(leat, name)
    assert text == "a\nb\n" and manifest["bucket"] == bucket
    assert [o["key"] for o in manifest["objects"]] == ["data/a 1+.csv", "data/b.csv"]
    entry = manifest["objects"][0]
    assert entry["version"] == (first[0] if versions and first[0] else f"etag:{first[1]}")
    assert entry["size"] == 2 and entry["sha256"] == hashlib.sha256(b"a\n").hexdigest()
    client.put(bucket, "data/a 1+.csv", b"changed\n")
    client.delete(bucket, "data/b.csv")
    text, manifest = read_set(leat, name)
    assert text == "changed\n" and manifest["objects"][0]["version"] != entry["version"]


@pytest.mark.parametrize("versions", [False, True])
def test_a_set_of_minio_is_pinned(leat, minio, s3, versions):
    check_set(leat, s3, minio.addresses()["MINIO"], f"m{versions:d}", f"set-m{versions:d}", "minio", versions)


@pytest.mark.parametrize("versions", [False, True])
def test_a_set_of_versitygw_is_pinned(leat, s3, versitygw, versions):
    url = versitygw.addresses()["VERSITYGW"]
    check_set(leat, S3(url), url, f"v{versions:d}", f"set-v{versions:d}", "s3", versions)


@pytest.fixture(scope="module")
def versitygw():
    with service("versitygw") as made:
        yield made


@pytest.mark.parametrize("versions", [False, True])
def test_the_object_of_an_event_is_the_one_that_came(leat, minio, s3, versions):
    """With versions the old bytes, though they were overwritten; without, the attempt says that they are gone."""
    bucket = f"one-{versions:d}"
    s3.make(bucket, versions)
    leat.ok("secret", "set", "s3-keys", stdin="leat:leat-secret")
    leat.apply(SOURCE.format(name=bucket, provider="minio", bucket=bucket, url=minio.addresses()["MINIO"]), f"{bucket}.yaml")
    leat.apply(ONE.format(name=bucket, bucket=bucket), f"one-{bucket}.yaml")
    version, etag = s3.put(bucket, "one/x", b"first")
    s3.put(bucket, "one/x", b"second")
    body = {"Records": [{"eventName": "s3:ObjectCreated:Put", "eventSource": "minio:s3", "s3": {"bucket": {"name": bucket}, "object": {
        "key": "one%2Fx", "size": 5, "eTag": etag, "versionId": version or "", "sequencer": "18EB2964B7F6EB57"}}}]}
    event = leat.hook(bucket, body, {"Authorization": "Bearer hook-token"}).json()["event"]
    run, = leat.event_runs(event)
    shown = leat.wait_run(run)
    if versions:
        assert shown["state"] == "succeeded", json.dumps(shown["steps"])
        assert leat.ok("artifact", "get", run, "read.it", "-o", "-") == "first"
    else:
        assert shown["state"] == "failed" and "no longer in bucket" in json.dumps(shown)


def test_a_bucket_that_nobody_declared(leat, s3):
    leat.apply(SET.format(name="nowhere", bucket="nowhere"), "nowhere.yaml")
    run = leat.ok("run", "set-nowhere", "-o", "name").strip()
    shown = leat.wait_run(run)
    assert shown["state"] == "failed" and "there is no bucket nowhere" in json.dumps(shown)


# ---- looking ---------------------------------------------------------------------------------------

LOOKED = """
{{kind: source, name: {name}, provider: {provider}, bucket: {bucket}, endpoint: "{url}", credentials: s3-keys, secret: uploads-token, look: 2s}}
"""


def told_once(leat, key, kind, count=1):
    until(lambda: len(events(leat, key, kind)) >= count, 90, every=0.5, what=f"{key} {kind}")


def declare(leat, name, provider, bucket, url):
    leat.ok("secret", "set", "s3-keys", stdin="leat:leat-secret")
    leat.ok("secret", "set", "uploads-token", stdin="hook-token")
    leat.apply(LOOKED.format(name=name, provider=provider, bucket=bucket, url=url), f"{name}.yaml")
    until(lambda: leat.sql(f"SELECT 1 FROM s3_look WHERE source = '{name}' AND place LIKE '% {bucket} %'"), what="the first look")


@pytest.mark.parametrize("versions", [False, True])
def test_what_minio_did_not_tell_is_found(leat, minio, s3, versions):
    """No notification at all for half of the keys; both for the other half: one event each."""
    bucket = f"look-{versions:d}"
    s3.make(bucket, versions)
    s3.put(bucket, f"{bucket}/old.csv", b"older than the source")
    time.sleep(3)
    declare(leat, "uploads", "minio", bucket, minio.addresses()["MINIO"])
    s3.put(bucket, f"{bucket}/silent +1.csv", b"1")
    s3.put(bucket, f"{bucket}/silent-gone.csv", b"2")
    s3.put(bucket, f"{bucket}/silent-same.csv", b"3")
    s3.notify(bucket, "webhook")
    s3.put(bucket, f"{bucket}/told.csv", b"4")
    s3.put(bucket, f"{bucket}/told-twice.csv", b"5")
    s3.put(bucket, f"{bucket}/told-twice.csv", b"5")
    s3.put(bucket, f"{bucket}/told-gone.csv", b"6")
    s3.delete(bucket, f"{bucket}/told-gone.csv")
    for key in (f"{bucket}/silent +1.csv", f"{bucket}/silent-gone.csv", f"{bucket}/silent-same.csv", f"{bucket}/told.csv"):
        told_once(leat, key, "created")
    told_once(leat, f"{bucket}/told-twice.csv", "created", 2)
    for kind in ("created", "deleted"):
        told_once(leat, f"{bucket}/told-gone.csv", kind)
    s3.notify(bucket)
    s3.delete(bucket, f"{bucket}/silent-gone.csv")
    s3.put(bucket, f"{bucket}/silent-same.csv", b"3")
    told_once(leat, f"{bucket}/silent-gone.csv", "deleted")
    told_once(leat, f"{bucket}/silent-same.csv", "created", 2)
    time.sleep(15)
    counts = {key: (len(events(leat, key, "created")), len(events(leat, key, "deleted"))) for key in (
        f"{bucket}/silent +1.csv", f"{bucket}/silent-gone.csv", f"{bucket}/silent-same.csv", f"{bucket}/told.csv", f"{bucket}/told-twice.csv", f"{bucket}/told-gone.csv", f"{bucket}/old.csv")}
    assert counts == {f"{bucket}/silent +1.csv": (1, 0), f"{bucket}/silent-gone.csv": (1, 1), f"{bucket}/silent-same.csv": (2, 0), f"{bucket}/told.csv": (1, 0),
                      f"{bucket}/told-twice.csv": (2, 0), f"{bucket}/told-gone.csv": (1, 1), f"{bucket}/old.csv": (0, 0)}, counts


@pytest.mark.parametrize("versions", [False, True])
def test_what_versitygw_did_not_tell_is_found(leat, s3, versions):
    source = f"gateway-{versions:d}"
    leat.ok("secret", "set", "uploads-token", stdin="hook-token")
    leat.apply(f"{{kind: source, name: {source}, provider: s3, secret: uploads-token}}\n", f"{source}.yaml")
    hook = f"{leat.hooks.replace('http://', 'http://leat:hook-token@')}/hooks/{source}"
    with service("versitygw", webhook=hook) as gateway:
        url = gateway.addresses()["VERSITYGW"]
        client = S3(url)
        client.make("gate", versions)
        declare(leat, source, "s3", "gate", url)
        told, silent = f"gate{versions:d}/told 1+.csv", f"gate{versions:d}/silent.csv"
        client.put("gate", told, b"1")
        told_once(leat, told, "created")
        leat.kill("leat-triggers", signo=signal.SIGSTOP)  # the hook does not answer: versitygw gives up on the notification
        try:
            client.put("gate", silent, b"2")
            client.delete("gate", told)
            time.sleep(1)
        finally:
            leat.kill("leat-triggers")
        told_once(leat, silent, "created")
        told_once(leat, told, "deleted")
        time.sleep(15)
        assert [len(events(leat, silent, "created")), len(events(leat, told, "created")), len(events(leat, told, "deleted"))] == [1, 1, 1]


# ---- topics ----------------------------------------------------------------------------------------

def offsets(leat, source):
    return {int(p): int(n) for p, n in leat.sql(f"SELECT partition, next FROM topic_offset WHERE source = '{source}'")}


def produce(broker, topic, *values, key=""):
    subprocess.run(["kcat", "-b", broker, "-P", "-t", topic, "-k", key], input="\n".join(values).encode(), check=True, timeout=60)


def test_topics_are_sources(leat):
    """MinIO tells by its webhook and by its own Kafka topic: one event; then the triggers die in between, the broker goes away."""
    leat.ok("secret", "set", "uploads-token", stdin="hook-token")
    with service("kafka", auto_create="1") as kafka:
        broker = kafka.addresses()["KAFKA"]
        with service("minio", webhook=f"{leat.hooks}/hooks/queued", token="hook-token", kafka=broker, topic="minio-events") as other:
            client = S3(other.addresses()["MINIO"])
            client.make("queued")
            client.notify("queued", "webhook", "kafka")
            leat.apply("{kind: source, name: queued, provider: minio, secret: uploads-token, topic: minio-events, "
                       f"brokers: '{broker}'}}\n", "queued.yaml")
            leat.apply(PIPELINE.format(name="from-topic", bucket="queued"), "from-topic.yaml")
            for key in ODD:
                client.put("queued", f"both/{key}", b"1")
            until(lambda: sum(offsets(leat, "queued").values()) == len(ODD), 60, what="the offsets of five records")
            for key in ODD:
                event, = until(lambda key=key: events(leat, f"both/{key}"), what=f"an event of {key}")
                run, = leat.event_runs(event["id"])
                assert leat.wait_run(run)["state"] == "succeeded"
            # By the topic alone, and the process dies after the event left, before the offset is kept.
            client.notify("queued", "kafka")
            leat.arm("delivery-report-after:1:kill")
            client.put("queued", "once.csv", b"2")
            until(lambda: leat.struck("delivery-report-after"), what="the triggers die")
            until(lambda: sum(offsets(leat, "queued").values()) == len(ODD) + 1, 60, what="the offset after it")
            event, = until(lambda: events(leat, "once.csv"), what="its event")
            run, = leat.event_runs(event["id"])
            leat.wait_run(run)
            assert len(events(leat, "once.csv")) == 1
        # Any JSON, and what is none.
        leat.apply(f"{{kind: source, name: any, provider: kafka, topic: things, type: dev.example.thing, brokers: '{broker}'}}\n", "any.yaml")
        leat.apply("name: things\non: {event: {type: dev.example.thing, filter: 'event.data.n > 1'}}\nsteps: {one: {command: ['true']}}\n", "things.yaml")
        produce(broker, "things", '{"n":1}', "no json", '{"n":2}', key="k")
        until(lambda: sum(offsets(leat, "any").values()) == 3, 60, what="three records")
        found = until(lambda: len(events(leat, "k")) == 2 and events(leat, "k"), what="two events")
        assert sorted(len(leat.event_runs(e["id"])) for e in found) == [0, 1]
        kafka.kill()
        time.sleep(2)
        kafka.up()
        produce(broker, "things", '{"n":3}', key="k")
        until(lambda: sum(offsets(leat, "any").values()) == 4, 60, what="the record after the outage")
