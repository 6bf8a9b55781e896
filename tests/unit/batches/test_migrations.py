"""What every migration keeps, so that old and new servers can run side by side."""

import ast
import inspect

import pytest
from alembic.script import Script

from batches.migrations import migrate, programs

MIGRATIONS = sorted(migrate.all_versions(), key=lambda script: script.revision)

ADDITIVE = {"create_table", "create_index", "add_column", "get_bind", "execute"}
"""What programs that do not know of it survive; `execute` fills a new column and is read by a person."""


@pytest.fixture(params=MIGRATIONS, ids=lambda script: script.revision)
def script(request: pytest.FixtureRequest) -> Script:
    """Return each migration."""
    migration: Script = request.param
    return migration


def test_versions_are_numbers() -> None:
    """The versions are four digits and follow one another, so that programs can compare them."""
    assert [one.revision for one in MIGRATIONS] == [f"{number + 1:04}" for number in range(len(MIGRATIONS))]
    befores = [None, *(one.revision for one in MIGRATIONS[:-1])]
    assert [one.down_revision for one in MIGRATIONS] == befores


def test_oldest_program_is_known(script: Script) -> None:
    """Every migration names the oldest version whose programs run on its schema, not a later one."""
    assert "0001" <= programs.oldest_program(script) <= script.revision


def test_what_old_programs_survive_only_adds(script: Script) -> None:
    """A migration on whose schema the version before still runs drops and changes nothing."""
    if programs.oldest_program(script) == script.revision:
        return
    assert _operations(script) <= ADDITIVE


def test_a_change_would_be_seen() -> None:
    """The search is not blind: it finds what the first migration does, also in the functions it calls."""
    assert {"create_table", "create_index"} <= _operations(MIGRATIONS[0])


@pytest.mark.parametrize(
    ("program", "oldest", "expected"),
    [
        ("0002", "0002", True),
        ("0003", "0002", True),
        ("0010", "0009", True),
        ("0002", "0003", False),
        ("0002", None, False),
    ],
)
def test_runs_on(program: str, oldest: str | None, expected: bool) -> None:  # noqa: FBT001  # a table
    """A program runs on a newer schema that names it or an older one, and on none that says nothing."""
    assert programs.runs_on(program, oldest) is expected


def _operations(script: Script) -> set[str]:
    """Return the names of alembic's operations in all of a migration but its way back."""
    return {
        node.attr
        for part in ast.parse(inspect.getsource(script.module)).body
        if not (isinstance(part, ast.FunctionDef) and part.name == "downgrade")
        for node in ast.walk(part)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "op"
    }
