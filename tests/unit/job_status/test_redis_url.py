"""The URL of a Redis."""

import pytest

from services.job_status.sources.redis import check_url


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "rediss://user:pass@word@host:6379/0",
        "redis://:pass%2Fword@host/0",
        "unix:///run/redis",
    ],
)
def test_a_url_that_redis_py_understands_is_accepted(url: str) -> None:
    """redis-py takes the last @ for the end of the password."""
    check_url(url)


@pytest.mark.parametrize(
    "url", ["redis://user:12/s3cret@host", "redis://:s3cret/@host", "redis://user:s3cret@host:port", "s3cret"]
)
def test_no_part_of_a_password_is_taken_for_the_host(url: str) -> None:
    """Messages name the host, and never the password."""
    with pytest.raises(ValueError, match=r"must be encoded|is not a Redis URL") as caught:
        check_url(url)
    assert "s3cret" not in str(caught.value)
