"""The file of subscriptions: TOML with a table for each receiver. It is read again when it changes.

    [[subscription]]
    name = "billing"
    url = "https://billing.example/hooks/batches"
    secret_file = "/etc/batchprogress/billing.whsec"
    labels = { team = "billing" }                      # optional: only batches with these labels
    events = ["batch.completed", "batch.cancelled"]    # optional: only these

    [[notify_host]]                                    # for the notify_url of CreateBatch
    host = "app.example"
    secret_file = "/etc/batchprogress/app.whsec"

A file of a secret has one line, `whsec_` and base64; while a secret is replaced it has two, and both sign.
"""

import base64
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from batches.delivery import SUBSCRIPTION_CHARACTERS_MAX, Queue
from batches.event import EVENT_TYPES, Event, EventType
from batches.webhook_url import origin_of
from process.reloaded_files import ReloadedFiles, read
from process.validation import sentence_of

RECEIVERS_MAX = 100
"""Each is asked for its due deliveries several times a second."""
SECRETS_MAX = 2
"""The new one and the old one."""
SECRET_PREFIX = "whsec_"  # noqa: S105  # by which scanners recognise a leaked secret
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
"""What Standard Webhooks asks for."""

Name = Annotated[str, StringConstraints(pattern=rf"^[a-z0-9-]{{1,{SUBSCRIPTION_CHARACTERS_MAX}}}$")]


class _SubscriptionEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Name
    url: str
    secret_file: Path
    labels: dict[str, str] = {}
    events: list[str] | None = Field(default=None, min_length=1)


class _HostEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    host: str
    secret_file: Path


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    subscription: list[_SubscriptionEntry] = []
    notify_host: list[_HostEntry] = []


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where the deliveries of a queue go."""

    queue: Queue
    secrets: tuple[str, ...]
    url: str | None = None
    """Of a subscription; None for a host, whose deliveries have a URL each."""
    labels: Mapping[str, str] | None = None
    events: frozenset[EventType] = frozenset(EventType)

    def wants(self, event: Event) -> bool:
        """Return whether an event is for this subscription; a host wants none by itself."""
        if self.url is None or event.type not in self.events:
            return False
        return all(event.batch.labels.get(key) == value for key, value in (self.labels or {}).items())


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The content of the file."""

    receivers: Mapping[Queue, Receiver]
    secret_files: tuple[Path, ...] = ()


NO_SUBSCRIPTIONS = Subscriptions({})


class SubscriptionsFile:
    """The subscriptions in use, read again when the file or one of its secrets is replaced.

    Args:
        path: the file.
        allows_private: whether http and private addresses are allowed.

    Raises:
        ValueError: the file or a secret cannot be used; the text quotes no secret.

    """

    def __init__(self, path: Path, *, allows_private: bool) -> None:
        self._path = path
        self._allows_private = allows_private
        self._files = ReloadedFiles([path], self._read)
        self._watch_secrets()

    @property
    def current(self) -> Subscriptions:
        """The subscriptions in use."""
        return self._files.current

    @property
    def is_stale(self) -> bool:
        """Whether the files were replaced by files that cannot be used; the old content stays in use."""
        return self._files.is_stale

    def refresh(self) -> bool:
        """Read the files again if one was replaced; return whether the content in use is another one."""
        if not self._files.refresh():
            return False
        self._watch_secrets()
        return True

    def _watch_secrets(self) -> None:
        with suppress(ValueError):  # replaced in this moment: the next refresh of the file watches them
            self._files = ReloadedFiles([self._path, *self.current.secret_files], self._read)

    def _read(self) -> Subscriptions:
        return read_subscriptions(self._path, allows_private=self._allows_private)


def read_subscriptions(path: Path, *, allows_private: bool) -> Subscriptions:
    """Read the file and the secrets that it names.

    Args:
        path: the file.
        allows_private: whether http is allowed.

    Raises:
        ValueError: something cannot be used; the text names the file and the entry, and quotes no secret.

    """
    try:
        content = tomllib.loads(read(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ValueError(f"{path} is not TOML") from None
    try:
        file = _File.model_validate(content)
        receivers = [
            *(_to_subscription(entry, allows_private=allows_private) for entry in file.subscription),
            *(_to_host(entry) for entry in file.notify_host),
        ]
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ValueError(f"{path}: {place}: {sentence_of(problem)}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if len(receivers) > RECEIVERS_MAX:
        raise ValueError(f"{path} has more than {RECEIVERS_MAX} subscriptions and hosts")
    by_queue = {one.queue: one for one in receivers}
    if len(by_queue) < len(receivers):
        raise ValueError(f"{path}: two entries have the same name or host")
    secret_files = [one.secret_file for one in file.subscription] + [
        one.secret_file for one in file.notify_host
    ]
    return Subscriptions(by_queue, tuple(secret_files))


def _to_subscription(entry: _SubscriptionEntry, *, allows_private: bool) -> Receiver:
    try:
        origin = origin_of(entry.url)
    except ValueError as error:
        raise ValueError(f"the url of subscription {entry.name} {error}") from None
    if origin.scheme != "https" and not allows_private:
        raise ValueError(
            f"the url of subscription {entry.name} must be https unless NOTIFIER_ALLOW_PRIVATE_ADDRESSES=true"
        )
    unknown = [name for name in entry.events or [] if name not in EVENT_TYPES]
    if unknown:
        raise ValueError(
            f"subscription {entry.name}: {unknown[0]} is not an event; the events are"
            f" {', '.join(EVENT_TYPES)}"
        )
    events = frozenset(EVENT_TYPES[name] for name in entry.events or EVENT_TYPES)
    return Receiver(Queue(entry.name), _read_secrets(entry.secret_file), entry.url, entry.labels, events)


def _to_host(entry: _HostEntry) -> Receiver:
    try:
        origin = origin_of(f"https://{entry.host}")
    except ValueError as error:
        raise ValueError(
            f"notify_host {entry.host!r} must be host or host:port; as a URL it {error}"
        ) from None
    if origin.host != entry.host:
        raise ValueError(f"notify_host {entry.host!r} must be written {origin.host!r}")
    return Receiver(Queue("", origin.host), _read_secrets(entry.secret_file))


def _read_secrets(path: Path) -> tuple[str, ...]:
    try:
        lines = read(path).decode().split()
    except UnicodeDecodeError:
        lines = []
    if not 1 <= len(lines) <= SECRETS_MAX or not all(map(_is_secret, lines)):
        raise ValueError(
            f"{path} must have one or two lines of {SECRET_PREFIX} and the base64 of {SECRET_BYTES_MIN} to"
            f" {SECRET_BYTES_MAX} bytes"
        )
    return tuple(lines)


def _is_secret(text: str) -> bool:
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:  # a wrong length or character; binascii.Error is one, too
        return False
    return text.startswith(SECRET_PREFIX) and SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX
