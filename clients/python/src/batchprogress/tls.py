"""TLS whose certificates may be replaced while the process runs."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc

Certificates = tuple[bytes | None, bytes | None, bytes | None]
"""The authorities, the own key and the own certificate, in PEM."""


class TlsFiles:
    """TLS credentials in PEM files, which are read again for each new connection.

    Args:
        ca: the certificates of the authorities that may have signed the server's. Default: the system's.
        certificate: the client's own certificate, for a server that asks for one. Default: none.
        key: the key of that certificate.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is empty, or there is a certificate without a key or a key without a certificate.

    Example:
        >>> files = TlsFiles(ca="ca.pem", certificate="own.pem", key="own.key")
        >>> client = Client("progress:50051", credentials=files)

    """

    def __init__(
        self,
        ca: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
    ) -> None:
        if (certificate is None) != (key is None):
            raise ValueError("a certificate and its key go together: give both files, or neither")
        self._paths = tuple(None if path is None else Path(path) for path in (ca, key, certificate))
        self._certificates = self._read()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle needs: the paths, so that no key leaves this process."""
        ca, key, certificate = self._paths
        return TlsFiles, (ca, certificate, key)

    def credentials(self) -> grpc.ChannelCredentials:
        """Return gRPC's credentials from the files.

        Returns:
            The credentials in the files now; while one of them is being replaced, those read before.

        Example:
            >>> files = TlsFiles(ca="ca.pem")
            >>> channel = grpc.secure_channel("progress:50051", files.credentials())

        """
        return grpc.ssl_channel_credentials(*self.certificates())

    def certificates(self) -> Certificates:
        """Return the contents of the files.

        Returns:
            The authorities' certificates, the own key and the own certificate, each None without a file.
            While one of the files is being replaced, what was read before.

        Example:
            >>> files = TlsFiles(ca="ca.pem")
            >>> ca, key, certificate = files.certificates()

        """
        with suppress(OSError, ValueError):
            self._certificates = self._read()
        return self._certificates

    def _read(self) -> Certificates:
        ca, key, certificate = (None if path is None else _read_pem(path) for path in self._paths)
        return ca, key, certificate


def _read_pem(path: Path) -> bytes:
    content = path.read_bytes()
    if not content:
        raise ValueError(f"{path} is empty")
    return content
