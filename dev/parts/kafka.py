"""Apache Kafka, KRaft nodes (each broker and controller), Java 17. Settings:
  heap          MB, of each
  brokers       how many nodes: one cluster of 1 or 3
  host          the address that they listen on and go by
  compiler      quick = as for tests; full = as for measuring
  auto_create   1 = a topic is made when somebody first writes to it (as the usual container image does)
  secure        1 = a second listener, TLS with SASL: user leat, password leat-secret, by PLAIN and by SCRAM-SHA-512"""
import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from .base import BasePart, PartError, command, fetching, start_time

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
    "process.roles": "broker,controller",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "num.network.threads": 2, "num.io.threads": 4, "background.threads": 4,
    "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1, "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    # A broker that was killed is let in again when its session is over, not before: 9 s by default.
    "broker.session.timeout.ms": 5000, "broker.heartbeat.interval.ms": 1000,
    "log.cleaner.dedupe.buffer.size": 16777216, "log.cleaner.threads": 1,
}


USER, PASSWORD = "leat", "leat-secret"  # of tests, on loopback
JAAS = "org.apache.kafka.common.security"


def new_id():
    """As Kafka writes a UUID; one that begins with a dash would be taken for an option."""
    return "A" + base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")[1:]


class Part(BasePart):
    name, about = "kafka", "Apache Kafka 4.1.1, one node or a cluster of three"
    broker = "4.1.1"
    version = f"{broker}-2"  # 2: with class data
    ports = tuple(f"{port}{n}" for n in ("", "_2", "_3") for port in ("kafka", "controller", "secure"))
    defaults = {"heap": "256", "brokers": "1", "host": "127.0.0.1", "compiler": "quick", "auto_create": "", "secure": ""}
    stop_seconds = 30
    first = None  # of a first start: where its class data go

    def __init__(self, folder, settings):
        super().__init__(folder, settings)
        if settings.get("brokers", "1") not in ("1", "3"):
            raise PartError(f"kafka: brokers: 1 or 3, not {settings['brokers']}")

    def get(self, target):
        self.needs("mvn", "maven")
        (target / "pom.xml").write_text(POM.format(version=self.broker))
        fetching("mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={target}/libs",
                "-DincludeScope=runtime", cwd=target)

    def fetch(self):
        super().fetch()
        if not (self.cached / "classes.jsa").exists():
            with self.alone():
                if not (self.cached / "classes.jsa").exists():
                    self.begin_once()

    def begin_once(self):
        """A first start leaves the classes as they lie in memory, so that each later one takes 2 s instead of 4. They are
        bound to where the jars are, so this is not for get()."""
        half = self.cached / "half.jsa"
        half.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            first = Part(folder, {"heap": "128"})
            first.first, first.stop_seconds, first.records = half, 600, []
            try:
                first.keep_settings()
                first.start()
                first.down()
            finally:
                first.kill()
        if not half.exists():
            raise PartError("kafka: the first start left no class data")
        half.rename(self.cached / "classes.jsa")

    def formatted(self):
        """A formatted folder, made once a machine: the tool takes a second and more."""
        made = self.cached / ("formatted-secure" if self.settings["secure"] else "formatted")
        if not made.exists():
            with self.alone(".formatted"):
                if not made.exists():
                    self.format_once(made)
        return made

    def format_once(self, made):
        half = made.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        users = ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"] if self.settings["secure"] else []
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "format.properties"
            config.write_text("".join(f"{k}={v}\n" for k, v in {**self.properties(1), "log.dirs": half}.items()))
            command(*self.java("-Xmx128m"), "kafka.tools.StorageTool", "format", "-t", new_id(), "-c", config, *users)
        half.rename(made)

    # ---- one node or three ----------------------------------------------------------------------

    @property
    def nodes(self):
        return range(1, int(self.settings["brokers"]) + 1)

    def port_of(self, port, node):
        return self.port(port if node == 1 else f"{port}_{node}")

    def listed(self, port):
        return ",".join(f"{self.settings['host']}:{self.port_of(port, node)}" for node in self.nodes)

    def data(self, node):
        return self.folder / ("data" if node == 1 else f"data-{node}")

    def properties_file(self, node):
        return self.folder / ("server.properties" if node == 1 else f"server-{node}.properties")

    def addresses(self):
        more = {"KAFKA_SECURE": self.listed("secure"), "KAFKA_CA": self.folder / "ca.pem"}
        return {"KAFKA": self.listed("kafka"), **(more if self.settings["secure"] else {})}

    # ---- how it is started ------------------------------------------------------------------------

    def java(self, *more):
        jars = ":".join(sorted(str(j) for j in (self.cached / "libs").glob("*.jar")))
        return [self.needs("java", "default-jre-headless"), "-XX:+UseSerialGC", *more, "-cp", jars,
                f"-Dlog4j2.configurationFile={self.folder}/log4j2.yaml"]

    def how(self):
        quick = ["-XX:TieredStopAtLevel=1"] if self.settings["compiler"] == "quick" else []
        return [*quick, f"-XX:ArchiveClassesAtExit={self.first}" if self.first
                else f"-XX:SharedArchiveFile={self.cached}/classes.jsa"]

    def properties(self, node):
        host = self.settings["host"]
        listeners = f"PLAINTEXT://{host}:{self.port_of('kafka', node)}"
        voters = ",".join(f"{n}@{host}:{self.port_of('controller', n)}" for n in self.nodes)
        made = {**PROPERTIES, "node.id": node, "controller.quorum.voters": voters,
                "listeners": f"{listeners},CONTROLLER://{host}:{self.port_of('controller', node)}",
                "advertised.listeners": listeners, "log.dirs": self.data(node),
                "auto.create.topics.enable": "true" if self.settings["auto_create"] else "false"}
        return made | (self.secure(made, node) if self.settings["secure"] else {})

    def make(self):
        (self.folder / "log4j2.yaml").write_text(LOGGING)
        if self.settings["secure"]:
            self.make_keys()
        for node in self.nodes:
            self.properties_file(node).write_text("".join(f"{k}={v}\n" for k, v in self.properties(node).items()))
            if not (self.data(node) / "meta.properties").exists():
                self.format(node)

    def format(self, node):
        """A copy with ids of its own."""
        source, target = self.formatted() if node == 1 else self.data(1), self.data(node)
        target.mkdir(exist_ok=True)
        shutil.copy(source / "bootstrap.checkpoint", target / "bootstrap.checkpoint")
        ids = dict(line.split("=", 1) for line in (source / "meta.properties").read_text().splitlines() if "=" in line)
        ids |= {"node.id": node, "directory.id": new_id()} | ({"cluster.id": new_id()} if node == 1 else {})
        half = target / "meta.half"
        half.write_text("".join(f"{key}={value}\n" for key, value in ids.items()))
        half.rename(target / "meta.properties")

    def make_keys(self):
        """A key of the brokers' own, vouched for by itself."""
        store, key, certificate = (self.folder / name for name in ("keys.p12", "key.pem", "ca.pem"))
        if store.exists():
            return
        self.needs("openssl", "openssl")
        command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "30",
                "-subj", "/CN=broker", "-addext", f"subjectAltName=IP:127.0.0.1,IP:{self.settings['host']},DNS:localhost",
                "-keyout", key, "-out", certificate)
        command("openssl", "pkcs12", "-export", "-name", "broker", "-inkey", key, "-in", certificate, "-passout", f"pass:{PASSWORD}",
                "-out", store)

    def secure(self, properties, node):
        listener, here = "listener.name.secure.", f"SECURE://{self.settings['host']}:{self.port_of('secure', node)}"
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

    # ---- life ---------------------------------------------------------------------------------------

    def alive(self, node):
        records = self.recorded()
        return node <= len(records) and start_time(records[node - 1]["pid"]) == records[node - 1]["start"]

    def whole(self):
        return all(self.alive(node) for node in self.nodes)

    def start(self):
        """Those that do not run."""
        self.make()
        self.records = self.recorded() if self.running() else []
        heap, begun = self.settings["heap"], {}
        for node in self.nodes:
            if not self.alive(node):
                begun[node] = self.spawn_at(node - 1, [*self.java(f"-Xms{heap}m", f"-Xmx{heap}m", *self.how()), "kafka.Kafka",
                                                       self.properties_file(node)])
        for node, process in begun.items():
            self.until(lambda node=node: self.answers(node), process=process)
        if len(self.nodes) > 1:
            self.needs("kcat", "kcat")
            self.until(self.all_known)

    def answers(self, node):
        """ApiVersions, version 0: the smallest question that only a broker that serves answers."""
        question = b"\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"
        with socket.create_connection((self.settings["host"], self.port_of("kafka", node)), timeout=2) as s:
            s.sendall(len(question).to_bytes(4, "big") + question)
            s.settimeout(2)
            return len(s.recv(8)) >= 4

    def metadata(self):
        """What a broker that answers says of all of them and of the topics (kcat's JSON); None when none does."""
        done = subprocess.run(["kcat", "-b", self.listed("kafka"), "-L", "-J", "-m", "5"], capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def all_known(self):
        seen = self.metadata()
        return seen is not None and len(seen["brokers"]) == len(self.nodes)

    def kill_node(self, node):
        """One of them, as a power cut of its machine; `up` starts it again."""
        os.kill(self.recorded()[node - 1]["pid"], signal.SIGKILL)
        self.until(lambda: not self.alive(node))
