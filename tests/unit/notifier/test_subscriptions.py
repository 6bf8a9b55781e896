"""The file of subscriptions."""

from pathlib import Path

import pytest

from batches.delivery import Queue
from batches.event import EventType
from services.notifier.subscriptions import read_subscriptions
from tests.support.receiver import SECRET, subscription, write_subscriptions

URL = "https://app.example/hooks"


def test_a_subscription_has_every_event_by_default(tmp_path: Path) -> None:
    found = read_subscriptions(write_subscriptions(tmp_path, subscription(URL)), allows_private=False)
    one = found.receivers[Queue("billing")]
    assert (one.url, one.secrets, one.events) == (URL, (SECRET,), frozenset(EventType))
    assert found.secret_files == (tmp_path / "secret",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[subscription", "is not TOML"),
        ("[[subscription]]\n", "subscription.0.name: is missing"),
        (subscription("http://app.example"), "must be https unless NOTIFIER_ALLOW_PRIVATE_ADDRESSES"),
        (subscription("https://user:hunter2@app.example"), "without user"),
        (subscription(URL, name="Billing"), "subscription.0.name"),
        (subscription(URL) * 2, "same name or host"),
        (
            subscription(URL, more='events = ["batch.done"]'),
            "batch.done is not an event; the events are batch.completed",
        ),
        (subscription(URL, more="event = []"), "subscription.0.event: is not a known name"),
        ('[[notify_host]]\nhost = "App.example"\nsecret_file = "SECRET"', "must be written 'app.example'"),
        (
            '[[notify_host]]\nhost = "https://app.example"\nsecret_file = "SECRET"',
            "must be host or host:port",
        ),
        ('[[notify_host]]\nhost = "app.example/x"\nsecret_file = "SECRET"', "must be written 'app.example'"),
        (subscription(URL).replace("SECRET", "missing"), "missing cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as raised:
        read_subscriptions(write_subscriptions(tmp_path, text), allows_private=False)
    assert str(tmp_path) in str(raised.value) or "missing" in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "secret", ["", "whsec_c2hvcnQ=", "no prefix", f"{SECRET}\n" * 3, "whsec_***", "whsec_é"]
)
def test_a_secret_that_cannot_be_used_is_not_quoted(tmp_path: Path, secret: str) -> None:
    file = write_subscriptions(tmp_path, subscription(URL), secret)
    with pytest.raises(ValueError, match="secret must have one or two lines of whsec_") as raised:
        read_subscriptions(file, allows_private=False)
    assert not secret.strip() or secret.strip() not in str(raised.value)
