"""A server of our own as a process of this machine."""

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from database_servers.binaries import Binaries
from database_servers.engines import SERVER_OPTIONS, TRAITS
from database_servers.errors import DatabaseServerFailed
from database_servers.greeting import wait_for_greeting
from database_servers.home import ServerHome
from database_servers.ports import free_port
from database_servers.server import DatabaseServer
from database_servers.unprivileged import give_to_nobody

# About 5 s; the rest allows for a busy CI machine with a slow disk.
BOOTSTRAP_SECONDS_MAX = 120.0
# About 1 s; longer if there is much to recover after a crash.
START_SECONDS_MAX = 120.0
# Less than 2 s for an idle server; after this it is killed.
SHUT_DOWN_SECONDS_MAX = 30.0


class ProcessServer(DatabaseServer):
    """A server that keeps its port for life, and its data from the first `start` to `stop`.

    Args:
        binaries: The programs.
        extra_options: Further options of the server, which win over the defaults.
        initial_data: A data folder that the first start copies; without it, the server initialises one.

    """

    host = "127.0.0.1"

    def __init__(
        self, binaries: Binaries, extra_options: Sequence[str] = (), *, initial_data: Path | None = None
    ) -> None:
        self.engine = binaries.engine
        self.port = free_port()
        self.command_prefix: Sequence[str] = ()
        """A program that starts the server in surroundings of its own, such as a network."""
        self._binaries = binaries
        self._extra_options = tuple(extra_options)
        self._initial_data = initial_data
        self._home: ServerHome | None = None

    def url(self, database: str = "") -> str:
        """Return the URL of a database for the account without a password."""
        return f"mysql+asyncmy://root@{self.host}:{self.port}/{database}"

    def start(self) -> None:
        """Start it, the first time with new data; a failure leaves nothing behind."""
        try:
            home = self._home or self._make_home()
            if not home.process_id:
                home.launch(self._server_command(home))
            self._wait_until_ready(home)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill it and remove its folder with the data."""
        home, self._home = self._home, None
        if home is not None:
            home.remove()

    def shut_down(self) -> None:
        """Shut it down with SIGTERM, after which its data is complete; a frozen server is resumed first."""
        if self._home is not None:
            self._home.send(signal.SIGCONT)
            self._home.send(signal.SIGTERM)
            self._home.wait(SHUT_DOWN_SECONDS_MAX)
            self._home.kill()

    def kill(self) -> None:
        """Kill it with SIGKILL and wait for its end."""
        if self._home is not None:
            self._home.kill()

    def pause(self) -> None:
        """Freeze it with SIGSTOP and wait until it has stopped."""
        if self._home is None or not self._home.process_id:
            raise DatabaseServerFailed(f"{TRAITS[self.engine].label} does not run, so it cannot be frozen.")
        process_id = self._home.process_id
        self._home.send(signal.SIGSTOP)
        os.waitid(os.P_PID, process_id, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Resume it with SIGCONT."""
        if self._home is not None:
            self._home.send(signal.SIGCONT)

    def copy_data(self, target: Path) -> None:
        """Copy the data folder of this server, which must be shut down."""
        if self._home is None or self._home.process_id:
            raise DatabaseServerFailed(
                f"{TRAITS[self.engine].label} is not shut down, so its data is incomplete."
            )
        shutil.copytree(self._home.data, target)

    def _make_home(self) -> ServerHome:
        """Make the home folder with a data folder."""
        home = self._home = ServerHome(self.engine)
        if self._initial_data is not None:
            shutil.copytree(self._initial_data, home.data, dirs_exist_ok=True)
            # MySQL's identity, which it creates anew: servers of a group must have different ones.
            (home.data / "auto.cnf").unlink(missing_ok=True)
        self._hand_over(home)
        if self._initial_data is None:
            self._initialise(home)
        return home

    def _initialise(self, home: ServerHome) -> None:
        sql = home.folder / "bootstrap.sql"
        sql.write_text(self._binaries.bootstrap_sql(), encoding="utf-8")
        home.launch(self._binaries.bootstrap_command(home.folder), stdin=sql)
        if home.wait(BOOTSTRAP_SECONDS_MAX) != 0:
            raise self._failure(home, "did not initialise its data folder")

    def _hand_over(self, home: ServerHome) -> None:
        if self._binaries.as_nobody:
            give_to_nobody(home.folder)

    def _server_command(self, home: ServerHome) -> list[str]:
        """Return the whole command line of the server."""
        return [
            *self.command_prefix,
            *self._binaries.base_command(home.folder),
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--socket={home.folder / 'server.sock'}",
            f"--pid-file={home.folder / 'server.pid'}",
            *SERVER_OPTIONS,
            *TRAITS[self.engine].process_options,
            *self._extra_options,
        ]

    def _wait_until_ready(self, home: ServerHome) -> None:
        """Wait for the greeting.

        Raises:
            DatabaseServerFailed: the server ended before, or did not greet in time.

        """

        def check_alive() -> None:
            if not home.process_id:
                raise self._failure(home, "ended while starting")

        try:
            wait_for_greeting(self.host, self.port, seconds_max=START_SECONDS_MAX, check_alive=check_alive)
        except TimeoutError as error:
            raise self._failure(home, f"did not start: {error}") from error

    def _failure(self, home: ServerHome, what: str) -> DatabaseServerFailed:
        """Return the error with the end of the log."""
        return DatabaseServerFailed(
            f"{TRAITS[self.engine].label} {what}. The end of its log:\n{home.log_end()}"
        )
