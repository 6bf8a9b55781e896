"""Addresses written as host:port."""

import pytest

from process.addresses import is_loopback, split_address


@pytest.mark.parametrize(
    ("listen", "expected"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:50051", ("::1", 50_051)), ("localhost:1", ("localhost", 1))],
)
def test_an_address_is_split_into_host_and_port(listen: str, expected: tuple[str, int]) -> None:
    """It is split into a host and a port."""
    assert split_address(listen) == expected


@pytest.mark.parametrize("listen", ["", "9464", "host:", "host:port", "host:65536", "host:-1", "host:²"])
def test_invalid_addresses_are_refused(listen: str) -> None:
    """Everything without a host and a valid port is refused."""
    with pytest.raises(ValueError, match="host:port"):
        split_address(listen)


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/run/s"])
def test_loopback_addresses_are_recognised(listen: str) -> None:
    """A server on such an address needs no warning."""
    assert is_loopback(listen)


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "progress:1", "nonsense"])
def test_other_addresses_are_not_loopback(listen: str) -> None:
    """Other machines may reach such an address."""
    assert not is_loopback(listen)
