"""One file a part; `part(name, folder)` makes it."""
import importlib

from .base import PartError

PARTS = ("postgres", "kafka", "minio", "versitygw", "docker", "registry", "mlflow")


def part(name, folder, settings=None):
    """The part `name` with its data in folder/name."""
    return importlib.import_module(f"{__name__}.{name}").Part(folder, settings or {})


__all__ = ["PARTS", "PartError", "part"]
