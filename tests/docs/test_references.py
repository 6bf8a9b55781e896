"""What the pages name exists: files, settings, commands, and what the alerts say."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from docs.generate_configuration import page as configuration
from tests.docs.markdown import ROOT, pages

HISTORY = ROOT / "CHANGELOG.md"
"""It names what was there."""
PAGES = [page for page in pages() if page != HISTORY]
SPAN = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.(?:py|toml|yaml|json|proto)|[\w-]+(?:/[\w-]+)*/")
PREFIXES = "PROGRESS|JOB_STATUS|GATEWAY|RECONCILER|BATCHES|BATCHPROGRESS"
SETTING = re.compile(rf"\b(?:{PREFIXES})_[A-Z][A-Z_]*[A-Z]\b")
TARGET = re.compile(r"^([a-z0-9-]+):", re.MULTILINE)
REASONS = {"GATEWAY_BUSY"}
"""Reasons of errors, which look like settings."""
LARAVEL = ROOT / "clients/laravel/config/batchprogress.php"
BUILT = {"dist/"}
"""What only a command creates."""


@cache
def files() -> list[str]:
    """Return the path of every file of the project, outside hidden folders, with a slash before it."""
    tops = (one for one in ROOT.iterdir() if not one.name.startswith("."))
    found = (path for top in tops for path in (top.rglob("*") if top.is_dir() else (top,)))
    return [f"/{path.relative_to(ROOT)}" for path in found if path.is_file()]


by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@by_page
def test_files_that_a_page_names_exist(page: Path) -> None:
    """A path in code style is a file or folder of the project."""
    spans = SPAN.findall(page.read_text(encoding="utf-8"))
    named = {one for one in spans if FILE.fullmatch(one)} - BUILT
    known = "\n".join(files())
    assert [one for one in sorted(named) if f"/{one}" not in known] == []


@by_page
def test_settings_that_a_page_names_exist(page: Path) -> None:
    """A variable with one of our prefixes is in docs/configuration.md, or one of our package for Laravel."""
    known = configuration() + LARAVEL.read_text(encoding="utf-8").replace("'", "`")
    named = set(SETTING.findall(page.read_text(encoding="utf-8"))) - REASONS
    assert [one for one in sorted(named) if f"`{one}`" not in known] == []


@by_page
def test_commands_that_a_page_names_exist(page: Path) -> None:
    """`make …` names a target, `python -m …` a module."""
    text = page.read_text(encoding="utf-8")
    targets = set(
        re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert set(re.findall(r"(?:`|^)make ([a-z][a-z0-9-]*)", text, re.MULTILINE)) - targets == set()
    modules = {one.rstrip(".") for one in re.findall(r"python -m ([a-z0-9_.]+)", text)}
    assert [one for one in sorted(modules) if find_spec(one) is None] == []


def test_the_quoted_alerts_say_what_the_rules_say() -> None:
    """Each heading of an alert is followed by its summary, with real values in place of the template's."""
    page = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    rules = yaml.safe_load((ROOT / "observability/alerts.yaml").read_text(encoding="utf-8"))["groups"][0][
        "rules"
    ]
    for rule in rules:
        section = page.split(f"## {rule['alert']}\n")[1].split("\n#")[0]
        (quoted,) = re.findall(r"^> (.+)$", section, re.MULTILINE)
        parts = re.split(r"\{\{.*?\}\}", rule["annotations"]["summary"])
        assert re.fullmatch(".+?".join(map(re.escape, parts)), quoted), rule["alert"]


def test_the_tests_that_catch_seeded_bugs_exist() -> None:
    """Each row of the table in docs/fault-tests.md names a test and its file."""
    text = (ROOT / "docs/fault-tests.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+)` \(([\w/]+\.py)\)", text)
    assert named
    for test, file in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), test
