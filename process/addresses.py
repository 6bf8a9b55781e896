"""host:port, as settings have it."""

from ipaddress import ip_address


def split_address(listen: str) -> tuple[str, int]:
    """Return host and port; an IPv6 host may stand in brackets.

    Raises:
        ValueError: it is no host:port.

    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004
        raise ValueError("must be host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(listen: str) -> bool:
    """Whether only this machine reaches an address; False also for what is no host:port."""
    try:
        host, _ = split_address(listen)
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return listen.startswith("unix:")
