"""Generates docs/configuration.md from the settings classes: `python -m docs.generate_configuration`.

With --check it writes nothing and exits 1 if the page is out of date.
"""

import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import annotated_types
import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from batches.settings import DatabaseSettings
from batchprogress.cli.app import app as command_line
from process.settings import Settings
from reconciler.settings import ReconcilerSettings
from rpc.settings import ServerSettings
from services.gateway.settings import GatewaySettings
from services.job_status.settings import JobStatusSettings
from services.notifier.settings import NotifierSettings
from services.progress.settings import ProgressSettings

PAGE = Path(__file__).with_name("configuration.md")
INTRODUCTION = """\
<!-- Generated from the settings classes by `make configuration`. -->
# Configuration

Every setting is an environment variable. `--help` of each program prints its settings too. A program with
a wrong setting exits with code 78 and names the variable at fault, never its value. All durations are in
seconds.
"""
DISABLED = (
    "1 [switches reporting off](../clients/python/README.md#switch-reporting-off): reports are accepted and"
    " dropped, and no batch is created. The command line ignores it. Default 0."
)
SERVERS = (ProgressSettings, JobStatusSettings)
SECTIONS: tuple[tuple[str, str, type[Settings]], ...] = (
    ("Database", "Used by the server, the notifier, the reconciler and the migrations.", DatabaseSettings),
    ("Progress server", "`batchprogress-server` (`python -m services.progress`).", ProgressSettings),
    ("Job-status server", "`batchprogress-job-status` (`python -m services.job_status`).", JobStatusSettings),
    ("Gateway", "`batchprogress-gateway` (`python -m services.gateway`).", GatewaySettings),
    ("Notifier", "`batchprogress-notifier` (`python -m services.notifier`).", NotifierSettings),
    ("Reconciler", "`batchprogress-reconciler` (`python -m reconciler`).", ReconcilerSettings),
)
SAID_BY_THE_COLUMN = re.compile(r" Default: (?:none|off)\.$")
"""The end of a description that the column of defaults repeats; help texts have no such column."""
TYPES = {bool: "true or false", int: "integer", float: "number", Path: "file", str: "text", SecretStr: "text"}


def page() -> str:
    """Return the page."""
    sections = [
        _section(title, sentence, _own_fields(settings), [settings]) for title, sentence, settings in SECTIONS
    ]
    both = "Each server has these settings under its own prefix."
    sections.insert(1, _section("Both gRPC servers", both, _shared_fields(), SERVERS))
    return "\n".join([INTRODUCTION, *sections, _python_client(), _command_line()])


def _shared_fields() -> Mapping[str, FieldInfo]:
    """Return the fields that mean the same for both servers."""
    return {
        name: field
        for name, field in ServerSettings.model_fields.items()
        if all(one.model_fields[name].description == field.description for one in SERVERS)
    }


def _own_fields(settings: type[Settings]) -> Mapping[str, FieldInfo]:
    shared = _shared_fields() if settings in SERVERS else {}
    return {name: field for name, field in settings.model_fields.items() if name not in shared}


def _section(
    title: str, sentence: str, fields: Mapping[str, FieldInfo], classes: Sequence[type[Settings]]
) -> str:
    rows = []
    for name, field in fields.items():
        variables = "<br>".join(f"`{one.variable(name)}`" for one in classes)
        description = SAID_BY_THE_COLUMN.sub("", field.description or "")
        rows.append((variables, _default(field), _allowed(field), description))
    return _table(title, sentence, ("variable", "default", "allowed", "description"), rows)


def _default(field: FieldInfo) -> str:
    """Return the default as a user would write it into the environment."""
    value = field.default
    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value == "":
        return "empty"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    return f"`{value:.0f}`" if isinstance(value, float) and value.is_integer() else f"`{value}`"


def _allowed(field: FieldInfo) -> str:
    """Return the type and the limits."""
    kinds = [one for one in _alternatives(field.annotation) if one is not types.NoneType]
    names = ", ".join(_type_name(kind) for kind in kinds)
    return ", ".join([names, *_limits(field)])


def _alternatives(annotation: object) -> tuple[object, ...]:
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return typing.get_args(annotation)
    return (annotation,)


def _type_name(kind: object) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(kind))
    if typing.get_origin(kind) is typing.Annotated:  # FilePath
        kind = typing.get_args(kind)[0]
    return TYPES[kind] if isinstance(kind, type) and kind in TYPES else str(kind)


def _limits(field: FieldInfo) -> Iterator[str]:
    for limit in field.metadata:
        match limit:
            case annotated_types.Ge(ge=number):
                yield f"≥ {number:,}"
            case annotated_types.Gt(gt=number):
                yield f"> {number:,}"
            case annotated_types.Le(le=number):
                yield f"≤ {number:,}"


def _python_client() -> str:
    """Return the section about the settings of the package that workers install."""
    rows = [("`BATCHPROGRESS_DISABLED`", "`0`", "1 or 0", DISABLED)]
    titles = ("variable", "default", "allowed", "description")
    return _table("Python client", "`batchprogress`, in workers and programs that enqueue.", titles, rows)


def _command_line() -> str:
    """Return the section about the settings of the client's command line."""
    group = typing.cast("typing.Any", typer.main.get_command(command_line))
    options = {
        option.envvar: option
        for command in (group, *group.commands.values())
        for option in command.params
        if getattr(option, "envvar", None)
    }
    rows = [
        (f"`{variable}`", f"`{one.opts[0]}`", f"`{one.default}`" if one.default else "not set", one.help)
        for variable, one in options.items()
    ]
    sentence = "`batchprogress`, from the extra `cli` of the client. An option overrides its variable."
    return _table("Command line", sentence, ("variable", "option", "default", "description"), rows)


def _table(title: str, sentence: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [titles, ["---"] * len(titles), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in cells)
    return f"## {title}\n\n{sentence}\n\n{lines}\n"


def main(
    *, check: Annotated[bool, typer.Option(help="Write nothing; exit 1 if the page is old.")] = False
) -> None:
    """Write docs/configuration.md."""
    if not check:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        sys.stderr.write("docs/configuration.md is out of date: run `make configuration`\n")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
