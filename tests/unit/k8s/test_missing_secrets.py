"""`python -m k8s.new_secrets`: what it creates beside what exists."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey

from k8s.authority import Authority
from k8s.missing_secrets import (
    AUTHORITY,
    HOLDERS,
    ROLES,
    WATCH_TOKEN_KEY,
    Incomplete,
    NewSecret,
    Secrets,
    missing_certificates,
    missing_keys,
    missing_tokens,
    names,
)
from rpc.callers.limits import UNLIMITED, Limits
from rpc.callers.token_file import digest_of, read_tokens
from rpc.callers.watch_tokens import WatchTokens
from tests.unit.k8s.layout import Layout, values

NAMESPACE = "elsewhere"


def created(existing: Secrets) -> dict[str, NewSecret]:
    """Return the Secrets that are created beside those that exist."""
    new = [*missing_certificates(existing, NAMESPACE), *missing_tokens(existing), *missing_keys(existing)]
    assert len({one.name for one in new}) == len(new)
    return {one.name: one for one in new}


@pytest.fixture(scope="module")
def all_of_them() -> dict[str, NewSecret]:
    """Return what is created in an empty namespace."""
    return created({})


@pytest.fixture
def existing(all_of_them: dict[str, NewSecret]) -> dict[str, dict[str, bytes]]:
    """Return the content of a namespace with all of them."""
    return {name: dict(secret.data) for name, secret in all_of_them.items()}


def test_all_secrets_of_the_overlay_are_created(all_of_them: dict[str, NewSecret], secured: Layout) -> None:
    """Only the URLs of the databases come from files."""
    mounted = {
        (secret["secretName"], item["key"])
        for secret in values(secured.objects, "secret")
        for item in secret["items"]
    }
    provided = {(name, key) for name, secret in all_of_them.items() for key in secret.data}
    assert mounted - provided == {("batchprogress-database", "url"), ("batchprogress-queue", "url")}
    assert all_of_them.keys() == set(names())


def test_server_accepts_the_key_of_watch_tokens(all_of_them: dict[str, NewSecret], tmp_path: Path) -> None:
    """With the permissions that the layout gives the file; another run makes another key."""
    file = tmp_path / "keys"
    file.write_bytes(all_of_them[WATCH_TOKEN_KEY].data["keys"])
    file.chmod(0o440)
    assert WatchTokens(file, frozenset(), UNLIMITED).create("b", 60)
    assert created({})[WATCH_TOKEN_KEY] != all_of_them[WATCH_TOKEN_KEY]


def test_nothing_is_created_twice(existing: dict[str, dict[str, bytes]]) -> None:
    assert created(existing) == {}


@pytest.mark.parametrize("name", ["progress-tls", "dashboard-tls"])
def test_deleted_certificate_is_signed_by_the_same_authority(
    existing: dict[str, dict[str, bytes]], name: str
) -> None:
    del existing[name]
    (again,) = created(existing).values()
    assert again.name == name
    assert again.data["ca.crt"] == existing[AUTHORITY]["tls.crt"]


def test_certificates_of_another_authority_are_kept(existing: dict[str, dict[str, bytes]]) -> None:
    """If one of them is missing, ours cannot sign it."""
    del existing[AUTHORITY]
    assert created(existing) == {}
    del existing["progress-tls"]
    with pytest.raises(Incomplete, match="progress-tls: missing"):
        created(existing)


@pytest.mark.parametrize("server", HOLDERS)
def test_servers_accept_the_tokens_of_their_callers(
    existing: dict[str, dict[str, bytes]], server: str, tmp_path: Path
) -> None:
    """With their roles. A file of hashes that was deleted is made from the same tokens."""
    del existing[f"{server}-tokens"]
    (again,) = created(existing).values()
    file = tmp_path / "tokens"
    file.write_bytes(again.data["tokens"])
    accepted = read_tokens(file, Limits())
    tokens = {holder: existing[f"{holder}-token"]["token"].decode() for holder in HOLDERS[server]}
    assert accepted.keys() == {digest_of(token) for token in tokens.values()}
    for holder, token in tokens.items():
        assert accepted[digest_of(token)].roles == frozenset(ROLES[holder])


def test_token_whose_hash_exists_cannot_be_made(existing: dict[str, dict[str, bytes]]) -> None:
    """Those of workers may be kept elsewhere; those of our pods must be in the cluster."""
    del existing["worker-token"]
    assert created(existing) == {}
    del existing["dashboard-token"]
    with pytest.raises(Incomplete, match="dashboard-token: missing"):
        created(existing)


def test_certificates_are_valid_for_their_services(all_of_them: dict[str, NewSecret]) -> None:
    """In this namespace, in others, and behind `kubectl port-forward`."""
    certificate = x509.load_pem_x509_certificate(all_of_them["progress-tls"].data["tls.crt"])
    hosts = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert hosts.get_values_for_type(x509.DNSName) == [
        "progress",
        "progress.elsewhere",
        "progress.elsewhere.svc",
        "progress.elsewhere.svc.cluster.local",
        "localhost",
    ]


def test_authority_says_what_its_key_is_for() -> None:
    """Python 3.13 and newer refuse authorities that do not, and certificates without a key identifier."""
    authority = Authority.new()
    own = x509.load_pem_x509_certificate(authority.pair.certificate)
    assert own.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    leaf = x509.load_pem_x509_certificate(authority.sign("a", ["a"], is_server=True).certificate)
    assert leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    key = own.public_key()
    assert isinstance(key, EllipticCurvePublicKey)
    assert leaf.signature_hash_algorithm is not None
    key.verify(leaf.signature, leaf.tbs_certificate_bytes, ECDSA(leaf.signature_hash_algorithm))
