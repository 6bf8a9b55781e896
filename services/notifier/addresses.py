"""Which addresses a webhook may be sent to. Pure.

Whoever may set a URL could otherwise reach what only this machine reaches: the metadata service of a cloud,
databases, pages for administrators.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")
_WITH_IPV4 = (
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("2001::/32"),
    IPv6Network("2002::/16"),
    IPv6Network("::/96"),
)
"""Forms of IPv6 that lead to IPv4 addresses inside of them and that no public server needs."""


def is_public(text: str) -> bool:
    """Return whether an address belongs to the public internet; False if it is not an address."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if address in _NAT64:  # how a network without IPv4 reaches the rest
            return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if any(address in network for network in _WITH_IPV4):
            return False
    return _is_public(address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
