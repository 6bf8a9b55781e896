"""A Redis that does not start."""

import pytest

from database_servers.errors import DatabaseServerFailed, PackageUnavailable
from database_servers.redis import redis_server
from tests.support.not_run import without


def test_a_server_that_ends_at_once_is_told_with_its_log() -> None:
    """Otherwise a test would wait for half a minute, and say only that nobody answers."""
    with (
        pytest.raises((DatabaseServerFailed, PackageUnavailable)) as raised,
        redis_server(("--nothing", "1")),
    ):
        pass
    if isinstance(raised.value, PackageUnavailable):
        without(str(raised.value))
    assert str(raised.value).startswith("Redis did not start. The end of its log:\n")
    assert "nothing" in str(raised.value)
