"""The packages, built once, and an environment for each."""

from pathlib import Path

import pytest

from tests.packages.environment import Environment, build, wheel


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the packages."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def server(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment with the server, and the client that it needs."""
    requirements = (wheel(packages, "batchprogress_server"), wheel(packages, "batchprogress"))
    return Environment(tmp_path_factory.mktemp("server"), *requirements)


@pytest.fixture(scope="session")
def client(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment with the client and its command line."""
    return Environment(tmp_path_factory.mktemp("client"), wheel(packages, "batchprogress", "[cli]"))


@pytest.fixture(scope="session")
def worker(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment with the client alone, as a worker has it."""
    return Environment(tmp_path_factory.mktemp("worker"), wheel(packages, "batchprogress"))
