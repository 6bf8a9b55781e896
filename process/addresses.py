"""Addresses of the form host:port, as settings hold them."""

from ipaddress import ip_address

PORT_MAX = 65_535


def split_address(listen: str) -> tuple[str, int]:
    """Split host:port.

    Args:
        listen: the address; an IPv6 host may be in brackets.

    Returns:
        The host, without brackets, and the port.

    Raises:
        ValueError: the address does not have this form.

    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > PORT_MAX:
        raise ValueError("must be host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(listen: str) -> bool:
    """Return whether only this machine can reach an address; False for an address that is not host:port."""
    if listen.startswith("unix:"):
        return True
    try:
        host, _ = split_address(listen)
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
