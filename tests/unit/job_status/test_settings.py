"""What may be set."""

import pytest
from pydantic import SecretStr, ValidationError

from services.job_status.settings import JobStatusSettings
from services.job_status.sources.database import check_url
from services.job_status.wiring import SOURCES

READABLE = [
    "mysql+asyncmy://user:password@host/database",
    "mariadb+asyncmy://user:password@host:3307/database?charset=utf8mb4",
    "postgresql+asyncpg://user:password@host/database",
    "sqlite+aiosqlite:///relative.db",
    "sqlite+aiosqlite:////absolute/path.db",
]
REFUSED = {
    "no URL": ("s3cret", "is no database URL"),
    "empty": ("", "is no database URL"),
    "a port in words": ("mysql+asyncmy://user:s3cret@host:port/database", "is no database URL"),
    "a driver that blocks": ("mysql+pymysql://user:s3cret@host/database", "is not async"),
    "no driver, so a default one that blocks": ("sqlite:///file.db", "is not async"),
    "a driver that is not shipped": ("mysql+aiomysql://user:s3cret@host/database", "is not installed"),
    "no such database": ("nosuch+driver://user:s3cret@host/database", "is not installed"),
    "no database": ("mysql+asyncmy://user:s3cret@host", "names no database"),
    "a database that is gone with us": ("sqlite+aiosqlite:///:memory:", "names no database"),
    "SQLite without a file": ("sqlite+aiosqlite://", "names no database"),
}


@pytest.mark.parametrize("url", READABLE)
def test_readable_urls(url: str) -> None:
    """A URL with an async driver that is installed is taken."""
    check_url(url)


@pytest.mark.parametrize(("url", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refused_urls(url: str, sentence: str) -> None:
    """Any other URL is refused with a sentence that does not hold the password."""
    with pytest.raises(ValueError, match=sentence) as caught:
        check_url(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "jobs; DROP TABLE jobs", "db.jobs", "x" * 65, "jöbs"])
def test_table_names(name: str) -> None:
    """A table's name is a plain word."""
    with pytest.raises(ValidationError):
        JobStatusSettings(database_url=SecretStr(READABLE[0]), job_table=name)


def test_every_setting_is_explained() -> None:
    """Each setting says what it is and what its default is for."""
    for name, field in JobStatusSettings.model_fields.items():
        assert field.description, name
        assert ("Required" if field.is_required() else "Default") in field.description, name


def test_every_source_is_named() -> None:
    """Whoever asks for help learns of each source there is."""
    description = JobStatusSettings.model_fields["source"].description or ""
    assert [name for name in SOURCES if name not in description] == []


def test_password_is_not_shown() -> None:
    """Settings that are printed do not show the password."""
    assert "password" not in repr(JobStatusSettings(database_url=SecretStr(READABLE[0])))
