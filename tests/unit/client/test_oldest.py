"""`make test-oldest` runs on the oldest versions that clients/python/pyproject.toml allows."""

import re
import tomllib

import pytest

from tests.support.progress import ROOT


@pytest.mark.parametrize("package", ["grpcio", "protobuf"])
def test_the_locked_version_is_the_lower_bound(package: str) -> None:
    """A newer one would not prove that the lower bound works."""
    project = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]
    (allowed,) = [one for one in project["dependencies"] if one.startswith(package)]
    lowest = re.findall(r">=([\d.]+)", allowed)[0]
    (locked,) = re.findall(
        rf"^{package}==([\d.]+)", (ROOT / "locks/client-oldest.txt").read_text(), re.MULTILINE
    )
    assert locked.removesuffix(".0") == lowest
