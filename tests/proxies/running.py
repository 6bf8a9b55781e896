"""A proxy that runs with a configuration of deploy/, whose addresses and paths are replaced."""

import asyncio
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from batchprogress.v1 import progress_pb2 as pb
from database_servers.home import ServerHome
from tests.proxies.kinds import Kind, Place, configuration_of
from tests.proxies.programs import command_of
from tests.support.eventually import eventually
from tests.support.progress import stub_of

CALL_SECONDS_MAX = 5.0
STOP_SECONDS_MAX = 40.0
"""An old process cuts its last watches after 30 s."""


class Running:
    """A proxy, through its reloads.

    Args:
        kind: The kind of proxy.
        place: Its addresses and paths.
        text: Its configuration.

    """

    def __init__(self, kind: Kind, place: Place, text: str) -> None:
        self.name = kind.name
        self.place = place
        self._kind = kind
        self._file = place.folder / f"{place.port}-{kind.file.name}"
        self._file.write_text(text, encoding="utf-8")
        self._homes: list[ServerHome] = []

    @property
    def target(self) -> str:
        """The address for plaintext."""
        return f"127.0.0.1:{self.place.port}"

    @property
    def tls_target(self) -> str:
        """The address for TLS."""
        return f"127.0.0.1:{self.place.tls_port}"

    async def start(self) -> None:
        """Start it, or its successor, and wait until it listens."""
        before = self._homes[-1].process_id if self._homes else 0
        home = ServerHome(self._kind.name)
        self._homes.append(home)
        arguments = self._kind.arguments(self._file, self.place, len(self._homes) - 1, before)
        home.launch([*command_of(self._kind.name), *arguments])

        def listens() -> bool:
            assert home.process_id, home.log_end()
            return _listens(self.place.port)

        await eventually(listens)

    async def calls_servers(self) -> bool:
        """Return whether it knows a server that is ready."""
        async with grpc.aio.insecure_channel(self.target) as channel:
            call = stub_of(channel).GetBatch(pb.GetBatchRequest(batch_id="unknown"), timeout=CALL_SECONDS_MAX)
            return await call.code() is grpc.StatusCode.NOT_FOUND

    async def reload(self) -> None:
        """Reload the configuration as users do."""
        match self._kind.reloads_by:
            case "signal":
                self._homes[-1].send(signal.SIGHUP)
            case "successor":
                await self.start()
            case "command":
                await asyncio.to_thread(self._run, "reload", "--force")

    async def old_processes_ended(self) -> None:
        """Wait until only the last process runs."""
        await eventually(lambda: not any(home.process_id for home in self._homes[:-1]))

    def stop(self) -> None:
        """Stop it with SIGTERM, so that it stops its own children, and remove its folders."""
        for home in self._homes:
            home.send(signal.SIGTERM)
            home.wait(STOP_SECONDS_MAX)
            home.remove()

    @property
    def log(self) -> str:
        """The ends of the logs."""
        return "\n".join(home.log_end() for home in self._homes)

    def _run(self, *arguments: str) -> None:
        options = ("--config", str(self._file), "--adapter", "caddyfile")
        subprocess.run(
            [*command_of(self._kind.name), *arguments, *options],
            check=True,
            capture_output=True,
            timeout=STOP_SECONDS_MAX,
        )


@asynccontextmanager
async def running(kind: Kind, place: Place, text: str = "") -> AsyncIterator[Running]:
    """Run a proxy while the context is open; its configuration is the file of deploy/ unless one is given."""
    proxy = Running(kind, place, text or configuration_of(kind, place))
    try:
        await proxy.start()
        await eventually(proxy.calls_servers)
        yield proxy
    finally:
        print(proxy.log)
        await asyncio.to_thread(proxy.stop)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
