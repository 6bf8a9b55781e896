"""Signs the certificates of our pods, for clusters without cert-manager."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

COMMON_NAME = "batchprogress"
VALID_FOR = timedelta(days=3650)
"""Nothing renews them. The authority's key is in the same namespace: whoever can read an old key can sign
a new certificate, so that a shorter time would add outages, not security."""
CLOCK_SKEW = timedelta(minutes=5)
"""A node's clock may be behind ours."""
NO_USAGE = dict.fromkeys(
    ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
     "decipher_only"),
    False,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """Signs certificates with its own.

    Args:
        pair: its certificate and key.

    Raises:
        ValueError: the pair is not PEM, or its key is not for elliptic curves.

    """

    def __init__(self, pair: Pair) -> None:
        key = load_pem_private_key(pair.key, password=None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise ValueError("the key of the authority is not for elliptic curves")  # noqa: TRY004
        self._key = key
        self._certificate = x509.load_pem_x509_certificate(pair.certificate)
        self.pair = pair

    @classmethod
    def new(cls) -> "Authority":
        """Return a new authority, which signs itself."""
        key = generate_private_key(SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
        builder = _builder(name, name, key)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        # Python 3.13 and newer refuse an authority without it.
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        return cls(_signed(builder, key, key))

    def sign(self, name: str, hosts: list[str], *, is_server: bool) -> Pair:
        """Return a new certificate.

        Args:
            name: the common name.
            hosts: the DNS names that it is valid for.
            is_server: whether it is for a server; otherwise for a client.

        """
        key = generate_private_key(SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(subject, self._certificate.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in hosts]), critical=False)
            .add_extension(issuer_key, critical=False)
        )
        return _signed(builder, key, self._key)


def _builder(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        **NO_USAGE,
    )


def _signed(
    builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey, signing_key: EllipticCurvePrivateKey
) -> Pair:
    certificate = builder.sign(signing_key, hashes.SHA256()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate, private)
