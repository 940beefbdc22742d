"""MinIO, one drive, with its notifications. Settings:
  webhook, token   URL (and bearer token) that gets events, ARN arn:minio:sqs::LEAT:webhook
  kafka, topic     broker and topic that get events, ARN arn:minio:sqs::LEAT:kafka
  queue            1 = events are stored first and survive an outage of their receiver (up to 3 s later)
MinIO is AGPL-3: it is run beside Leat, never linked or shipped."""
import os

from .base import BasePart, go_install, http_ok

MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"


class Part(BasePart):
    name, about = "minio", "MinIO 2026-02-12, an S3 store with bucket notifications"
    version = "20260212201848"
    ports = ("minio",)
    defaults = {"user": "leat", "password": "leat-secret", "webhook": "", "token": "", "kafka": "",
                "topic": "minio-events", "queue": ""}

    def get(self, target):
        go_install(target, MODULE, "minio")

    def addresses(self):
        return {"MINIO": f"http://127.0.0.1:{self.port('minio')}", "MINIO_USER": self.settings["user"],
                "MINIO_PASSWORD": self.settings["password"]}

    def environment(self):
        chosen = self.settings
        made = {"MINIO_ROOT_USER": chosen["user"], "MINIO_ROOT_PASSWORD": chosen["password"],
                "MINIO_DOMAIN": "localhost",  # BUCKET.localhost is the bucket too, beside localhost/BUCKET
                "MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "MINIO_CI_CD": "1"}
        if chosen["webhook"]:
            made |= {"MINIO_NOTIFY_WEBHOOK_ENABLE_LEAT": "on", "MINIO_NOTIFY_WEBHOOK_ENDPOINT_LEAT": chosen["webhook"],
                     "MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_LEAT": chosen["token"]}
        if chosen["kafka"]:
            made |= {"MINIO_NOTIFY_KAFKA_ENABLE_LEAT": "on", "MINIO_NOTIFY_KAFKA_BROKERS_LEAT": chosen["kafka"],
                     "MINIO_NOTIFY_KAFKA_TOPIC_LEAT": chosen["topic"]}
        if chosen["queue"]:
            for kind in ("WEBHOOK", "KAFKA"):
                made[f"MINIO_NOTIFY_{kind}_QUEUE_DIR_LEAT"] = str(self.folder / f"queue-{kind.lower()}")
        return {**os.environ, **made}

    def start(self):
        (self.folder / "data").mkdir(exist_ok=True)
        process = self.spawn([self.cached / "minio", "server", "--address", f"127.0.0.1:{self.port('minio')}",
                              self.folder / "data"], env=self.environment())
        self.until(lambda: http_ok(self.addresses()["MINIO"] + "/minio/health/ready"), process=process)
