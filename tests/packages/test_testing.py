"""A user's own tests in an environment that has batchprogress[testing] alone, with the text of the README."""

from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, blocks
from tests.packages.environment import Environment, wheel

README = ROOT / "clients/python/README.md"
PROGRAM = """
from batchprogress import Client, Reporter


def run_import(target):
    with Client(target) as client:
        client.create("import", 3)
    with Reporter(target, "import") as reporter:
        for row in "abc":
            reporter.succeeded(row)


"""


@pytest.fixture
def testing(packages: Path, tmp_path: Path) -> Environment:
    """Return an environment with the extra `testing`."""
    return Environment(tmp_path, wheel(packages, "batchprogress", "[testing]"))


def test_the_tests_in_the_readme_pass(testing: Environment) -> None:
    """With the context manager, and with the fixture of the plugin."""
    python = [one.text for one in blocks(README) if one.language == "python"]
    (plugin,) = (text for text in python if "pytest_plugins" in text)
    with_context, with_fixture = (text for text in python if "def test_the_import" in text)
    (testing.work / "conftest.py").write_text(plugin, encoding="utf-8")
    (testing.work / "test_context.py").write_text(PROGRAM + with_context, encoding="utf-8")
    (testing.work / "test_fixture.py").write_text(PROGRAM + with_fixture, encoding="utf-8")
    assert "2 passed" in testing.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
