"""What tests can do with a database server, whichever way it was found."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from database_servers.engines import Engine


class DatabaseServer(ABC):
    """A MySQL or MariaDB server; as a context manager, it is started and stopped.

    All methods block, a first start for seconds; coroutines should use `asyncio.to_thread`. Only one thread
    may use it at a time.
    """

    engine: Engine
    host: str
    port: int

    @abstractmethod
    def url(self, database: str = "") -> str:
        """Return the SQLAlchemy URL of a database, which may not exist yet."""

    @abstractmethod
    def start(self) -> None:
        """Start it, also after `kill` or `shut_down`, and wait until it greets clients."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it in any state and remove its data; may be repeated."""

    @abstractmethod
    def shut_down(self) -> None:
        """Shut it down, as for an upgrade; the data is kept for the next `start`."""

    @abstractmethod
    def kill(self) -> None:
        """Kill it, as a power cut would; the data is kept for the next `start`."""

    @abstractmethod
    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""

    @abstractmethod
    def resume(self) -> None:
        """Resume a frozen server."""

    def restart(self) -> None:
        """Shut it down and start it again, with the same data and port."""
        self.shut_down()
        self.start()

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and remove its data."""
        self.stop()


@dataclass(frozen=True)
class FoundServer:
    """A way to a server on this machine: a line about it, and a function that makes one."""

    description: str
    make: Callable[[Sequence[str]], DatabaseServer]
