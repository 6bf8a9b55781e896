"""What a test can do with a database server, whichever way it was found."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from database_servers.engines import Engine


class DatabaseServer(ABC):
    """One MySQL or MariaDB server; as a context manager it is started and stopped.

    The calls block (a first start takes seconds): from a coroutine use `asyncio.to_thread`.
    One thread at a time.
    """

    engine: Engine
    host: str
    port: int

    @abstractmethod
    def url(self, database: str = "") -> str:
        """Return the SQLAlchemy URL of a database, which need not exist yet."""

    @abstractmethod
    def start(self) -> None:
        """Start it, or start it again after `kill` or `shut_down`; return once it greets clients."""

    @abstractmethod
    def stop(self) -> None:
        """End it and remove its data, in whatever state it is; harmless when repeated."""

    @abstractmethod
    def shut_down(self) -> None:
        """End it in an orderly way, as an upgrade would; the data stays for the next `start`."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once (SIGKILL), as a power cut would; the data stays for the next `start`."""

    @abstractmethod
    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open and nothing answers."""

    @abstractmethod
    def resume(self) -> None:
        """Let a frozen server go on."""

    def restart(self) -> None:
        """Shut it down and start it again, with the same data on the same port."""
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
    """A way to a server on this machine: what it is, in one line, and how to make one."""

    description: str
    make: Callable[[Sequence[str]], DatabaseServer]
