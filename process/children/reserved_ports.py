"""Ports that several processes will share: that nobody else has them, and that nobody else gets them."""

import errno
import socket
from types import TracebackType
from typing import Self

from process.addresses import split_address
from process.configuration import refuse

_BACKLOG = 1


class ReservedPorts:
    """Holds ports while the context is open, so that sockets with SO_REUSEPORT of this user can share them.

    A held port is bound, but does not listen: the kernel gives its connections to those that do.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        """Return these ports."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the ports up."""
        for one in self._held:
            one.close()

    def reserve(self, listen: str, *, alone: bool = True) -> str:
        """Hold a port.

        Args:
            listen: host:port; port 0 picks a free one.
            alone: whether nobody else may listen on it.

        Returns:
            The address, with the number of the port.

        Raises:
            SystemExit: with code 78, if the port is taken, or the address not of this machine.

        """
        try:
            return self._reserved(listen, alone=alone)
        except OSError:
            refuse(f"cannot listen on {listen}: is the port taken, or the address not of this machine?")

    def _reserved(self, listen: str, *, alone: bool) -> str:
        host, port = split_address(listen)
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        missing: OSError | None = None
        held = 0
        for family, _, _, _, address in found:
            place = (address[0], port, *address[2:])
            try:
                if alone and port:
                    _require_free(family, place)
                port = self._hold(family, place)
                held += 1
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise
                missing = error  # such as ::1 where there is no IPv6: gRPC leaves it out, too
        if not held and missing is not None:
            raise missing
        return f"{listen.rpartition(':')[0]}:{port}"

    def _hold(self, family: int, place: tuple[object, ...]) -> int:
        holder = socket.socket(family, socket.SOCK_STREAM)
        self._held.append(holder)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(place)
        # From now on, a server without SO_REUSEPORT must fail on the port.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        return int(holder.getsockname()[1])


def _require_free(family: int, place: tuple[object, ...]) -> None:
    """Listen for a moment as if alone: that finds those that listen and those that hold the port."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # The closed connections of a server that has ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(place)
        probe.listen(_BACKLOG)
