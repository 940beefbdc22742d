"""versitygw, a second S3 that differs from MinIO where a client can trip: it wants x-amz-content-sha256, sends keys
of events unencoded and eTags in quotes. Settings: host (its address), webhook (must answer when it starts), kafka, topic."""
import os
import socket

from .base import BasePart, go_install

MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"


class Part(BasePart):
    name, about = "versitygw", "versitygw 1.8.0, an S3 store over a folder"
    version = "1.8.0"
    ports = ("versitygw",)
    defaults = {"host": "127.0.0.1", "user": "leat", "password": "leat-secret", "webhook": "", "kafka": "", "topic": "versity-events"}

    def get(self, target):
        go_install(target, MODULE, "versitygw")

    def addresses(self):
        return {"VERSITYGW": f"http://{self.settings['host']}:{self.port('versitygw')}", "VERSITYGW_USER": self.settings["user"],
                "VERSITYGW_PASSWORD": self.settings["password"]}

    def start(self):
        chosen = self.settings
        for name in ("data", "versions"):
            (self.folder / name).mkdir(exist_ok=True)
        events = []
        if chosen["webhook"]:
            events = ["--event-webhook-url", chosen["webhook"]]
        elif chosen["kafka"]:
            events = ["--event-kafka-url", chosen["kafka"], "--event-kafka-topic", chosen["topic"]]
        process = self.spawn([self.cached / "versitygw", "--port", f"{chosen['host']}:{self.port('versitygw')}", *events,
                              "posix", "--versioning-dir", self.folder / "versions", self.folder / "data"],
                             env={**os.environ, "ROOT_ACCESS_KEY": chosen["user"],
                                  "ROOT_SECRET_KEY": chosen["password"]})
        self.until(self.answers, process=process)

    def answers(self):
        with socket.create_connection((self.settings["host"], self.port("versitygw")), timeout=1):
            return True
