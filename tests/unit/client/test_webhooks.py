"""Webhooks that are signed by the reference library are verified, and nothing else is."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from batchprogress import BatchState, InvalidWebhook, webhooks

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the examples of Standard Webhooks
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BATCH = {"batchId": "b", "state": "BATCH_STATE_COMPLETED", "totalJobs": "3", "succeededJobs": "3", "new": 1}
EVENT = {"type": "batch.completed", "timestamp": "2026-11-30T10:00:00.123456Z", "data": {"batch": BATCH}}
BODY = json.dumps(EVENT)


def signed(body: str = BODY, *secrets: str, sent: datetime | None = None) -> dict[str, str]:
    """Return the headers of a webhook, with a signature by each secret."""
    time = sent or datetime.now(UTC)
    signatures = [Webhook(secret).sign("evt_1", time, body) for secret in secrets or (SECRET,)]
    return {
        "Webhook-Id": "evt_1",
        "Webhook-Timestamp": str(int(time.timestamp())),
        "Webhook-Signature": " ".join(signatures),
    }


def test_signed_webhook_gives_its_event() -> None:
    """Fields that this version does not know are ignored; the case of headers does not matter."""
    event = webhooks.verify(signed(), BODY.encode(), SECRET)
    assert (event.event_id, event.type) == ("evt_1", webhooks.COMPLETED)
    assert event.time == datetime(2026, 11, 30, 10, 0, 0, 123456, UTC)
    assert (event.batch.batch_id, event.batch.state) == ("b", BatchState.COMPLETED)
    assert event.batch.succeeded_jobs == 3


@pytest.mark.parametrize(
    ("sent_with", "verified_with"),
    [((SECRET, OTHER), SECRET), ((SECRET, OTHER), OTHER), ((OTHER,), f"{SECRET}\n{OTHER}\n")],
    ids=["first-of-two-signatures", "second-of-two-signatures", "second-of-two-secrets"],
)
def test_either_secret_verifies_while_it_is_rotated(sent_with: tuple[str, ...], verified_with: str) -> None:
    assert webhooks.verify(signed(BODY, *sent_with), BODY, verified_with).event_id == "evt_1"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Webhook-Id", "evt_2"),
        ("Webhook-Timestamp", "1796035077"),
        ("Webhook-Signature", "v1,AAAA"),
        ("Webhook-Signature", "v1,ä"),
    ],
)
def test_changed_header_is_refused(header: str, value: str) -> None:
    with pytest.raises(InvalidWebhook, match="no signature"):
        webhooks.verify({**signed(), header: value}, BODY, SECRET)


def test_signature_of_another_version_is_ignored() -> None:
    headers = signed()
    other_version = headers["Webhook-Signature"].replace("v1,", "v1a,")
    with pytest.raises(InvalidWebhook, match="no signature"):
        webhooks.verify({**headers, "Webhook-Signature": other_version}, BODY, SECRET)


def test_changed_body_and_other_secret_are_refused() -> None:
    with pytest.raises(InvalidWebhook, match="no signature"):
        webhooks.verify(signed(), BODY.replace("3", "4", 1), SECRET)
    with pytest.raises(InvalidWebhook, match="no signature"):
        webhooks.verify(signed(), BODY, OTHER)


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_missing_header_is_named(name: str) -> None:
    headers = {key: value for key, value in signed().items() if key != name}
    with pytest.raises(InvalidWebhook, match=name.lower()):
        webhooks.verify(headers, BODY, SECRET)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_webhook_of_another_time_is_refused(minutes: int) -> None:
    sent = datetime.now(UTC) + timedelta(minutes=minutes)
    with pytest.raises(InvalidWebhook, match="more than the tolerance"):
        webhooks.verify(signed(sent=sent), BODY, SECRET)
    assert webhooks.verify(signed(sent=sent), BODY, SECRET, tolerance=timedelta(minutes=7))


def test_time_that_is_none_is_refused() -> None:
    time = "9" * 30
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"evt_1.{time}.{BODY}".encode(), "sha256")).decode()
    headers = {**signed(), "Webhook-Timestamp": time, "Webhook-Signature": f"v1,{signature}"}
    with pytest.raises(InvalidWebhook, match="not a time"):
        webhooks.verify(headers, BODY, SECRET)


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", "\x00", BODY.replace("2026-11-30T", ""), '{"type": "batch.x"}']
)
def test_signed_body_that_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(InvalidWebhook, match="no event"):
        webhooks.verify(signed(body), body, SECRET)


@pytest.mark.parametrize("secret", ["", "\n", "whsec_", "whsec_not base64", "whsec_é"])
def test_malformed_secret_is_the_receivers_mistake(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_") as raised:
        webhooks.verify(signed(), BODY, secret)
    assert not isinstance(raised.value, InvalidWebhook)
