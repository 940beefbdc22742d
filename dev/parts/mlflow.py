"""MLflow's tracking server and model registry. Settings:
  backend     its database (default: SQLite in its folder); postgresql://… works
  artifacts   where artifacts go (default: its folder); s3://BUCKET/… works with the two below
  s3, s3_user, s3_password   endpoint and keys for s3 artifacts"""
import os
import pathlib

from .base import BasePart, command, fetching, http_ok

REQUIREMENTS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "forecast" / "mlflow" / "requirements.txt"


class Part(BasePart):
    name, about = "mlflow", "MLflow 3.17"
    version = "3.17.2"
    ports = ("mlflow",)
    defaults = {"backend": "", "artifacts": "", "s3": "", "s3_user": "", "s3_password": ""}

    def get(self, target):
        command("/usr/bin/python3", "-m", "venv", target)
        fetching(target / "bin" / "pip", "install", "-q", "-r", REQUIREMENTS)
        # A venv knows its own place: it is moved into the cache after it was made.
        for script in (target / "bin").iterdir():
            if script.is_file() and not script.is_symlink():
                text = script.read_bytes()
                script.write_bytes(text.replace(str(target).encode(), str(self.cached).encode()))

    def addresses(self):
        return {"MLFLOW": f"http://127.0.0.1:{self.port('mlflow')}"}

    def start(self):
        chosen = self.settings
        backend = chosen["backend"] or f"sqlite:///{self.folder}/mlflow.db"
        backend = backend.replace("postgresql://", "postgresql+psycopg2://", 1)
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        if chosen["s3"]:
            environment |= {"MLFLOW_S3_ENDPOINT_URL": chosen["s3"], "AWS_ACCESS_KEY_ID": chosen["s3_user"],
                            "AWS_SECRET_ACCESS_KEY": chosen["s3_password"], "AWS_DEFAULT_REGION": "us-east-1"}
        process = self.spawn([self.cached / "bin" / "python", "-m", "mlflow", "server", "--host", "127.0.0.1",
                              "--port", self.port("mlflow"), "--backend-store-uri", backend,
                              "--artifacts-destination", chosen["artifacts"] or self.folder / "artifacts",
                              "--workers", "1"], env=environment, cwd=pathlib.Path("/"))
        self.until(lambda: http_ok(self.addresses()["MLFLOW"] + "/health"), process=process)
