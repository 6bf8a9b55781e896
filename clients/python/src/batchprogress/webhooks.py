"""Verifies the webhooks that the notifier sends when a batch ends, gets stuck or recovers.

    event = webhooks.verify(request.headers, request.body, secret)
    if event.type == "batch.completed":
        send_report(event.batch.batch_id)

They follow Standard Webhooks (https://www.standardwebhooks.com). An event may arrive more than once, always
with the same `event_id`.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf import json_format

from batchprogress._calls.convert import to_batch
from batchprogress.errors import InvalidWebhook
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2 as pb

COMPLETED = "batch.completed"
CANCELLED = "batch.cancelled"
STUCK = "batch.stuck"
RECOVERED = "batch.recovered"

TOLERANCE = timedelta(minutes=5)
"""How old a webhook may be, and how far ahead of this machine's clock: what Standard Webhooks recommends."""

_SECRET_PREFIX = "whsec_"  # noqa: S105  # of every secret, not one itself
_VERSION = "v1"
"""The signature by HMAC-SHA256; others in the header are ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """What happened to a batch."""

    event_id: str
    """The same however often the event is delivered: remember it to act once."""
    type: str
    """`batch.completed`, `batch.cancelled`, `batch.stuck` or `batch.recovered`; new ones may be added."""
    time: datetime
    """When it happened, by the database's clock, in UTC."""
    batch: Batch
    """The batch at that moment."""


def verify(
    headers: Mapping[str, str], body: bytes | str, secret: str, *, tolerance: timedelta = TOLERANCE
) -> WebhookEvent:
    """Check that a request is a webhook of the holder of a secret, and return its event.

    Args:
        headers: the headers of the request; upper and lower case do not matter.
        body: the body exactly as it was received.
        secret: the secret of the subscription, `whsec_…`; while it is rotated both secrets, a line each.
        tolerance: how far the time of sending may be from this machine's clock.

    Raises:
        InvalidWebhook: it is not signed by a secret, too old, or no event. Answer with status 400 or 401.
        ValueError: the secret itself is malformed or empty.
        ClientTooOld: the state of the batch is unknown to this version of the package.

    """
    content = body.encode() if isinstance(body, str) else bytes(body)
    keys = list(_keys(secret))
    given = {name.lower(): value for name, value in headers.items()}
    event_id, sent, signatures = (
        _header(given, f"webhook-{name}") for name in ("id", "timestamp", "signature")
    )
    signed = f"{event_id}.{sent}.".encode() + content
    if not any(_is_signed(signed, key, signatures) for key in keys):
        raise InvalidWebhook(
            "no signature in webhook-signature matches: check the secret, and pass the body unchanged"
        )
    _check_time(sent, tolerance)
    return _event(event_id, content)


def _keys(secret: str) -> Iterator[bytes]:
    lines = secret.split()
    if not lines:
        raise ValueError("the secret is empty: give the whsec_… of the subscription")
    for line in lines:
        try:
            key = base64.b64decode(line.removeprefix(_SECRET_PREFIX), validate=True)
        except ValueError:
            key = b""
        if not key:
            raise ValueError("a secret is not base64: give the whsec_… of the subscription, one a line")
        yield key


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise InvalidWebhook(f"the header {name} is missing: this request is no webhook of the notifier")
    return value


def _is_signed(signed: bytes, key: bytes, signatures: str) -> bool:
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    return any(
        hmac.compare_digest(expected, value.encode())
        for version, _, value in (one.partition(",") for one in signatures.split())
        if version == _VERSION
    )


def _check_time(sent: str, tolerance: timedelta) -> None:
    try:
        off = datetime.now(UTC) - datetime.fromtimestamp(int(sent), UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidWebhook("the header webhook-timestamp is not a time in seconds since 1970") from None
    if abs(off) > tolerance:
        direction = "ago" if off > timedelta(0) else "ahead of this machine's clock"
        raise InvalidWebhook(
            f"the webhook was sent {abs(off)} {direction}, more than the tolerance of {tolerance}:"
            " check the clocks; it may be a replay"
        )


def _event(event_id: str, content: bytes) -> WebhookEvent:
    try:
        event: Any = json.loads(content)
        batch = json_format.ParseDict(event["data"]["batch"], pb.Batch(), ignore_unknown_fields=True)
        kind, time = event["type"], datetime.fromisoformat(event["timestamp"])
    except (ValueError, KeyError, TypeError, json_format.ParseError):
        raise InvalidWebhook("the body is signed but is no event of a batch") from None
    return WebhookEvent(event_id=event_id, type=kind, time=time, batch=to_batch(batch))
