"""The version of the servers and their tools."""

import importlib
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from process.version import VERSION

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROGRAMS = [
    *(script.partition(":")[0] for script in PROJECT["scripts"].values()),
    "services.job_status.conformance.__main__",
]


def test_version_is_that_of_the_project() -> None:
    assert PROJECT["version"] == VERSION


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_prints_its_version(program: str) -> None:
    """It needs no other argument and no setting."""
    result = CliRunner().invoke(importlib.import_module(program).app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"batchprogress-server {VERSION}\n")
