"""GET /v1/batch/badge.svg: the badge of a batch."""

import hashlib
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.types import Scope, Send

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.badge.picture import draw
from services.gateway.badge.words import Words, of_batch, of_error
from services.gateway.contract.answers import Answer, malformed
from services.gateway.contract.json_answers import send_whole, status_of
from services.gateway.contract.methods import method_named
from services.gateway.reads.counted_read import CountedRead
from services.gateway.reads.query import parameters, to_request

PATH = "/v1/batch/badge.svg"
FRESH_SECONDS = 10
"""How long browsers and proxies show a badge without asking: a page may have many badges and many readers."""
OK, NOT_MODIFIED = 200, 304
DIGEST_CHARACTERS = 24
HEADERS = MappingProxyType(
    {
        "content-type": "image/svg+xml",
        # If it is opened as a page, nothing in it is run or loaded.
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "cross-origin",  # wikis have other origins
        "referrer-policy": "no-referrer",  # the token stands in the URL
    }
)
_GET_BATCH = method_named("GetBatch")


class Badges(CountedRead):
    """Answers with the badge of a batch; an error is a badge, too, with its HTTP status."""

    async def answer(self, scope: Scope, send: Send) -> None:
        """Draw the badge."""
        label, headers = "", Headers(scope=scope)
        try:
            with self.counted(_GET_BATCH):
                label, token = _label_and_token(scope["query_string"])
                words = await self._words(scope["query_string"], label, token, headers)
                await _send_fresh(send, draw(words), headers.get("if-none-match", ""))
        except Answer as answer:
            await _send_error(send, answer, label)

    async def _words(self, query: bytes, label: str, token: str | None, headers: Headers) -> Words:
        request = to_request(query, _GET_BATCH.request)
        passed = dict(headers) if token is None else {**headers, "authorization": f"Bearer {token}"}
        response = await self._forwarder.read(_GET_BATCH, request.SerializeToString(), passed)
        return of_batch(pb.GetBatchResponse.FromString(response).batch, label)


def _label_and_token(query: bytes) -> tuple[str, str | None]:
    given = dict(parameters(query))
    token = given.get("token")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise malformed("the token is not printable ASCII")
    return given.get("label", ""), token


async def _send_fresh(send: Send, picture: bytes, known: str) -> None:
    tag = f'"{hashlib.sha256(picture).hexdigest()[:DIGEST_CHARACTERS]}"'
    headers = {**HEADERS, "etag": tag, "cache-control": f"max-age={FRESH_SECONDS}", "vary": "authorization"}
    if tag in {one.strip().removeprefix("W/") for one in known.split(",")}:
        await send_whole(send, NOT_MODIFIED, b"", headers)
    else:
        await send_whole(send, OK, picture, headers)


async def _send_error(send: Send, answer: Answer, label: str) -> None:
    status = status_of(answer)
    retry = {} if answer.retry_after is None else {"retry-after": answer.retry_after}
    await send_whole(send, status, draw(of_error(answer, status, label)), {**HEADERS, **retry})
