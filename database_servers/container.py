"""A private server in a Docker container, through the `docker` command."""

import secrets
from collections.abc import Sequence
from functools import partial

from database_servers.commands import output_of
from database_servers.engines import SERVER_OPTIONS, TRAITS, Engine
from database_servers.errors import CommandFailed, DatabaseServerFailed
from database_servers.greeting import wait_for_greeting
from database_servers.ports import free_port
from database_servers.server import DatabaseServer, FoundServer
from database_servers.watchdog import Watchdog

# A daemon that answers does so within a second; a dead remote one must not hang the tests.
INFO_SECONDS_MAX = 10.0
# The first start pulls the image, some 200 to 300 MB.
PULL_SECONDS_MAX = 900.0
# Every other command ends in seconds.
COMMAND_SECONDS_MAX = 60.0
# The image makes its data folder first: 5 to 10 s, more on a busy CI machine.
START_SECONDS_MAX = 180.0
# Then Docker kills it.
SHUT_DOWN_SECONDS = 30
LOG_LINES_SHOWN = 20
CONTAINER_PORT = 3306


def find_image(engine: Engine) -> FoundServer | None:
    """Find Docker, if its daemon answers; the image is pulled at the first start."""
    try:
        output_of("docker", "info", "--format", "{{.ServerVersion}}", seconds_max=INFO_SECONDS_MAX)
    except CommandFailed:
        return None
    description = f"{TRAITS[engine].label} (Docker image {TRAITS[engine].image})"
    return FoundServer(description, partial(ContainerServer, engine))


class ContainerServer(DatabaseServer):
    """A container of our own: the port is its for life, the data lives from the first `start` to `stop`."""

    host = "127.0.0.1"

    def __init__(self, engine: Engine, extra_options: Sequence[str] = ()) -> None:
        """Take options such as `--innodb-lock-wait-timeout=1`; they come last, so they win."""
        self.engine = engine
        self.port = free_port()
        self._extra_options = tuple(extra_options)
        self._name = f"batchprogress-{engine}-{secrets.token_hex(4)}"
        self._watchdog: Watchdog | None = None

    def url(self, database: str = "") -> str:
        """Return the URL of a database, for the account without a password."""
        return f"mysql+asyncmy://root@{self.host}:{self.port}/{database}"

    def start(self) -> None:
        """Start it, the first time with new data; when that fails nothing stays behind."""
        try:
            if self._watchdog is None:
                self._create()
            self._docker("start", self._name)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill it and remove it with its data."""
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.finish()

    def shut_down(self) -> None:
        """End it in an orderly way; a frozen container is resumed first."""
        self.resume()
        if self._is("Running"):
            self._docker("stop", "-t", str(SHUT_DOWN_SECONDS), self._name)

    def kill(self) -> None:
        """End it with SIGKILL; a frozen container would not take the signal."""
        self.resume()
        if self._is("Running"):
            self._docker("kill", self._name)

    def pause(self) -> None:
        """Freeze all its processes; connections stay open, held by the kernel."""
        self._docker("pause", self._name)

    def resume(self) -> None:
        """Let a frozen container go on."""
        if self._is("Paused"):
            self._docker("unpause", self._name)

    def _create(self) -> None:
        """Make the container, pulling the image if need be; guarded from its first moment on."""
        self._watchdog = Watchdog(["docker", "rm", "--force", "--volumes", self._name])
        self._docker(
            "create",
            f"--name={self._name}",
            f"--publish={self.host}:{self.port}:{CONTAINER_PORT}",
            f"--env={TRAITS[self.engine].image_environment}",
            TRAITS[self.engine].image,
            *SERVER_OPTIONS,
            *self._extra_options,
            seconds_max=PULL_SECONDS_MAX,
        )

    def _wait_until_ready(self) -> None:
        """Wait for the greeting; while the image makes its data folder it serves no network."""
        try:
            wait_for_greeting(
                self.host, self.port, seconds_max=START_SECONDS_MAX, check_alive=self._check_alive
            )
        except TimeoutError as error:
            raise self._failure(f"did not start: {error}") from error

    def _check_alive(self) -> None:
        if not self._is("Running"):
            raise self._failure("ended while starting")

    def _is(self, state: str) -> bool:
        """Tell whether the container is in Docker's state "Running" or "Paused" (which is also Running)."""
        if self._watchdog is None:
            return False
        return self._docker("inspect", f"--format={{{{.State.{state}}}}}", self._name).strip() == "true"

    def _docker(self, *arguments: str, seconds_max: float = COMMAND_SECONDS_MAX) -> str:
        """Run a docker command; its failure is the server's."""
        try:
            return output_of("docker", *arguments, seconds_max=seconds_max)
        except CommandFailed as error:
            raise DatabaseServerFailed(f"{TRAITS[self.engine].label} in Docker: {error}.") from error

    def _failure(self, what: str) -> DatabaseServerFailed:
        """Return the error, with the end of the log."""
        log = self._docker("logs", f"--tail={LOG_LINES_SHOWN}", self._name)
        return DatabaseServerFailed(f"{TRAITS[self.engine].label} {what}. The end of its log:\n{log}")
