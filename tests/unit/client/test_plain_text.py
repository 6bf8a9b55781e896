"""Outputs whose encoding lacks characters."""

import io
import sys

import pytest

from batchprogress._calls.convert import to_batch
from batchprogress.bar_screens import Line, Lines, Screen
from batchprogress.cli.output import Output
from batchprogress.cli.table import Column
from batchprogress.v1 import progress_pb2 as pb

ENCODINGS = ["ascii", "latin-1", "cp1252"]


def output(encoding: str) -> io.TextIOWrapper:
    """Return a file of bytes."""
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")


def written(file: io.TextIOWrapper) -> str:
    """Return what was written."""
    file.flush()
    assert isinstance(file.buffer, io.BytesIO)
    return file.buffer.getvalue().decode(file.encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("screen_type", [Line, Lines])
def test_a_bar_is_drawn_with_plain_characters(encoding: str, screen_type: type[Screen]) -> None:
    file = output(encoding)
    message = pb.Batch(
        state=pb.BATCH_STATE_PROCESSING,
        total_jobs=2,
        pending_jobs=1,
        percent_complete=50,
        stall_reason="キューが止まった",
    )
    screen_type(file).show(to_batch(message))
    assert " 50 % ############............ 1/2, ????" in written(file)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_commands_print_plain_characters(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule, a mark and foreign text never end a command with an error."""
    file = output(encoding)
    monkeypatch.setattr(sys, "stdout", file)
    out = Output(as_json=False)
    monkeypatch.setattr(type(out.console), "is_terminal", True)
    monkeypatch.setattr(type(out.console), "width", 20)
    assert out.table([Column("batch"), Column("name", least=6)], [("b", "講師 of all universities")])
    head, rule, row = written(file).splitlines()
    assert (head, rule) == ("batch  name", "-" * 20)
    assert row.startswith("b      ?? of al")
    assert row.endswith("\N{HORIZONTAL ELLIPSIS}" if encoding == "cp1252" else "...")
