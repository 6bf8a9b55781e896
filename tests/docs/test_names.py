"""What the pages call metrics and options are metrics and options."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from batches.__main__ import app as batches
from batchprogress.cli.app import app as command_line
from reconciler.__main__ import app as reconciler
from rpc.new_token import app as new_token
from tests.docs.markdown import ROOT

PAGES = sorted(
    page
    for folder in ("docs", "k8s", "deploy", "clients")
    for page in (ROOT / folder).glob("**/*.md")
    if "node_modules" not in page.parts
)
CODE = ("batches", "process", "reconciler", "rpc", "services")
METRIC = re.compile(r"\bbatchprogress_([a-z]+(?:_[a-z]+)+)")
QUOTED = re.compile(r'"([a-z]+(?:_[a-z]+)+)"')
SUFFIX = re.compile(r"_(?:total|count|sum|bucket)$")
OPTION = re.compile(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*")
MODULES = r"(?:reconciler|batches|rpc\.new_token)"
COMMAND = re.compile(
    rf"(?:^|`|/bin/|[$|&] )(?:batchprogress(?:-reconciler)?|python -m {MODULES}) [^`\n|#;]*", re.MULTILINE
)
"""A command of ours: at the beginning of a line or of a code span, or behind a prompt, a pipe or a folder."""
OF_HELP = {"--help"}


@cache
def strings() -> set[str]:
    """Return the texts in the code that may be the name of a metric, without what is before and after it."""
    files = (file for folder in CODE for file in (ROOT / folder).rglob("*.py"))
    found = (text for file in files for text in QUOTED.findall(file.read_text(encoding="utf-8")))
    return {SUFFIX.sub("", text.removeprefix("batchprogress_")) for text in found}


def _commands(command: Any) -> Iterator[Any]:
    yield command
    for one in getattr(command, "commands", {}).values():
        yield from _commands(one)


@cache
def options() -> set[str]:
    """Return the options of all our commands."""
    apps = (command_line, reconciler, batches, new_token)
    parameters = (
        parameter
        for app in apps
        for command in _commands(typer.main.get_command(app))
        for parameter in command.params
    )
    return OF_HELP | {option for one in parameters for option in (*one.opts, *one.secondary_opts)}


by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@by_page
def test_metrics_that_a_page_names_exist(page: Path) -> None:
    named = {SUFFIX.sub("", name) for name in METRIC.findall(page.read_text(encoding="utf-8"))}
    assert named - strings() == set()


@by_page
def test_options_of_our_commands_exist(page: Path) -> None:
    commands = COMMAND.findall(page.read_text(encoding="utf-8"))
    named = {option for command in commands for option in OPTION.findall(command)}
    assert named - options() == set()
