"""The rules for the Containerfile, and how the manifests use it."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.k8s.layout import ROOT, Layout

USER_MIN = 10_000
"""Lower numbers may be users of a node, who must not own our processes by chance."""


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """Return the Containerfile's instructions as pairs of name and arguments."""
    text = (ROOT / "Containerfile").read_text()
    joined = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def test_base_image_has_a_version(instructions: list[tuple[str, str]]) -> None:
    """It is the default of an argument, the same for all stages, and never `latest`."""
    assert {rest.split()[0] for name, rest in instructions if name == "FROM"} == {"${PYTHON_IMAGE}"}
    assert ("ARG", "PYTHON_IMAGE=python:3.13-slim") in instructions


def test_user_is_a_number(instructions: list[tuple[str, str]], local: Layout) -> None:
    """Kubernetes can check only a number. The group owns the volume of the local overlay."""
    (user,) = (rest for name, rest in instructions if name == "USER")
    uid, gid = map(int, user.split(":"))
    assert min(uid, gid) >= USER_MIN
    groups = {pod.spec["securityContext"].get("fsGroup", gid) for pod in local.pods()}
    assert groups == {gid}


def test_entrypoint_is_not_a_shell(instructions: list[tuple[str, str]]) -> None:
    """Signals reach Python directly."""
    (entrypoint,) = (rest for name, rest in instructions if name == "ENTRYPOINT")
    assert json.loads(entrypoint) == ["python", "-m"]


def test_dependencies_are_locked_with_hashes(instructions: list[tuple[str, str]]) -> None:
    """The client is installed without dependencies."""
    dependencies, client = (rest for name, rest in instructions if "uv pip install" in rest)
    assert "pip install --no-cache-dir --require-hashes --requirement /build/locks/uv.txt" in dependencies
    assert "--require-hashes --no-build --requirements /build/locks/runtime.txt" in dependencies
    assert "--no-deps" in client


def test_every_imported_package_is_copied(instructions: list[tuple[str, str]]) -> None:
    copied = {source for source, target in _copies(instructions) if target.startswith("/app/")}
    ours = {folder.name for folder in ROOT.iterdir() if folder.is_dir()}
    imported = {name for source in copied for name in _imports(ROOT / source)}
    assert (imported & ours) - copied == set()


def test_containerignore_includes_only_what_is_copied(instructions: list[tuple[str, str]]) -> None:
    lines = (ROOT / ".containerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == {
        source for source, _ in _copies(instructions)
    }
    assert next(line for line in lines if not line.startswith("#")) == "*"


def test_image_contains_every_command_of_the_manifests(
    instructions: list[tuple[str, str]], layout: Layout
) -> None:
    copied = {source for source, _ in _copies(instructions)}
    assert {pod.container["args"][0].partition(".")[0] for pod in layout.pods()} <= copied


def _copies(instructions: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, rest in instructions:
        if name == "COPY" and not rest.startswith("--from"):
            source, target = rest.split()
            yield source, target


def _imports(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]
