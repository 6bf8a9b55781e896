"""The settings of the database, shared by all deployables that use it."""

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator

from batches.database_tls import tls_of
from batches.database_url import describe_place, parse_url
from process.secret_files import with_secret_files
from process.settings import Settings


class DatabaseSettings(Settings):
    """Settings with the prefix BATCHES_."""

    prefix: ClassVar[str] = "BATCHES_"

    database_url: SecretStr = Field(
        default=SecretStr("sqlite+aiosqlite:///batchprogress.db"),
        description="SQLAlchemy URL of the database: mysql+asyncmy://user:password@host:3306/database, or"
        " sqlite+aiosqlite:///file.db. ?ssl_mode=REQUIRED asks for TLS, and ssl_ca=FILE for a valid"
        " certificate (docs/databases.md). Default: a file in the working directory, so that a first try"
        " needs no database server.",
    )
    database_url_file: Path | None = Field(
        default=None,
        description="File that contains the URL, instead of BATCHES_DATABASE_URL: child processes and"
        " anyone who can inspect the process see a password in the environment. It is read again when the"
        " database refuses the account, so that a new user or password needs no restart. Default: none.",
    )
    database_connections: int = Field(
        default=8,
        ge=2,
        le=100,
        description="Number of connections that each process keeps for reads and for changes other than"
        " results; results and the checks of health use a connection of their own each. Default: 8,"
        " enough for thousands of reads per second.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, values: Any) -> Any:
        return with_secret_files("BATCHES_", values, "database_url")

    @field_validator("database_url")
    @classmethod
    def _known_driver(cls, value: SecretStr) -> SecretStr:
        url = parse_url(value.get_secret_value())
        if url.get_backend_name() != "sqlite":
            tls_of(url)  # reads the files that it names
        return value

    @property
    def place(self) -> str:
        """Where the batches are, for logs: without a secret."""
        url = parse_url(self.database_url.get_secret_value())
        return describe_place(url, url.username)
