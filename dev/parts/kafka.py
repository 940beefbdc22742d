"""Apache Kafka, one KRaft node (broker and controller), Java 17. Settings:
  heap          MB
  auto_create   1 = a topic is made when somebody first writes to it (as the usual container image does)
  secure        1 = a second listener, TLS with SASL: user leat, password leat-secret, by PLAIN and by SCRAM-SHA-512"""
import base64
import os
import socket

from .base import BasePart, command

POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>leat</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
</dependencies></project>
"""
LOGGING = """Configuration:
  status: WARN
  Appenders: {Console: {name: out, PatternLayout: {pattern: "%d %p %c: %m%n"}}}
  Loggers: {Root: {level: WARN, AppenderRef: {ref: out}}}
"""
PROPERTIES = {
    "process.roles": "broker,controller", "node.id": 1,
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "num.network.threads": 2, "num.io.threads": 4, "background.threads": 4,
    "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1, "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "log.cleaner.dedupe.buffer.size": 16777216, "log.cleaner.threads": 1,
}


USER, PASSWORD = "leat", "leat-secret"  # of tests, on loopback
JAAS = "org.apache.kafka.common.security"


class Part(BasePart):
    name, about = "kafka", "Apache Kafka 4.1.1, one node"
    version = "4.1.1"
    ports = ("kafka", "controller", "secure")
    defaults = {"heap": "256", "auto_create": "", "secure": ""}
    stop_seconds = 30

    def get(self, target):
        self.needs("mvn", "maven")
        (target / "pom.xml").write_text(POM.format(version=self.version))
        command("mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={target}/libs",
                "-DincludeScope=runtime", cwd=target)

    def addresses(self):
        more = {"KAFKA_SECURE": f"127.0.0.1:{self.port('secure')}", "KAFKA_CA": self.folder / "ca.pem"}
        return {"KAFKA": f"127.0.0.1:{self.port('kafka')}", **(more if self.settings["secure"] else {})}

    def java(self, *more):
        jars = ":".join(sorted(str(j) for j in (self.cached / "libs").glob("*.jar")))
        return [self.needs("java", "default-jre-headless"), "-XX:+UseSerialGC", *more, "-cp", jars,
                f"-Dlog4j2.configurationFile={self.folder}/log4j2.yaml"]

    def archive(self):
        """Class data of an earlier start: the next one takes 2 s instead of 4."""
        jsa = self.cached / "classes.jsa"
        return [f"-XX:SharedArchiveFile={jsa}"] if jsa.exists() else []

    def make(self):
        (self.folder / "log4j2.yaml").write_text(LOGGING)
        port, controller = self.port("kafka"), self.port("controller")
        listeners = f"PLAINTEXT://127.0.0.1:{port}"
        properties = {**PROPERTIES, "controller.quorum.voters": f"1@127.0.0.1:{controller}",
                      "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
                      "advertised.listeners": listeners, "log.dirs": self.folder / "data",
                      "auto.create.topics.enable": "true" if self.settings["auto_create"] else "false"}
        if self.settings["secure"]:
            self.make_keys()
            properties |= self.secure(properties)
        (self.folder / "server.properties").write_text(
            "".join(f"{key}={value}\n" for key, value in properties.items()))
        if not (self.folder / "data" / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
            users = ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"] if self.settings["secure"] else []
            command(*self.java("-Xmx128m"), "kafka.tools.StorageTool", "format", "-t", cluster,
                    "-c", self.folder / "server.properties", *users)

    def make_keys(self):
        """A key of the broker's own, vouched for by itself."""
        store = self.folder / "keys.p12"
        if store.exists():
            return
        same = ["-keystore", store, "-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", "broker"]
        command("keytool", "-genkeypair", *same, "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30",
                "-dname", "CN=broker", "-ext", "SAN=ip:127.0.0.1,dns:localhost")
        command("keytool", "-exportcert", "-rfc", *same, "-file", self.folder / "ca.pem")

    def secure(self, properties):
        listener, here = "listener.name.secure.", f"SECURE://127.0.0.1:{self.port('secure')}"
        return {
            "listeners": f"{properties['listeners']},{here}",
            "advertised.listeners": f"{properties['advertised.listeners']},{here}",
            "listener.security.protocol.map": f"{properties['listener.security.protocol.map']},SECURE:SASL_SSL",
            f"{listener}ssl.keystore.location": self.folder / "keys.p12", f"{listener}ssl.keystore.type": "PKCS12",
            f"{listener}ssl.keystore.password": PASSWORD, f"{listener}sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            f"{listener}plain.sasl.jaas.config":
                f'{JAAS}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
            f"{listener}scram-sha-512.sasl.jaas.config": f"{JAAS}.scram.ScramLoginModule required;",
        }

    def start(self):
        self.make()
        heap = self.settings["heap"]
        process = self.spawn([*self.java(f"-Xms{heap}m", f"-Xmx{heap}m", *self.archive()), "kafka.Kafka",
                              self.folder / "server.properties"])
        self.until(self.answers, 90, process)

    def answers(self):
        """ApiVersions, version 0: the smallest question that only a broker that serves answers."""
        question = b"\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"
        with socket.create_connection(("127.0.0.1", self.port("kafka")), timeout=2) as s:
            s.sendall(len(question).to_bytes(4, "big") + question)
            s.settimeout(2)
            return len(s.recv(8)) >= 4
