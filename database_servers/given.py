"""A server run by someone else, given by a URL in the environment."""

import os
from collections.abc import Sequence
from typing import NoReturn
from urllib.parse import urlsplit

from database_servers.engines import TRAITS, Engine, engine_of, version_of
from database_servers.errors import DatabaseServerUnavailable
from database_servers.greeting import read_greeting
from database_servers.server import DatabaseServer, FoundServer

DEFAULT_PORT = 3306


def find_given(engine: Engine) -> FoundServer | None:
    """Return the server that the environment names, if it names one.

    Raises:
        DatabaseServerUnavailable: it does not answer, or is of the other engine.

    """
    url = os.environ.get(TRAITS[engine].url_variable)
    if not url:
        return None
    server = GivenServer(engine, url)
    version = version_of(server.greeting())
    place = f"{TRAITS[engine].url_variable}, {server.host}:{server.port}"

    def make(_no_options: Sequence[str]) -> DatabaseServer:
        return GivenServer(engine, url)

    return FoundServer(f"{TRAITS[engine].label} {version} ({place})", make)


class GivenServer(DatabaseServer):
    """A server that can be used, but not stopped or frozen, since others may use it.

    Args:
        engine: The engine.
        url: Such as `mysql+asyncmy://root:pw@host:3306/`; its path is replaced, its query kept.

    """

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine = engine
        self._parts = urlsplit(url)
        self._variable = TRAITS[engine].url_variable
        try:
            self.host, self.port = self._parts.hostname or "", self._parts.port or DEFAULT_PORT
        except ValueError as error:
            raise DatabaseServerUnavailable(f"The URL in {self._variable} has no valid port.") from error

    def url(self, database: str = "") -> str:
        """Return the given URL with this database."""
        return self._parts._replace(path=f"/{database}").geturl()

    def greeting(self) -> str:
        """Return the version text of its greeting.

        Raises:
            DatabaseServerUnavailable: it does not answer, or is of the other engine.

        """
        try:
            text = read_greeting(self.host, self.port)
        except OSError as error:
            raise DatabaseServerUnavailable(
                f"{self._variable} names {self.host}:{self.port}, where no server answers ({error})."
            ) from error
        if engine_of(text) != self.engine:
            raise DatabaseServerUnavailable(f"{self._variable} names a server of the other engine ({text}).")
        return text

    def start(self) -> None:
        """Check that it answers."""
        self.greeting()

    def stop(self) -> None:
        """Do nothing, since others may use it."""

    def shut_down(self) -> None:
        """Refuse."""
        self._refuse()

    def kill(self) -> None:
        """Refuse."""
        self._refuse()

    def pause(self) -> None:
        """Refuse."""
        self._refuse()

    def resume(self) -> None:
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise DatabaseServerUnavailable(
            f"The server in {self._variable} must not be stopped or frozen: others may use it."
        )
