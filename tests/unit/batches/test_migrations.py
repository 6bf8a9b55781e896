"""What every migration must satisfy, so that old and new servers can run side by side."""

import ast
import inspect

import pytest
from alembic.script import Script

from batches.migrations import migrate, programs, scripts

MIGRATIONS = sorted(scripts.all_scripts(), key=lambda script: script.revision)

ADDITIVE = {"create_table", "create_index", "add_column", "get_bind", "execute"}
"""Operations that older programs tolerate; `execute` fills a new column, and a reviewer checks it."""


@pytest.fixture(params=MIGRATIONS, ids=lambda script: script.revision)
def script(request: pytest.FixtureRequest) -> Script:
    """Return each migration."""
    migration: Script = request.param
    return migration


def test_versions_are_consecutive_numbers() -> None:
    """Versions have four digits, so that programs can compare them."""
    assert [one.revision for one in MIGRATIONS] == [f"{number + 1:04}" for number in range(len(MIGRATIONS))]
    befores = [None, *(one.revision for one in MIGRATIONS[:-1])]
    assert [one.down_revision for one in MIGRATIONS] == befores


def test_file_names_begin_with_the_version() -> None:
    """The newest version is read from the file names, without loading the migrations."""
    assert migrate.head_version() == MIGRATIONS[-1].revision


def test_every_migration_names_its_oldest_program(script: Script) -> None:
    """The oldest program that runs on a schema is not newer than the schema."""
    assert "0001" <= scripts.oldest_program(script) <= script.revision


def test_a_migration_that_old_programs_run_on_only_adds(script: Script) -> None:
    """It neither drops nor changes anything."""
    if scripts.oldest_program(script) == script.revision:
        return
    assert _operations(script) <= ADDITIVE


def test_operations_in_called_functions_are_found() -> None:
    """The search also finds the operations of functions that a migration calls."""
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
def test_a_program_runs_on_a_newer_schema_that_allows_it(
    program: str, oldest: str | None, *, expected: bool
) -> None:
    """The schema must name this program or an older one."""
    assert programs.runs_on(program, oldest) is expected


def _operations(script: Script) -> set[str]:
    """Return the names of alembic's operations in a migration, except those of its downgrade."""
    return {
        node.attr
        for part in ast.parse(inspect.getsource(script.module)).body
        if not (isinstance(part, ast.FunctionDef) and part.name == "downgrade")
        for node in ast.walk(part)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "op"
    }
