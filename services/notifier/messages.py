"""The content of a webhook and its headers, as Standard Webhooks has them. Pure."""

import json
from collections.abc import Iterable
from datetime import datetime

from google.protobuf.json_format import MessageToDict
from standardwebhooks.webhooks import Webhook

from batches.event import Event
from process.version import VERSION
from services.batch_message import to_batch_message


def body_of(event: Event) -> str:
    """Return the JSON of an event: its type, its time, and the batch as it was then."""
    message = to_batch_message(event.batch, event.time, event.stall_reason)
    batch = MessageToDict(message, always_print_fields_with_no_presence=True)
    time = event.time.isoformat(timespec="microseconds").replace("+00:00", "Z")
    content = {"type": event.type.text, "timestamp": time, "data": {"batch": batch}}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def headers_of(webhook_id: str, body: str, secrets: Iterable[str], now: datetime) -> dict[str, str]:
    """Return the headers of an attempt.

    Args:
        webhook_id: the same for every attempt.
        body: what is sent.
        secrets: sign it, each by itself.
        now: the time of the attempt; a receiver refuses one that is old.

    """
    return {
        "Content-Type": "application/json",
        "User-Agent": f"batchprogress-notifier/{VERSION}",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(webhook_id, now, body) for secret in secrets),
    }
