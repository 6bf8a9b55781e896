"""The examples in the docstrings of the public API, and what runs one of them."""

import ast
import asyncio
import doctest
import inspect
import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import is_dataclass
from enum import Enum
from types import FunctionType
from typing import Any

import batchprogress

HEADING = "Example:"
FOR_ITSELF = frozenset(
    {"after_fork_in_child", "after_fork_in_parent", "before_fork", "end", "end_cancelled", "forward"}
)
"""Methods without an underscore that only this package calls."""
TARGET = "progress:50051"
"""The address of the server in every example."""


def public_functions() -> Iterator[tuple[str, Any]]:
    """Yield what a user may call, with its name: functions, classes, and their methods."""
    for name in batchprogress.__all__:
        member = getattr(batchprogress, name)
        if inspect.isfunction(member):
            yield name, member
        elif inspect.isclass(member) and not _is_value(member):
            yield name, member
            yield from _methods(name, member)


def examples_of(member: Any) -> list[doctest.Example]:
    """Return the statements below the `Example:` heading of a docstring, with the output that is promised."""
    _, _, text = (inspect.getdoc(member) or "").partition(HEADING)
    return doctest.DocTestParser().get_examples(inspect.cleandoc(text))


def run(examples: list[doctest.Example], values: dict[str, Any], target: str) -> None:
    """Run statements in an event loop of their own, against a server, and compare what they print.

    The client and the reporter among the values are closed at the end.
    """
    asyncio.run(_run(examples, values, target))


async def _run(examples: list[doctest.Example], values: dict[str, Any], target: str) -> None:
    for example in examples:
        printed = io.StringIO()
        # Python prints the value of an expression in the mode "single" only.
        mode = "single" if example.want else "exec"
        source = example.source.replace(TARGET, target)
        code = compile(source, "<example>", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with redirect_stdout(printed):
            ran = FunctionType(code, values)()
            if inspect.isawaitable(ran):
                await ran
        if example.want:
            assert printed.getvalue() == example.want, source
    for name in ("reporter", "client"):
        closing = values[name].close()
        if inspect.isawaitable(closing):
            await closing


def _methods(name: str, member: type) -> Iterator[tuple[str, Any]]:
    for method_name, method in inspect.getmembers(member, inspect.isfunction):
        if not method_name.startswith("_") and method_name not in FOR_ITSELF:
            yield f"{name}.{method_name}", method


def _is_value(member: type) -> bool:
    """Whether a class is one that users receive and never make."""
    return is_dataclass(member) or issubclass(member, Exception | Enum)
