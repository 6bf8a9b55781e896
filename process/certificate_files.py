"""The files of a server's certificate, of a gRPC server as well as of one for HTTP."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The files of a server's certificate, all PEM."""

    certificate: Path
    """Followed by the intermediate certificates."""
    key: Path
    client_ca: Path | None = None
    """The authorities of the certificates that clients must have; None: clients need no certificate."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files that are set."""
        return tuple(path for path in (self.certificate, self.key, self.client_ca) if path is not None)
