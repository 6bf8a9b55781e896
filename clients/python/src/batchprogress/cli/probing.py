"""What a plain connection tells about a server, where gRPC would only wait."""

import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PORT_DEFAULT = 443
"""What gRPC takes for a name without a port."""
PROBE_SECONDS_MAX = 5.0
"""A connection and a handshake take less, unless the network drops packets."""
_TARGET = re.compile(r"(?:dns:(?://[^/]*/)?)?(?P<host>\[[^\]]+\]|[^:/\[\]]+)(?::(?P<port>\d+))?")


@dataclass(frozen=True, slots=True)
class TlsPaths:
    """The PEM files of TLS; None for the system's authorities, and for no certificate of our own."""

    ca: Path | None
    certificate: Path | None
    key: Path | None


class ProbeFailed(Exception):
    """Its text says what is wrong, and what to do."""


def address_of(target: str) -> tuple[str, int] | None:
    """Return host and port of a gRPC target; None if it has none, as the path of a socket."""
    found = _TARGET.fullmatch(target)
    if found is None:
        return None
    return found["host"].strip("[]"), int(found["port"] or PORT_DEFAULT)


def probe(address: tuple[str, int], tls: TlsPaths | None) -> str:
    """Connect to a server, with TLS if it is to be used.

    Args:
        address: its host and port.
        tls: the files of TLS; None for plaintext.

    Returns:
        What was found, as a sentence.

    Raises:
        ProbeFailed: gRPC cannot connect either.

    """
    try:
        connection = socket.create_connection(address, PROBE_SECONDS_MAX)
    except socket.gaierror as error:
        raise ProbeFailed(f"nobody knows the name {address[0]} ({error.strerror}): check it") from error
    except TimeoutError as error:
        raise ProbeFailed("no answer: check the address, and firewalls on the way") from error
    except OSError as error:
        raise ProbeFailed(f"no connection ({error.strerror}): check that it runs, and the port") from error
    with connection:
        if tls is not None:
            return _handshake(connection, address[0], tls)
    if _speaks_tls(address):
        raise ProbeFailed("it speaks TLS, and plaintext was asked for: give --tls or --ca")
    return "connected, without TLS"


def _context_of(tls: TlsPaths) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # of OpenSSL too
        raise ProbeFailed(
            f"the files of --ca, --certificate and --key cannot be used ({error}): check that they are PEM,"
            " and that the key is that of the certificate"
        ) from error
    context.set_alpn_protocols(["h2"])
    return context


def _handshake(connection: socket.socket, host: str, tls: TlsPaths) -> str:
    context = _context_of(tls)
    try:
        with context.wrap_socket(connection, server_hostname=host) as encrypted:
            return f"connected, with {encrypted.version()}"
    except ssl.SSLCertVerificationError as error:
        raise ProbeFailed(f"its certificate is not accepted: {error.verify_message}") from error
    except (ssl.SSLError, OSError) as error:
        raise ProbeFailed("it does not speak TLS, which was asked for: leave --tls and --ca out") from error


def _speaks_tls(address: tuple[str, int]) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(OSError), socket.create_connection(address, PROBE_SECONDS_MAX) as connection:
        context.wrap_socket(connection).close()
        return True
    return False
