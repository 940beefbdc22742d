"""The production topology on one machine without containers for the services: Postgres, Kafka, MinIO with its
notifications, MLflow on both, a registry, a Docker engine, and Leat's daemons. The same wiring as docker-compose.yml."""
import os
import pathlib
import secrets
import subprocess
import tempfile

from . import images, part
from .base import PartError, command
from .leat import Part as Leat

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORDER = ("postgres", "kafka", "minio", "registry", "docker", "mlflow")
DATABASES = ("leat", "mlflow")
STORE, MODELS, DATA = BUCKETS = ("leat", "mlflow", "forecast-example")
TOPIC = "minio-events"
NOTIFY = """<NotificationConfiguration><QueueConfiguration><Id>kafka</Id><Queue>arn:minio:sqs::LEAT:kafka</Queue>
<Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event>
<Filter><S3Key><FilterRule><Name>suffix</Name><Value>.csv</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>"""
SOURCE = """kind: source
name: uploads
provider: minio
secret: uploads-token
bucket: {bucket}
suffix: .csv
endpoint: {endpoint}
credentials: minio-keys
topic: {topic}
brokers: {brokers}
"""


class Production:
    def __init__(self, folder, build="release", say=lambda text: None):
        self.folder, self.say = pathlib.Path(folder), say
        self.build = build
        self.containers = os.geteuid() == 0  # a Docker engine of our own needs root
        self.services = [name for name in ORDER if name != "docker" or self.containers]

    def part(self, name, **settings):
        return part(name, self.folder, settings)

    @property
    def leat(self):
        return Leat(self.folder, {})

    # ---- secrets and addresses, made once -----------------------------------------------------------

    def kept(self, name, make):
        file = self.folder / name
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(str(make()))
        return file.read_text()

    def up(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        password = self.kept("minio-password", lambda: secrets.token_hex(16))
        token = self.kept("uploads-token", lambda: secrets.token_hex(16))
        at = {}
        self.start(at, "postgres")
        for name in DATABASES:
            self.make_database(at, name)
        self.start(at, "kafka", auto_create="1")
        self.start(at, "minio", user="leat", password=password, kafka=at["KAFKA"], topic=TOPIC, queue="1")
        for bucket in BUCKETS:
            self.s3("-X", "PUT", f"{at['MINIO']}/{bucket}", missing_ok=True)
        self.notify(at)
        self.start(at, "registry")
        if self.containers:
            self.start(at, "docker")
        self.start(at, "mlflow", backend=at["POSTGRES"].rpartition("/")[0] + "/mlflow", artifacts=f"s3://{MODELS}",
                   s3=at["MINIO"], s3_user="leat", s3_password=password)
        self.say("Leat's daemons")
        at |= Leat(self.folder, {"build": self.build, "database": at["POSTGRES"].rpartition("/")[0] + "/leat",
                                 "kafka": at["KAFKA"], "s3": at["MINIO"], "s3_user": "leat", "s3_password": password,
                                 "bucket": STORE, "docker": at.get("DOCKER_HOST", "")}).up()
        self.leat.command("secret", "set", "uploads-token", stdin=token)
        self.leat.command("secret", "set", "minio-keys", stdin=f"leat:{password}")
        self.apply(SOURCE.format(bucket=DATA, endpoint=at["MINIO"], topic=TOPIC, brokers=at["KAFKA"]), "source.yaml")
        return at

    def start(self, at, name, **settings):
        self.say(name)
        at |= self.part(name, **settings).up()

    def apply(self, text, name):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / name
            file.write_text(text)
            return self.leat.command("apply", file)

    def make_database(self, at, name):
        exists = command("psql", at["POSTGRES"], "-XAtc", f"select 1 from pg_database where datname = '{name}'").strip()
        if not exists:
            command("psql", at["POSTGRES"], "-XAqc", f"create database {name}")

    # ---- S3 by curl, which shares no code with Leat ---------------------------------------------------

    def s3(self, *argv, missing_ok=False):
        """The body of a signed request; keys go through a file, not through argv."""
        password = self.kept("minio-password", lambda: "")
        config = self.folder / "curl.conf"
        config.touch(mode=0o600)
        config.write_text(f'user = "leat:{password}"\n')
        done = subprocess.run(["curl", "-sS", "--fail-with-body", "--config", config, "--aws-sigv4", "aws:amz:us-east-1:s3",
                               *map(str, argv)], capture_output=True, text=True, timeout=120)
        if done.returncode != 0 and not (missing_ok and "BucketAlreadyOwnedByYou" in done.stdout):
            raise PartError(f"S3: {' '.join(map(str, argv))}: {done.stdout}{done.stderr}")
        return done.stdout

    def notify(self, at):
        file = self.folder / "notify.xml"
        file.write_text(NOTIFY)
        self.s3("-T", file, f"{at['MINIO']}/{DATA}?notification=")

    # ---- the forecast example ----------------------------------------------------------------------------

    def forecast(self, tag="latest"):
        """Builds and pushes the images, applies the pipeline with this site's addresses. {image: digest}."""
        at = {**self.part("registry").addresses(), **self.part("mlflow").addresses()}
        made = {}
        if self.containers:
            self.say("the forecast's images")
            engine = images.Engine(self.part("docker").addresses()["DOCKER_HOST"])
            made = images.forecast(engine, at["REGISTRY"], tag, push=True)
        self.apply(images.forecast_pipeline(at["MLFLOW"], at["REGISTRY"], tag), "pipeline.yaml")
        return made

    def down(self):
        for each in self.parts():
            each.down()

    def remove(self):
        for each in self.parts():
            each.remove()
        for name in ("minio-password", "uploads-token", "curl.conf", "notify.xml"):
            (self.folder / name).unlink(missing_ok=True)

    def parts(self):
        """Leat first, then what it stands on."""
        return [self.leat, *(self.part(name) for name in reversed(self.services))]
