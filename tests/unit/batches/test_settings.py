"""The URL of the database."""

import pytest
from pydantic import SecretStr, ValidationError

from batches.settings import DatabaseSettings


@pytest.mark.parametrize(
    "url",
    [
        "mysql+asyncmy://user:pass%40word@host:3306/database",
        "mysql+asyncmy://user:pass/word@host/database?unix_socket=/run/mysqld@1.sock",
        "mariadb+asyncmy://host/database",
        "sqlite+aiosqlite:////srv/a@b@c.db",
    ],
)
def test_a_url_with_encoded_secrets_is_accepted(url: str) -> None:
    """Only an @ ends the password, so only an @ must be encoded."""
    assert DatabaseSettings(database_url=SecretStr(url)).database_url.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql+asyncmy://user:pass@s3cret@host/database", "@ as %40"),
        ("mysql+asyncmy://user:pass@s3:3306@host/database", "@ as %40"),
        ("mysql+asyncmy://user:pass@s3/cret@host/database", "@ as %40"),
        ("mysql+asyncmy://user:pass@host:s3cret/database", "is not a database URL"),
    ],
)
def test_no_part_of_a_password_is_taken_for_the_host(url: str, sentence: str) -> None:
    """Messages name the host."""
    with pytest.raises(ValidationError) as caught:
        DatabaseSettings(database_url=SecretStr(url))
    (problem,) = caught.value.errors()
    assert sentence in problem["msg"]
    assert "s3" not in problem["msg"]
