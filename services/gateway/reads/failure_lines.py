"""Failed jobs as the lines of a file: CSV for spreadsheets, JSON lines for programs. Pure."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from google.protobuf.json_format import MessageToDict

from batchprogress.v1 import progress_pb2 as pb

CSV_HEADS = ("job_id", "display_name", "attempt", "error_type", "error_message", "record_time", "reconciled")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A spreadsheet runs a cell that begins so, and anybody may name a job or an error. The last four are the
first four in full width, as Japanese keyboards have them."""
OTHER_CHARACTERS = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Format:
    """How failed jobs are written."""

    ending: str
    """Of the name of the file."""
    media_type: str
    head: bytes
    lines: Callable[[Iterable[pb.JobResult]], bytes]

    def file_name(self, batch_id: str) -> str:
        """Return the name of the file with the failures of a batch, without characters that need quotes."""
        return f"failures-{OTHER_CHARACTERS.sub('_', batch_id)}.{self.ending}"


def csv_lines(results: Iterable[pb.JobResult]) -> bytes:
    """Return results as lines of CSV."""
    return _csv(
        (
            _cell(one.job_id),
            _cell(one.display_name),
            one.attempt,
            _cell(one.error_type),
            _cell(one.error_message),
            one.record_time.ToJsonString(),
            str(one.reconciled).lower(),
        )
        for one in results
    )


def json_lines(results: Iterable[pb.JobResult]) -> bytes:
    """Return results as lines of ProtoJSON, without error_details, which no list has."""
    return "".join(f"{_json(one)}\n" for one in results).encode()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _json(result: pb.JobResult) -> str:
    values = MessageToDict(result, always_print_fields_with_no_presence=True)
    del values["errorDetails"]
    return json.dumps(values, ensure_ascii=False)


CSV = Format("csv", "text/csv; charset=utf-8; header=present", _csv([CSV_HEADS]), csv_lines)
JSON_LINES = Format("jsonl", "application/jsonl", b"", json_lines)
