"""GET /v1/batch/failures.csv and /v1/batch/failures.jsonl: every failed job of a batch, as a file.

The failures are read page by page, no faster than the client takes them. A file that breaks off ends with the
connection, without the last chunk, so that no client takes it for a whole one.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

import grpc
import structlog
from starlette.datastructures import Headers
from starlette.types import Scope, Send

from batchprogress.v1 import progress_pb2 as pb
from rpc.telemetry.metrics import CallMetrics
from services.gateway.contract.answers import Answer, busy
from services.gateway.contract.forwarding import Forwarder
from services.gateway.contract.json_answers import send_error
from services.gateway.contract.methods import method_named
from services.gateway.reads.counted_read import CountedRead
from services.gateway.reads.failure_lines import CSV, JSON_LINES, Format
from services.gateway.reads.query import to_request
from services.gateway.web.http_connection import CONNECTION, HttpConnection

PATHS: Mapping[str, Format] = MappingProxyType(
    {"/v1/batch/failures.csv": CSV, "/v1/batch/failures.jsonl": JSON_LINES}
)
PAGE_SIZE = 1_000
"""The contract's: a large read, of which those without a token take turns."""
EXPORTS_MAX = 8
"""Files at a time: each holds a page, which may have some megabytes."""
EXPORT_SECONDS_MAX = 900.0
"""How long a file may take: a million failures take some minutes, and clients must not keep their places."""
TRIES_MAX = 5
"""Of a page: the server may restart, and other large reads may have the turn."""
RETRY_SECONDS = 1.0
"""The wait after the first failure of a page; it grows by this with each further one."""
OK = 200
RETRIED = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})
SHARED = {"cache-control": "max-age=10"}
"""Files of one batch that are read at the same time share their pages."""
_LIST = method_named("ListJobResults")

_log = structlog.get_logger()


class FailureExports(CountedRead):
    """Answers the paths of PATHS.

    Args:
        forwarder: makes the calls.
        metrics: counts them.

    """

    def __init__(self, forwarder: Forwarder, metrics: CallMetrics) -> None:
        super().__init__(forwarder, metrics)
        self._exports = 0

    async def answer(self, scope: Scope, send: Send) -> None:
        """Send a file, or an error."""
        if self._exports >= EXPORTS_MAX:
            await send_error(send, busy("this gateway sends too many files of failures; try again"))
            return
        self._exports += 1
        try:
            await self._answer(scope, send)
        finally:
            self._exports -= 1

    async def _answer(self, scope: Scope, send: Send) -> None:
        connection: HttpConnection = scope["extensions"][CONNECTION]
        kind = PATHS[scope["path"]]
        try:
            request = to_request(scope["query_string"], pb.ListJobResultsRequest)
            pages = self._pages(_all_failures(request), Headers(scope=scope))
            first = await anext(pages)
        except Answer as answer:
            await send_error(send, answer)
            return
        try:
            async with asyncio.timeout(EXPORT_SECONDS_MAX):
                await _send_file(send, kind, request.batch_id, first, pages, connection=connection)
        except (Answer, TimeoutError) as error:
            _log.warning("a file of failures broke off", reason=str(error) or "it took too long")
            connection.cut()

    async def _pages(
        self, request: pb.ListJobResultsRequest, headers: Headers
    ) -> AsyncIterator[pb.ListJobResultsResponse]:
        while True:
            page = await self._page(request, headers)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def _page(self, request: pb.ListJobResultsRequest, headers: Headers) -> pb.ListJobResultsResponse:
        """Read a page; those after the first are tried again, since the others are sent already."""
        tries_max = TRIES_MAX if request.page_token else 1
        for tries in range(1, tries_max + 1):
            try:
                with self.counted(_LIST):
                    found = await self._forwarder.read(
                        _LIST, request.SerializeToString(), {**headers, **SHARED}
                    )
                return pb.ListJobResultsResponse.FromString(found)
            except Answer as answer:
                if answer.grpc_code not in RETRIED or tries == tries_max:
                    raise
            await asyncio.sleep(RETRY_SECONDS * tries)
        raise AssertionError("the last try returns or raises")


def _all_failures(request: pb.ListJobResultsRequest) -> pb.ListJobResultsRequest:
    """Return the request for the first page of the failures; its filters of jobs stay."""
    failures = pb.ListJobResultsRequest()
    failures.CopyFrom(request)
    failures.outcome = pb.JOB_OUTCOME_FAILED
    failures.page_size = PAGE_SIZE
    failures.page_token = ""
    return failures


async def _send_file(  # noqa: PLR0913  # the parts of an answer
    send: Send,
    kind: Format,
    batch_id: str,
    first: pb.ListJobResultsResponse,
    rest: AsyncIterator[pb.ListJobResultsResponse],
    *,
    connection: HttpConnection,
) -> None:
    headers = {
        "content-type": kind.media_type,
        "content-disposition": f'attachment; filename="{kind.file_name(batch_id)}"',
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": OK, "headers": raw})
    head, page = kind.head, first
    while connection.is_open:
        lines = head + await asyncio.to_thread(kind.lines, page.job_results)
        await send({"type": "http.response.body", "body": lines, "more_body": True})
        head = b""
        following = await anext(rest, None)
        if following is None:
            break
        page = following
    await send({"type": "http.response.body", "body": b""})
