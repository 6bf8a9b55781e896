"""The settings of the job-status server."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator

from process.readable_file import ReadableFile
from process.secret_files import with_secret_files
from rpc.settings import ServerSettings
from services.job_status.sources import database, redis

_LABEL_KEY = r"^([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$"
"""Kubernetes' rule: an optional DNS name of 253 characters and a slash, then a name of 63 characters."""
_NAMESPACE = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_TABLE_NAME = r"^[A-Za-z0-9_$]{1,64}$"
"""MySQL's limit is 64 characters; the URL names the schema."""


class JobStatusSettings(ServerSettings):
    """Settings with the prefix JOB_STATUS_."""

    prefix: ClassVar[str] = "JOB_STATUS_"

    listen: str = Field(
        default="127.0.0.1:50052",
        description="host:port to serve on; port 0 picks a free one. Default: only this machine, since"
        " without tokens anyone who can reach the server has full access.",
    )
    source: str = Field(
        default="laravel",
        description="The queue: laravel (counts from job_batches), job_table (a table with one row per job),"
        " celery (its result backend), rq, or kubernetes (Jobs). Default laravel: it needs no change to the"
        " application.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL of the queue's database, mysql+asyncmy://user:password@host/database,"
        " postgresql+asyncpg://… or sqlite+aiosqlite:///file.db. ?ssl_mode=REQUIRED (PostgreSQL:"
        " ?sslmode=require) asks for TLS, as in BATCHES_DATABASE_URL. It is only read: a user with SELECT on"
        " the tables is enough. Use the primary: a replica may return old counts. Default: none; laravel and"
        " job_table need it, as does celery if its results are in a database.",
    )
    database_url_file: Path | None = Field(
        default=None,
        description="A file that contains the URL, instead of JOB_STATUS_DATABASE_URL. It is read again when"
        " the database refuses the account, so that a new user or password needs no restart. Default: none.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="URL of the queue's Redis, redis://user:password@host:6379/0 or rediss://…. It is only"
        " read. Default: none; rq needs it, as does celery if its results are in Redis.",
    )
    redis_url_file: Path | None = Field(
        default=None,
        description="A file that contains the URL, instead of JOB_STATUS_REDIS_URL. It is read again when"
        " Redis refuses the account, so that a new user or password needs no restart. Default: none.",
    )
    celery_key_prefix: str = Field(
        default="",
        max_length=200,
        description="Source celery with Redis: the application's global_keyprefix in"
        " result_backend_transport_options. Default: none, as Celery's own.",
    )
    celery_django: bool = Field(
        default=False,
        description="Source celery with a database: whether the results are in the tables of"
        " django-celery-results (result_backend django-db) instead of Celery's own. Default false.",
    )
    celery_result_extended: bool = Field(
        default=False,
        description="Source celery with a database: whether the application sets result_extended, so that the"
        " table has the column retries, from which attempts are computed. Default false, as Celery's own.",
    )
    kubernetes_namespace: str | None = Field(
        default=None,
        pattern=_NAMESPACE,
        description="Source kubernetes: the namespace of the Jobs. Default: none; kubernetes needs it.",
    )
    kubernetes_batch_label: str = Field(
        default="batchprogress.dev/batch-id",
        pattern=_LABEL_KEY,
        description="Source kubernetes: the label of a Job that contains the id of its batch. Default"
        " batchprogress.dev/batch-id: a label of this project, which no other selector matches.",
    )
    kubernetes_config: ReadableFile | None = Field(
        default=None,
        description="Source kubernetes: a kubeconfig file for the connection to the API server. Default:"
        " none; the pod's own service account is used.",
    )
    kubernetes_strict_tls: bool = Field(
        default=True,
        description="Source kubernetes: whether the certificates of the API server must follow RFC 5280, as"
        " Python 3.13 and newer require (our image has such a Python). Set it to false if the cluster's"
        " authority lacks keyUsage (MicroK8s, older EKS); the certificates are still verified. Default true:"
        " as Python does.",
    )
    laravel_table: str = Field(
        default="job_batches",
        pattern=_TABLE_NAME,
        description="Source laravel: the table of the batches. Default job_batches, Laravel's own; an"
        " application may set another one in its queue.batching.table.",
    )
    job_table: str = Field(
        default="jobs",
        pattern=_TABLE_NAME,
        description="Source job_table: the table of the jobs. Default jobs, as in its CREATE TABLE"
        " (services/job_status/sources/job_table.py).",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, values: Any) -> Any:
        return with_secret_files("JOB_STATUS_", values, "database_url", "redis_url")

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            database.check_url(value.get_secret_value())
        return value

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            redis.check_url(value.get_secret_value())
        return value
