"""Calls of about 4 MB that a server refuses, of each kind."""

from collections.abc import Sequence
from functools import partial

from google.protobuf.message import Message

from batchprogress.v1 import progress_pb2 as pb
from tests.support.greedy import Attack

TEXT = "x" * 4_000_000


def _refused(name: str, method: str, request: bytes | Message) -> Attack:
    raw = request if isinstance(request, bytes) else request.SerializeToString()
    return Attack(name, method, partial(_always, raw), variants=1)


def _always(raw: bytes, _number: int) -> bytes:
    return raw


REFUSED: Sequence[Attack] = (
    _refused("empty results", "ReportJobResults", b"\x0a\x00" * 2_000_000),
    _refused(
        "too many labels",
        "CreateBatch",
        pb.CreateBatchRequest(labels={str(number): "x" for number in range(300_000)}),
    ),
    _refused("long batch_id", "GetBatch", pb.GetBatchRequest(batch_id=TEXT)),
    _refused("long display_name", "CreateBatch", pb.CreateBatchRequest(display_name=TEXT)),
    _refused("long page_token", "ListBatches", pb.ListBatchesRequest(page_token=TEXT)),
    _refused("invalid bytes", "CreateBatch", b"\xff" * 4_000_000),
    _refused("too large", "ReportJobResults", b"\xff" * 4_500_000),
    _refused(
        "no such batch",
        "ReportJobResult",
        pb.ReportJobResultRequest(
            batch_id="b", job_id="j", outcome=pb.JOB_OUTCOME_FAILED, error_message=TEXT
        ),
    ),
)
