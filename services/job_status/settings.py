"""What can be set, each from the environment variable JOB_STATUS_<NAME>."""

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from process.secret_files import with_secret_files
from rpc.settings import ServerSettings
from services.job_status.sources.database import check_url

_TABLE_NAME = r"^[A-Za-z0-9_$]{1,64}$"
"""MySQL's own limit of 64 characters; the schema is the URL's."""


class JobStatusSettings(ServerSettings):
    """Settings with the prefix JOB_STATUS_."""

    model_config = SettingsConfigDict(env_prefix="JOB_STATUS_")

    listen: str = Field(
        default="127.0.0.1:50052",
        description="host:port to serve on; port 0 takes a free one. Default: this machine only, since"
        " whoever reaches it is let in unless tokens are set up.",
    )
    source: str = Field(
        default="laravel",
        description="The queue to ask: laravel (counts from job_batches) or job_table (a table with one"
        " row a job). Default laravel: it needs no change to the application.",
    )
    database_url: SecretStr = Field(
        description="SQLAlchemy URL of the queue's database, mysql+asyncmy://user:password@host/database or"
        " sqlite+aiosqlite:///file.db. It is only read: a user with SELECT on the table is enough. Name the"
        " primary: a replica tells old counts. Required, here or in a file.",
    )
    database_url_file: Path | None = Field(
        default=None,
        description="A file that holds the URL, instead of JOB_STATUS_DATABASE_URL. Default: none.",
    )
    laravel_table: str = Field(
        default="job_batches",
        pattern=_TABLE_NAME,
        description="Source laravel: the table of the batches. Default job_batches, Laravel's own; an"
        " application may have another in its queue.batching.table.",
    )
    job_table: str = Field(
        default="jobs",
        pattern=_TABLE_NAME,
        description="Source job_table: the table of the jobs. Default jobs, as in its CREATE TABLE"
        " (services/job_status/sources/job_table.py).",
    )
    drain_seconds: float = Field(
        default=20,
        ge=0,
        le=3_600,
        description="Seconds that calls under way may take after SIGTERM. Default 20: twice what a query may"
        " take, and with 5 s of Kubernetes' preStop below its 30 s of grace.",
    )
    reflection: bool = Field(
        default=False,
        description="Let tools such as grpcurl list the services on this port too, not only on the admin"
        " port. Default: off, as in production.",
    )
    connection_age_seconds_max: int = Field(
        default=600,
        ge=10,
        le=86_400,
        description="Seconds after which a connection is asked to end, so that clients find new replicas."
        " Default 600: ten minutes after a rollout load is even again.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, values: Any) -> Any:  # noqa: ANN401  # of any source of settings
        return with_secret_files("JOB_STATUS_", values, "database_url")

    @field_validator("database_url")
    @classmethod
    def _readable(cls, value: SecretStr) -> SecretStr:
        check_url(value.get_secret_value())
        return value
