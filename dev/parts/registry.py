"""An image registry (Debian's docker-registry) without TLS, on loopback. Setting `login`: USER:PASSWORD, without which
it then gives and takes nothing. Setting `token`: REALM ISSUER CERTIFICATE, whose tokens it then wants instead."""
import http.client
import warnings

from .base import BasePart, PartError

CONFIG = """version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: "{folder}/data"}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
AUTH = """auth: {{htpasswd: {{realm: leat, path: "{folder}/htpasswd"}}}}
"""
TOKEN = """auth: {{token: {{realm: "{realm}", service: leat, issuer: "{issuer}", rootcertbundle: "{certificate}"}}}}
"""


def bcrypt(password):
    """The only hash that the registry takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import crypt
        return crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))


class Part(BasePart):
    name, about = "registry", "docker-registry 2.8"
    ports = ("registry",)
    defaults = {"login": "", "token": ""}

    def addresses(self):
        return {"REGISTRY": f"127.0.0.1:{self.port('registry')}"}

    def start(self):
        program = self.needs("docker-registry", "docker-registry")
        if '"' in str(self.folder):
            raise PartError(f"a quote in {self.folder}: choose another --dir")
        (self.folder / "registry.yml").write_text(self.config())
        process = self.spawn([program, "serve", self.folder / "registry.yml"])
        self.until(self.answers, process=process)

    def config(self):
        text = CONFIG.format(folder=self.folder, port=self.port("registry"))
        if self.settings["token"]:
            realm, issuer, certificate = self.settings["token"].split()
            return text + TOKEN.format(realm=realm, issuer=issuer, certificate=certificate)
        user, colon, password = self.settings["login"].partition(":")
        if not colon:
            return text
        (self.folder / "htpasswd").write_text(f"{user}:{bcrypt(password)}\n")
        return text + AUTH.format(folder=self.folder)

    def answers(self):
        connection = http.client.HTTPConnection(self.addresses()["REGISTRY"], timeout=2)
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)
