"""Finds a server for an engine: given by a URL, installed, in Docker, or in Debian's packages."""

from collections.abc import Sequence
from dataclasses import replace

from database_servers.container import find_image
from database_servers.debian import find_in_debian
from database_servers.engines import Engine
from database_servers.errors import DatabaseServerFailed, DatabaseServerUnavailable
from database_servers.given import find_given
from database_servers.machine import find_on_machine
from database_servers.server import DatabaseServer, FoundServer


def database_server(
    engine: Engine, extra_options: Sequence[str] = (), *, own: bool = False
) -> DatabaseServer:
    """Return a server that is not started yet.

    Args:
        engine: The engine.
        extra_options: Further options of the server program, such as `--innodb-lock-wait-timeout=1`.
        own: Whether the server may be stopped and frozen. Then, as with `extra_options`, the URL in the
            environment is ignored.

    Raises:
        DatabaseServerUnavailable: there is no way to a server.

    """
    return _find(engine, own=own or bool(extra_options)).make(extra_options)


def describe(engine: Engine, *, own: bool = False) -> str:
    """Return one line about the server that `database_server` returns, after setting it up if needed.

    Raises:
        DatabaseServerUnavailable: there is no way to a server.

    """
    return _find(engine, own=own).description


def _find(engine: Engine, *, own: bool) -> FoundServer:
    """Look for a URL, an installed server that works, Docker, and Debian's packages, in this order."""
    given = None if own else find_given(engine)
    if given is not None:
        return given
    try:
        installed, passed_over = find_on_machine(engine), ""
    except DatabaseServerFailed as error:
        installed, passed_over = None, f"; passed over {error.in_one_line}"
    try:
        found = installed or find_image(engine) or find_in_debian(engine)
    except DatabaseServerUnavailable as error:
        raise DatabaseServerUnavailable(f"{error}{passed_over}") from error
    return replace(found, description=f"{found.description}{passed_over}")
