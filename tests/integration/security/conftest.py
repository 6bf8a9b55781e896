"""Tokens of every kind, and clients that use them."""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from rpc.callers.principal import Role
from rpc.callers.token_file import entry_text, new_token
from tests.support.progress import Served, served, stub_of

KEY = secrets.token_hex(32)
"""The key that signs watch tokens."""
AUDIENCE, ISSUER, ALGORITHM = "batchprogress", "https://issuer.example", "ES256"


@dataclass(frozen=True, slots=True)
class Tokens:
    """A file of tokens."""

    path: Path
    given: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, *roles: Role, prefix: str = "", more: str = "") -> str:
        """Add a token; `more` has further lines of its table."""
        token = self.given[name] = new_token()
        with self.path.open("a", encoding="utf-8") as file:
            file.write(entry_text(name, token, roles, prefix) + more + "\n")
        return token


class Issuer:
    """Signs tokens, as an identity provider does."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def private_pem(self) -> bytes:
        """The key that signs."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public_pem(self) -> bytes:
        """The key that verifies."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, roles: Sequence[str], **claims: Any) -> str:
        """Sign a token; a claim replaces that of a valid token, None removes it."""
        all_claims = {
            "sub": "someone",
            "roles": list(roles),
            "aud": AUDIENCE,
            "iss": ISSUER,
            "exp": time.time() + 60,
            **claims,
        }
        kept = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode(kept, self.private_pem, algorithm=ALGORITHM)


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    """Return an empty file of tokens."""
    path = tmp_path / "tokens.toml"
    path.touch()
    return Tokens(path)


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Return the issuer that servers trust."""
    return Issuer()


@pytest.fixture
def jwt_settings(tmp_path: Path, issuer: Issuer) -> dict[str, Any]:
    """Return the settings of a server that trusts the issuer."""
    key = tmp_path / "issuer.pem"
    key.write_bytes(issuer.public_pem)
    return {
        "jwt_key_file": key,
        "jwt_algorithm": ALGORITHM,
        "jwt_audience": AUDIENCE,
        "jwt_issuer": ISSUER,
    }


def write_keys(file: Path, *keys: str) -> Path:
    """Write a file of keys that only its owner may read."""
    file.write_text("".join(f"{key}\n" for key in keys), encoding="ascii")
    file.chmod(0o600)
    return file


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Return a file with KEY."""
    return write_keys(tmp_path / "watch-token-keys", KEY)


@asynccontextmanager
async def bearing(port: int, token: str) -> AsyncIterator[Served]:
    """Connect to a server with a token on every call."""
    value = f"Bearer {token}"
    # grpc.aio accepts one kind of call per interceptor.
    interceptors: list[grpc.aio.ClientInterceptor] = [_BearingCalls(value), _BearingStreams(value)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=interceptors) as channel:
        yield Served(port, channel, stub_of(channel))


class _Bearing:
    def __init__(self, value: str) -> None:
        self._value = value

    def _with(self, details: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()), ("authorization", self._value))
        return details._replace(metadata=metadata)


class _BearingCalls(_Bearing, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(self._with(details), request)


class _BearingStreams(_Bearing, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(self._with(details), request)


async def first_answer(call: Any, *, is_stream: bool) -> None:
    """Wait for the first answer to a call, or raise its error."""
    if not is_stream:
        await call
        return
    async for _ in call:
        break


Serve = Callable[..., Any]


@pytest.fixture
def serve(sqlite_url: str) -> Serve:
    """Return a function that serves over this database with the given settings."""
    return lambda **settings: served(sqlite_url, **settings)
