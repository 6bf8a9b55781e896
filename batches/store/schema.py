"""The tables. Change them only together with a migration; a test compares the two.

There are no foreign keys: one from results to batches, together with the update of the counters, causes
deadlocks (measured at concurrency 16: 3.7 deadlocks per transaction, none without the key).
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
)

from batches.batch import (
    DISPLAY_NAME_CHARACTERS_MAX,
    LABEL_KEY_CHARACTERS_MAX,
    LABEL_VALUE_CHARACTERS_MAX,
)
from batches.fingerprint import FINGERPRINT_DIGITS
from batches.history import RECENT_BYTES_MAX
from batches.result import (
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    JOB_NAME_CHARACTERS_MAX,
)
from batches.store.column_types import (
    UtcTime,
    ascii_text,
    generated_key,
    long_text,
    short_bytes,
    unicode_text,
)
from batches.store.metadata import TABLE_OPTIONS, metadata
from batches.store.webhook_tables import deliveries, events, notify_urls

__all__ = ["deliveries", "events", "metadata", "notify_urls"]

REASON_CHARACTERS_MAX = 500
"""The reason of a repair or a look is one sentence, made by the reconciler."""
REASON_KIND_CHARACTERS_MAX = 32
"""Half as long again as the longest of the reconciler's own words."""
TABLE_NAME_CHARACTERS_MAX = 32
"""Twice as long as the longest name of our tables."""
VERSION_CHARACTERS_MAX = 32
"""The same as in alembic's own table; our versions have four characters."""

batches = Table(
    "batches",
    metadata,
    # A surrogate key keeps the results table narrow, and its order is the order of locks.
    Column("batch_key", generated_key(), primary_key=True, autoincrement=True),
    Column("batch_id", ascii_text(), nullable=False, unique=True),
    Column("display_name", unicode_text(DISPLAY_NAME_CHARACTERS_MAX), nullable=False),
    Column("labels", JSON, nullable=False),
    # The arguments of CreateBatch: they distinguish a retry from a conflict.
    Column("created_total_jobs", BigInteger, nullable=False),
    Column("created_sealed", Boolean, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("sealed", Boolean, nullable=False),
    Column("announced_jobs", BigInteger, nullable=False),
    Column("succeeded_jobs", BigInteger, nullable=False),
    Column("failed_jobs", BigInteger, nullable=False),
    Column("skipped_jobs", BigInteger, nullable=False),
    Column("unattributed_succeeded_jobs", BigInteger, nullable=False),
    Column("unattributed_failed_jobs", BigInteger, nullable=False),
    Column("unattributed_skipped_jobs", BigInteger, nullable=False),
    Column("reconciled_jobs", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("results_per_second", Double, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("first_result_time", UtcTime),
    Column("last_result_time", UtcTime),
    Column("complete_time", UtcTime),
    # The request that created the batch; NULL if it had no id, and in rows of servers before schema 0005.
    Column("request_id", ascii_text()),
    # At most one of the two: batches.failure_limit. NULL in rows of servers before schema 0009.
    Column("failure_limit_jobs", BigInteger),
    Column("failure_limit_percent", SmallInteger),
    # NULL unless the batch is cancelled, and if a server before schema 0009 cancelled it.
    Column("cancel_reason", SmallInteger),
    # The newest points of its history (batches.history); batch_history has the others. NULL in rows of
    # servers before schema 0011, until a newer server changes the batch.
    Column("recent_history", short_bytes(RECENT_BYTES_MAX)),
    Index("batches_by_state", "state", "batch_key"),
    Index("batches_by_complete_time", "complete_time"),
    # For the pass that looks for open batches without a recent result.
    Index("batches_by_last_result", "state", "last_result_time"),
    # The key of a purged batch must not be reused while its results are still being deleted.
    sqlite_autoincrement=True,
    **TABLE_OPTIONS,
)

batch_labels = Table(
    "batch_labels",
    metadata,
    Column("label_key", unicode_text(LABEL_KEY_CHARACTERS_MAX), primary_key=True),
    Column("label_value", unicode_text(LABEL_VALUE_CHARACTERS_MAX), primary_key=True),
    Column("batch_key", BigInteger, primary_key=True, autoincrement=False),
    Index("batch_labels_by_batch", "batch_key"),
    **TABLE_OPTIONS,
)

job_results = Table(
    "job_results",
    metadata,
    Column("batch_key", BigInteger, primary_key=True, autoincrement=False),
    Column("job_id", ascii_text(), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("source", SmallInteger, nullable=False),
    Column("error_type", unicode_text(ERROR_TYPE_CHARACTERS_MAX)),
    Column("error_message", unicode_text(ERROR_MESSAGE_CHARACTERS_MAX)),
    Column("record_time", UtcTime, nullable=False),
    # The fingerprint of the error (batches.fingerprint); NULL if the job did not fail, and in rows written by
    # servers of schema 0001.
    Column("error_kind", BigInteger),
    # NULL if none was reported, and in rows of servers before schema 0005.
    Column("display_name", unicode_text(JOB_NAME_CHARACTERS_MAX)),
    Index("job_results_by_outcome", "batch_key", "outcome", "job_id"),
    **TABLE_OPTIONS,
)

failure_groups = Table(
    "failure_groups",
    metadata,
    # The failures of each batch as counts (batches.failure_groups). Servers before schema 0008 do not count.
    Column("batch_key", BigInteger, primary_key=True, autoincrement=False),
    # In hexadecimal, as in the contract; '' for the failures of all kinds without a group of their own.
    Column("fingerprint", ascii_text(FINGERPRINT_DIGITS), primary_key=True),
    Column("failed_jobs", BigInteger, nullable=False),
    # The number of groups of their own that the batch has, in the row of '' alone.
    Column("own_groups", Integer, nullable=False),
    # The first job that failed so, even if a later attempt has replaced its failure; '' if it is unknown.
    Column("sample_job_id", ascii_text(), nullable=False),
    Column("error_type", unicode_text(ERROR_TYPE_CHARACTERS_MAX), nullable=False),
    Column("sample_error_message", unicode_text(ERROR_MESSAGE_CHARACTERS_MAX), nullable=False),
    **TABLE_OPTIONS,
)

error_details = Table(
    "error_details",
    metadata,
    # More about the first failures of each group (batches.error_details).
    Column("batch_key", BigInteger, primary_key=True, autoincrement=False),
    Column("job_id", ascii_text(), primary_key=True),
    # The attempt that failed so: a server before schema 0010 may replace its result and leave this row.
    Column("attempt", Integer, nullable=False),
    Column("details", long_text(), nullable=False),
    **TABLE_OPTIONS,
)

batch_history = Table(
    "batch_history",
    metadata,
    # Points of each batch that are no longer in its row (batches.history), some in each row.
    Column("batch_key", BigInteger, primary_key=True, autoincrement=False),
    # How many points the batch had before the first one of the row.
    Column("first_point", Integer, primary_key=True, autoincrement=False),
    Column("points", LargeBinary, nullable=False),
    **TABLE_OPTIONS,
)

job_additions = Table(
    "job_additions",
    metadata,
    Column("batch_key", BigInteger, primary_key=True, autoincrement=False),
    Column("request_id", ascii_text(), primary_key=True),
    Column("additional_jobs", BigInteger, nullable=False),
    **TABLE_OPTIONS,
)

repairs = Table(
    "repairs",
    metadata,
    Column("repair_key", generated_key(), primary_key=True, autoincrement=True),
    Column("batch_key", BigInteger, nullable=False),
    Column("state_before", SmallInteger, nullable=False),
    Column("total_jobs_before", BigInteger, nullable=False),
    Column("succeeded_jobs_before", BigInteger, nullable=False),
    Column("failed_jobs_before", BigInteger, nullable=False),
    Column("skipped_jobs_before", BigInteger, nullable=False),
    Column("state_after", SmallInteger, nullable=False),
    Column("total_jobs_after", BigInteger, nullable=False),
    Column("succeeded_jobs_after", BigInteger, nullable=False),
    Column("failed_jobs_after", BigInteger, nullable=False),
    Column("skipped_jobs_after", BigInteger, nullable=False),
    Column("reason", unicode_text(REASON_CHARACTERS_MAX), nullable=False),
    Column("repair_time", UtcTime, nullable=False),
    Index("repairs_by_batch", "batch_key", "repair_key"),
    **TABLE_OPTIONS,
)

looks = Table(
    "looks",
    metadata,
    # The reconciler's newest look at a batch that it left open (batches.look.LastLook).
    Column("batch_key", BigInteger, primary_key=True, autoincrement=False),
    Column("look_time", UtcTime, nullable=False),
    Column("reason_kind", ascii_text(REASON_KIND_CHARACTERS_MAX), nullable=False),
    Column("reason", unicode_text(REASON_CHARACTERS_MAX), nullable=False),
    Column("pending_jobs", BigInteger),
    Column("pending_time", UtcTime),
    Column("unchanged_since", UtcTime),
    Column("lists_jobs", Boolean, nullable=False),
    # NULL in rows written by reconcilers of schema 0005.
    Column("needs_person", Boolean),
    # When subscribers were told that it is stuck; NULL if they were not, or were told that it has recovered.
    Column("stuck_time", UtcTime),
    **TABLE_OPTIONS,
)

pending_jobs = Table(
    "pending_jobs",
    metadata,
    # The first pending jobs of that look.
    Column("batch_key", BigInteger, primary_key=True, autoincrement=False),
    Column("job_id", ascii_text(), primary_key=True),
    Column("display_name", unicode_text(DISPLAY_NAME_CHARACTERS_MAX), nullable=False),
    Column("attempt", Integer, nullable=False),
    **TABLE_OPTIONS,
)

passes = Table(
    "passes",
    metadata,
    # The newest passes of the reconciler (batches.passes.Pass).
    Column("pass_key", generated_key(), primary_key=True, autoincrement=True),
    Column("start_time", UtcTime, nullable=False),
    # NULL while the pass runs, and for good if it was killed.
    Column("end_time", UtcTime),
    # NULL in rows written by reconcilers before schema 0007, all of which were over all batches.
    Column("manual", Boolean),
    Column("one_batch", Boolean),
    # NULL until the pass has ended.
    Column("batches_looked_at", BigInteger),
    Column("batches_repaired", BigInteger),
    Column("batches_left", JSON),
    Column("errors", BigInteger),
    Column("cut_short", unicode_text(REASON_CHARACTERS_MAX)),
    # How far the clock had jumped ahead when the pass began (batches.clock.ClockJump); NULL if it had not.
    Column("clock_jump_seconds", Double),
    Column("clock_jump_time", UtcTime),
    **TABLE_OPTIONS,
)

leases = Table(
    "leases",
    metadata,
    Column("name", ascii_text(), primary_key=True),
    Column("holder", ascii_text(), nullable=False),
    Column("expire_time", UtcTime, nullable=False),
    **TABLE_OPTIONS,
)

deleted_batches = Table(
    "deleted_batches",
    metadata,
    # Purged batches whose other rows are still being deleted (batches.store.deletion).
    Column("batch_key", BigInteger, primary_key=True, autoincrement=False),
    # The table from which rows are being deleted, and the last of its rows that is: NULL before the first
    # piece of a large batch, and in rows of programs before schema 0013.
    Column("rows_of", ascii_text(TABLE_NAME_CHARACTERS_MAX)),
    Column("rows_after", ascii_text()),
    **TABLE_OPTIONS,
)

schema_programs = Table(
    "schema_programs",
    metadata,
    # The oldest version whose programs still run on a schema version (decision 0009).
    Column("schema_version", ascii_text(VERSION_CHARACTERS_MAX), primary_key=True),
    Column("oldest_program", ascii_text(VERSION_CHARACTERS_MAX), nullable=False),
    **TABLE_OPTIONS,
)
