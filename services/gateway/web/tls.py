"""TLS of an HTTP port, with certificates that are replaced while it is open.

Each handshake looks for a new certificate, and uses it. If certificate and key do not match, as when only one
of them has been replaced yet, the old pair stays in use until they do.
"""

import ssl
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from process.certificate_files import CertificateFiles
from process.reloaded_files import ReloadedFiles, read


class HttpCertificate:
    """The certificate on disk, or the last valid one.

    Args:
        files: where it is.

    Raises:
        ValueError: a file cannot be read, or the key belongs to another certificate.

    """

    def __init__(self, files: CertificateFiles) -> None:
        self._files = ReloadedFiles(files.paths, lambda: _load(files))
        self.context = self._files.current.context
        """For the port. OpenSSL asks during each handshake which context to go on with."""
        self.context.sni_callback = self._choose

    @property
    def expiry(self) -> datetime:
        """When the certificate in use expires."""
        return self._files.current.expiry

    @property
    def is_stale(self) -> bool:
        """Whether the files were replaced by files that cannot be used."""
        return self._files.is_stale

    def _choose(self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        self._files.refresh()
        handshake.context = self._files.current.context


@dataclass(frozen=True, slots=True)
class _Loaded:
    context: ssl.SSLContext
    expiry: datetime


def _load(files: CertificateFiles) -> _Loaded:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    # A resumed session would not be asked for its certificate again, even if its authority was removed.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    try:
        # Without a password OpenSSL would ask the terminal for it.
        context.load_cert_chain(files.certificate, files.key, password="")
    except OSError:
        raise ValueError(
            f"{files.key} and {files.certificate} are not a PEM pair without a password"
        ) from None
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(files.client_ca)
        except OSError:
            raise ValueError(f"{files.client_ca} holds no certificate in PEM") from None
    return _Loaded(context, x509.load_pem_x509_certificates(read(files.certificate))[0].not_valid_after_utc)
