"""TLS of a server, with certificates that are replaced while it runs.

gRPC asks for the certificate at each handshake, so a new certificate is used for the next connection and
established connections are not cut. If certificate and key do not match, as when only one of them has been
replaced yet, the old pair stays in use until they do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from process.certificate_files import CertificateFiles
from process.reloaded_files import ReloadedFiles, read


class ServerCertificate:
    """The certificate on disk, or the last valid one.

    Args:
        files: where it is.

    Raises:
        ValueError: a file cannot be read, or the key belongs to another certificate.

    """

    def __init__(self, files: CertificateFiles) -> None:
        self._files = ReloadedFiles(files.paths, lambda: _load(files))
        self.requires_client_certificates = files.client_ca is not None

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials that always use the newest certificate."""
        make: Callable[..., grpc.ServerCredentials] = grpc.dynamic_ssl_server_credentials
        return make(
            self._files.current.configuration,
            self._renewed,
            require_client_authentication=self.requires_client_certificates,
        )

    @property
    def expiry(self) -> datetime:
        """When the certificate in use expires."""
        return self._files.current.expiry

    @property
    def is_stale(self) -> bool:
        """Whether the files were replaced by files that cannot be used."""
        return self._files.is_stale

    def _renewed(self) -> object | None:
        """Return the configuration of the next handshakes; None: unchanged. gRPC's own threads call this."""
        return self._files.current.configuration if self._files.refresh() else None


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A certificate as gRPC uses it, and when it expires."""

    configuration: object
    expiry: datetime


def _load(files: CertificateFiles) -> _Loaded:
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
