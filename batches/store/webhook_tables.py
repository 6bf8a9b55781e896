"""The tables of webhooks: URLs of batches, events that wait for a notifier, and deliveries."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, SmallInteger, Table

from batches.delivery import (
    HOST_CHARACTERS_MAX,
    LAST_ANSWER_CHARACTERS_MAX,
    NOTIFY_URL_CHARACTERS_MAX,
    SUBSCRIPTION_CHARACTERS_MAX,
)
from batches.event import STALL_REASON_CHARACTERS_MAX
from batches.store.column_types import UtcTime, ascii_text, generated_key, long_text, unicode_text
from batches.store.metadata import TABLE_OPTIONS, metadata

UUID_CHARACTERS = 36

notify_urls = Table(
    "notify_urls",
    metadata,
    # Besides `batches`, so that nothing that reads a batch reads a URL, which may hold a secret.
    Column("batch_key", BigInteger, primary_key=True, autoincrement=False),
    Column("url", ascii_text(NOTIFY_URL_CHARACTERS_MAX), nullable=False),
    **TABLE_OPTIONS,
)

events = Table(
    "events",
    metadata,
    # Events that are not handed to the subscriptions yet (batches.event.Event); a row is deleted when it is.
    Column("event_key", generated_key(), primary_key=True, autoincrement=True),
    Column("event_id", ascii_text(UUID_CHARACTERS), nullable=False),
    Column("event_type", SmallInteger, nullable=False),
    Column("batch_key", BigInteger, nullable=False),
    Column("batch", JSON, nullable=False),
    Column("event_time", UtcTime, nullable=False),
    Column("stall_reason", unicode_text(STALL_REASON_CHARACTERS_MAX), nullable=False),
    Column("notify_url", ascii_text(NOTIFY_URL_CHARACTERS_MAX)),
    Index("events_by_batch", "batch_key"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

deliveries = Table(
    "deliveries",
    metadata,
    # Events on their way to one subscriber each (batches.delivery.Delivery).
    Column("delivery_key", generated_key(), primary_key=True, autoincrement=True),
    Column("delivery_id", ascii_text(UUID_CHARACTERS), nullable=False, unique=True),
    Column("batch_key", BigInteger, nullable=False),
    Column("batch_id", ascii_text(), nullable=False),
    Column("event_type", SmallInteger, nullable=False),
    # The receiver: a subscription, or the host of a notify_url. The other one is empty.
    Column("subscription", ascii_text(SUBSCRIPTION_CHARACTERS_MAX), nullable=False),
    Column("host", ascii_text(HOST_CHARACTERS_MAX), nullable=False),
    Column("url", ascii_text(NOTIFY_URL_CHARACTERS_MAX)),
    Column("body", long_text(), nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_answer", unicode_text(LAST_ANSWER_CHARACTERS_MAX), nullable=False),
    Column("create_time", UtcTime, nullable=False),
    # While an attempt is under way: when another notifier takes it over. NULL unless it is pending.
    Column("next_attempt_time", UtcTime),
    # NULL while it is pending.
    Column("end_time", UtcTime),
    Index("deliveries_by_time", "state", "subscription", "host", "next_attempt_time"),
    Index("deliveries_by_batch", "batch_key", "subscription", "delivery_key"),
    Index("deliveries_by_end", "end_time"),
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)
