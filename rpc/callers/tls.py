"""TLS of a server, with certificates that are replaced while it runs.

gRPC asks for the certificate at each handshake, so a new one serves the next connection
and no connection that stands is cut. A pair that does not fit together (half of it is
written) is left until it does; meanwhile the old one serves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from rpc.callers.reloaded_files import FromFiles, read


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificate of a server is kept, all PEM."""

    certificate: Path
    """With the intermediate certificates below it."""
    key: Path
    client_ca: Path | None = None
    """Whose certificates clients must have; None: clients need none."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them."""
        return tuple(path for path in (self.certificate, self.key, self.client_ca) if path is not None)


class ServerCertificate:
    """The certificate that is on the disk now, as far as it is whole."""

    def __init__(self, files: TlsFiles) -> None:
        """Read it.

        Raises:
            ValueError: a file cannot be read, or the key is another certificate's.

        """
        self._loaded = FromFiles(files.paths, lambda: _load(files))
        self.asks_clients = files.client_ca is not None
        """Whether clients must have a certificate too."""

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials that always serve the newest certificate."""
        make: Callable[..., grpc.ServerCredentials] = grpc.dynamic_ssl_server_credentials
        return make(
            self._loaded.current.configuration,
            self._renewed,
            require_client_authentication=self.asks_clients,
        )

    @property
    def expiry(self) -> datetime:
        """When the one in use expires."""
        return self._loaded.current.expiry

    @property
    def is_stale(self) -> bool:
        """Whether the files hold another certificate, which cannot be used."""
        return self._loaded.is_stale

    def _renewed(self) -> object | None:
        """Return what the next handshakes use; None: what they used before. Called by gRPC's own threads."""
        return self._loaded.current.configuration if self._loaded.refresh() else None


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What gRPC serves, and when it expires."""

    configuration: object
    expiry: datetime


def _load(files: TlsFiles) -> _Loaded:
    chain, key = read(files.certificate), read(files.key)
    roots = read(files.client_ca) if files.client_ca is not None else None
    certificate = _certificates(files.certificate, chain)[0]
    if roots is not None:
        _certificates(files.client_ca, roots)
    if _public_key(files.key, key) != certificate.public_key():
        raise ValueError(f"{files.key} is not the key of {files.certificate}")
    configuration = grpc.ssl_server_certificate_configuration([(key, chain)], roots)
    return _Loaded(configuration, certificate.not_valid_after_utc)


def _certificates(path: Path | None, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError(f"{path} holds no certificate in PEM") from None


def _public_key(path: Path, pem: bytes) -> object:
    try:
        return load_pem_private_key(pem, password=None).public_key()
    except (ValueError, TypeError):
        raise ValueError(f"{path} holds no private key in PEM without a password") from None
