"""Serves in several processes on the same ports: for a machine with more cores than one process can use."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from process.children.child import Child
from process.children.parent import Callbacks, Parent
from process.children.reserved_ports import ReservedPorts
from process.configuration import refuse
from rpc.settings import ServerSettings

_log = structlog.get_logger()

Settings = TypeVar("Settings", bound=ServerSettings)


@dataclass(frozen=True, slots=True)
class Processes(Generic[Settings]):
    """A server as several processes. The parent imports this, so nothing here may import gRPC."""

    settings: Settings
    number: int
    serve: Callable[[Settings, Child], int]
    """Serves in a child, with the settings that it gets, and returns the exit code of its process."""
    shares_port: bool = False
    """Whether other servers, too, may listen on the port."""

    def run(self, **described: str) -> int:
        """Serve until a signal.

        Args:
            described: what the log says of the server besides its ports.

        Returns:
            The exit code.

        Raises:
            SystemExit: with code 78, if the settings do not allow several processes, or a port is taken.

        """
        self._require_shareable()
        with ReservedPorts() as ports:
            places = {
                "listen": ports.reserve(self.settings.listen, alone=not self.shares_port),
                "admin_listen": ports.reserve(self.settings.admin_listen),
                "metrics_listen": ports.reserve(self.settings.metrics_listen),
            }
            settings = self.settings.model_copy(update=places)
            announced = {name.replace("listen", "port"): _port_of(place) for name, place in places.items()}

            def announce() -> None:
                _log.info("serving", **announced, processes=self.number, **described)

            return Parent(
                self.number, Callbacks(lambda child: self.serve(settings, child), announce, _forget)
            ).run()

    def _require_shareable(self) -> None:
        variable = self.settings.variable("processes")
        if sys.platform != "linux":
            refuse(f"{variable}: several processes can share a port only on Linux; run one process")
        if self.settings.listen.startswith("unix:"):
            listen = self.settings.variable("listen")
            refuse(f"{variable}: processes cannot share the Unix socket of {listen}: use host:port")


def _port_of(place: str) -> int:
    return int(place.rpartition(":")[2])


def _forget(folder: Path, number: int) -> None:
    from rpc.telemetry.shared_metrics import forget_process  # noqa: PLC0415  # few parents lose a child

    forget_process(folder, number)
