"""The validation of settings."""

import pytest
from pydantic import SecretStr, ValidationError

from services.job_status.settings import JobStatusSettings
from services.job_status.sources.database import check_url
from services.job_status.wiring import SOURCES

READABLE = [
    "mysql+asyncmy://user:password@host/database",
    "mariadb+asyncmy://user:password@host:3307/database?charset=utf8mb4",
    "mysql+asyncmy://user:password@host/database?ssl_mode=REQUIRED",
    "postgresql+asyncpg://user:password@host/database",
    "sqlite+aiosqlite:///relative.db",
    "sqlite+aiosqlite:////absolute/path.db",
]
REFUSED = {
    "not a URL": ("s3cret", "is not a database URL"),
    "empty": ("", "is not a database URL"),
    "a port that is not a number": (
        "mysql+asyncmy://user:s3cret@host:port/database",
        "is not a database URL",
    ),
    "an @ in the password": ("mysql+asyncmy://user:pass@s3cret@host/database", "@ as %40"),
    "an @ and a / in the password": ("postgresql+asyncpg://user:pass@s3/cret@host/database", "@ as %40"),
    "a driver that blocks": ("mysql+pymysql://user:s3cret@host/database", "is not async"),
    "the default driver, which blocks": ("sqlite:///file.db", "is not async"),
    "a driver that is not shipped": ("mysql+aiomysql://user:s3cret@host/database", "is not installed"),
    "an unknown database": ("nosuch+driver://user:s3cret@host/database", "is not installed"),
    "a URL without a database": ("mysql+asyncmy://user:s3cret@host", "does not name a database"),
    "a mode of TLS that does not exist": (
        "mysql+asyncmy://user:s3cret@host/database?ssl_mode=PREFERRED",
        "must have one of DISABLED",
    ),
    "a file that does not exist": (
        "mysql+asyncmy://user:s3cret@host/database?ssl_ca=/missing.pem",
        "has an ssl_ parameter that cannot be used",
    ),
    "a parameter that the driver does not know": (
        "mysql+asyncmy://user:s3cret@host/database?sslmode=require",
        "has the unknown parameter sslmode",
    ),
    "a database in memory": ("sqlite+aiosqlite:///:memory:", "does not name a database"),
    "SQLite without a file": ("sqlite+aiosqlite://", "does not name a database"),
}


@pytest.mark.parametrize("url", READABLE)
def test_url_with_an_installed_async_driver_is_accepted(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(("url", "sentence"), REFUSED.values(), ids=REFUSED)
def test_other_url_is_refused_without_showing_the_password(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        check_url(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "jobs; DROP TABLE jobs", "db.jobs", "x" * 65, "jöbs"])
def test_table_name_with_other_characters_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        JobStatusSettings(database_url=SecretStr(READABLE[0]), job_table=name)


def test_every_setting_describes_itself_and_its_default() -> None:
    for name, field in JobStatusSettings.model_fields.items():
        assert field.description, name
        assert ("Required" if field.is_required() else "Default") in field.description, name


def test_help_names_every_source() -> None:
    description = JobStatusSettings.model_fields["source"].description or ""
    assert [name for name in SOURCES if name not in description] == []


def test_printed_settings_do_not_show_the_password() -> None:
    assert "password" not in repr(JobStatusSettings(database_url=SecretStr(READABLE[0])))
