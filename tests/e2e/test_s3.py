"""S3 services as users have them: a real MinIO that tells of uploads by its webhook, a store in S3, outages."""
import contextlib
import pathlib
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
        event, = until(lambda: events(leat, name), 20, what=f"an event of {name}")
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
    until(lambda: events(leat, key), 20, what="the first")
    s3.put(bucket, key, b"one")  # the same bytes: another upload all the same
    until(lambda: len(events(leat, key)) == 2, 20, what="the second")
    s3.delete(bucket, key)
    gone, = until(lambda: events(leat, key, "deleted"), 20, what="its removal")
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
