"""An image registry (Debian's docker-registry) without TLS, on loopback."""
from .base import BasePart, PartError, http_ok

CONFIG = """version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: "{folder}/data"}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


class Part(BasePart):
    name, about = "registry", "docker-registry 2.8"
    ports = ("registry",)

    def addresses(self):
        return {"REGISTRY": f"127.0.0.1:{self.port('registry')}"}

    def start(self):
        program = self.needs("docker-registry", "docker-registry")
        if '"' in str(self.folder):
            raise PartError(f"a quote in {self.folder}: choose another --dir")
        (self.folder / "registry.yml").write_text(CONFIG.format(folder=self.folder, port=self.port("registry")))
        process = self.spawn([program, "serve", self.folder / "registry.yml"])
        self.until(lambda: http_ok(f"http://{self.addresses()['REGISTRY']}/v2/"), 20, process)
