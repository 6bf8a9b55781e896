"""Addresses of the form host:port, as settings hold them."""

from ipaddress import ip_address

PORT_MAX = 65_535
GRPC_SCHEMES = frozenset({"dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds", "passthrough"})
"""What a gRPC name may begin with. Anything else is host:port, with port 443 if it is left out."""


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


def check_listen(listen: str) -> str:
    """Return where a gRPC server may listen: host:port, or unix:path.

    Raises:
        ValueError: it is neither. gRPC would listen on a free port, or on the port modulo 65,536.

    """
    if not listen.startswith("unix:"):
        split_address(listen)
    return listen


def check_target(target: str) -> str:
    """Return the address of a gRPC server: host:port, or a name with a scheme.

    Raises:
        ValueError: it is neither. gRPC would look for the host on port 443, or wait for it for ever.

    """
    if target.partition(":")[0] not in GRPC_SCHEMES:
        try:
            host, port = split_address(target)
        except ValueError:
            host, port = "", 0
        if not host or not port or "/" in host:
            raise ValueError("must be host:port, or a gRPC name such as dns:///host:port")
    return target


def is_loopback(listen: str) -> bool:
    """Return whether only this machine can reach an address; False for an address that is not host:port."""
    if listen.startswith("unix:"):
        return True
    try:
        host, _ = split_address(listen)
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
