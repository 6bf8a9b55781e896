"""What `make test-oldest` runs on is what client/pyproject.toml allows, and no newer."""

import re
import tomllib

import pytest

from tests.support.progress import ROOT


@pytest.mark.parametrize("package", ["grpcio", "protobuf"])
def test_the_oldest_is_the_oldest(package: str) -> None:
    """The locked version is the lower bound that a worker's installer reads."""
    project = tomllib.loads((ROOT / "client/pyproject.toml").read_text())["project"]
    (allowed,) = [one for one in project["dependencies"] if one.startswith(package)]
    lowest = re.findall(r">=([\d.]+)", allowed)[0]
    (locked,) = re.findall(
        rf"^{package}==([\d.]+)", (ROOT / "locks/client-oldest.txt").read_text(), re.MULTILINE
    )
    assert locked.removesuffix(".0") == lowest
