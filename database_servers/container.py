"""A server of our own in a Docker container, through the `docker` command."""

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

# The daemon answers within a second; a remote one that is down must not hang the tests.
INFO_SECONDS_MAX = 10.0
# The first start pulls the image of 200 to 300 MB.
PULL_SECONDS_MAX = 900.0
# Every other command ends in seconds.
COMMAND_SECONDS_MAX = 60.0
# The image initialises its data folder first: 5 to 10 s, more on a busy CI machine.
START_SECONDS_MAX = 180.0
# After this, Docker kills it.
SHUT_DOWN_SECONDS = 30
LOG_LINES_SHOWN = 20
CONTAINER_PORT = 3306


def find_image(engine: Engine) -> FoundServer | None:
    """Return a way to the image if the Docker daemon answers; the first start pulls the image."""
    try:
        output_of("docker", "info", "--format", "{{.ServerVersion}}", seconds_max=INFO_SECONDS_MAX)
    except CommandFailed:
        return None
    description = f"{TRAITS[engine].label} (Docker image {TRAITS[engine].image})"
    return FoundServer(description, partial(ContainerServer, engine))


class ContainerServer(DatabaseServer):
    """A container that keeps its port for life, and its data from the first `start` to `stop`.

    Args:
        engine: The engine.
        extra_options: Further options of the server, which win over the defaults.

    """

    host = "127.0.0.1"

    def __init__(self, engine: Engine, extra_options: Sequence[str] = ()) -> None:
        self.engine = engine
        self.port = free_port()
        self._extra_options = tuple(extra_options)
        self._name = f"batchprogress-{engine}-{secrets.token_hex(4)}"
        self._watchdog: Watchdog | None = None

    def url(self, database: str = "") -> str:
        """Return the URL of a database for the account without a password."""
        return f"mysql+asyncmy://root@{self.host}:{self.port}/{database}"

    def start(self) -> None:
        """Start it, the first time with new data; a failure leaves nothing behind."""
        try:
            if self._watchdog is None:
                self._create()
            self._docker("start", self._name)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill and remove it with its data."""
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.finish()

    def shut_down(self) -> None:
        """Shut it down; a frozen container is resumed first."""
        self.resume()
        if self._is("Running"):
            self._docker("stop", "-t", str(SHUT_DOWN_SECONDS), self._name)

    def kill(self) -> None:
        """Kill it with SIGKILL; a frozen container is resumed first, since it would not get the signal."""
        self.resume()
        if self._is("Running"):
            self._docker("kill", self._name)

    def pause(self) -> None:
        """Freeze all its processes; the kernel keeps connections open."""
        self._docker("pause", self._name)

    def resume(self) -> None:
        """Resume a frozen container."""
        if self._is("Paused"):
            self._docker("unpause", self._name)

    def _create(self) -> None:
        """Create the container, guarded from the first moment on; pull the image if needed."""
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
        """Wait for the greeting; the image does not listen while it initialises its data folder."""
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
        """Return whether the container is "Running" or "Paused"; a paused one is also "Running"."""
        if self._watchdog is None:
            return False
        return self._docker("inspect", f"--format={{{{.State.{state}}}}}", self._name).strip() == "true"

    def _docker(self, *arguments: str, seconds_max: float = COMMAND_SECONDS_MAX) -> str:
        """Run a docker command.

        Raises:
            DatabaseServerFailed: the command failed.

        """
        try:
            return output_of("docker", *arguments, seconds_max=seconds_max)
        except CommandFailed as error:
            raise DatabaseServerFailed(f"{TRAITS[self.engine].label} in Docker: {error}.") from error

    def _failure(self, what: str) -> DatabaseServerFailed:
        """Return the error with the end of the log."""
        log = self._docker("logs", f"--tail={LOG_LINES_SHOWN}", self._name)
        return DatabaseServerFailed(f"{TRAITS[self.engine].label} {what}. The end of its log:\n{log}")
