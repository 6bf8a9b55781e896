"""The order in which servers are looked for, and the two questions tests ask."""

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
    """Return a server that is not started yet; DatabaseServerUnavailable if there is no way to one.

    `extra_options` are passed to the server program. They, or `own`, ask for a server
    that may be started, ended and frozen: then the environment's URL is passed over.
    """
    return _find(engine, own=own or bool(extra_options)).make(extra_options)


def describe(engine: Engine, *, own: bool = False) -> str:
    """Return one line on the server `database_server` would give, setting it up if need be."""
    return _find(engine, own=own).description


def _find(engine: Engine, *, own: bool) -> FoundServer:
    """Look for a URL, an installed server, Docker, and Debian's packages, in this order."""
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
