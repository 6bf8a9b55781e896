"""Certificates for tests: of 127.0.0.1, signed by themselves or by an authority."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LOOPBACK = x509.SubjectAlternativeName(
    [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]  # proxies look for a name
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write both into files, the key first; return the paths of certificate and key."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        key.write_bytes(self.key)
        certificate.write_bytes(self.certificate)
        return certificate, key


class Authority:
    """Signs certificates. Like those of MicroK8s and older EKS, its own one lacks keyUsage.

    Args:
        name: Its common name.

    """

    def __init__(self, name: str) -> None:
        self._key = _new_key()
        self._name = _name(name)
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        builder = _builder(self._name, self._name, self._key).add_extension(constraints, critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        self.certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def write(self, folder: Path) -> Path:
        """Write its certificate into a file, and return the path."""
        path = folder / "ca.pem"
        path.write_bytes(self.certificate)
        return path

    def mutual_tls(self, folder: Path) -> dict[str, Path]:
        """Return the settings of a server with a certificate of this authority, which clients need, too."""
        certificate, key = self.sign("server").write(folder, "server")
        return {
            "tls_certificate_file": certificate,
            "tls_key_file": key,
            "tls_client_ca_file": self.write(folder),
        }

    def sign(self, name: str) -> Pair:
        """Return a new certificate for a server or a client on 127.0.0.1."""
        key = _new_key()
        return _signed(_builder(_name(name), self._name, key), key, self._key)


def self_signed() -> tuple[bytes, bytes]:
    """Return the key and the certificate of a new server on 127.0.0.1 that signs itself, as PEM."""
    key, name = _new_key(), _name("tests")
    pair = _signed(_builder(name, name, key), key, key)
    return pair.key, pair.certificate


def _signed(
    builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey, signing_key: EllipticCurvePrivateKey
) -> Pair:
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    builder = builder.add_extension(LOOPBACK, critical=False).add_extension(identifier, critical=False)
    certificate = builder.sign(signing_key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate.public_bytes(Encoding.PEM), private)


def _builder(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _new_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
