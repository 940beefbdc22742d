import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from engine import engine  # noqa: E402
from leat import Leat  # noqa: E402

__all__ = ["engine", "leat"]


@pytest.fixture(scope="module")
def leat():
    """A running Leat that the tests of one file share."""
    instance = Leat()
    try:
        yield instance.up()
    finally:
        instance.remove()
