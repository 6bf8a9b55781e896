"""The file of opaque tokens: TOML with one table per token, which holds the token's SHA-256 and its rights.

    [[token]]
    name = "billing-workers"
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    roles = ["worker", "reader"]
    batch_prefix = "billing-"        # optional: other batches do not exist for it
    results_in_flight_max = 1000     # optional, as are calls_per_second_max, watches_max and reads_max

A plain hash is fast and sufficient: a token has 256 random bits, too many to try. The file does not reveal
the tokens, and the time that the lookup of a hash takes reveals nothing about a token.
"""

import hashlib
import json
import secrets
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from process.reloaded_files import read
from process.validation import sentence_of
from rpc.callers.limits import Limits
from rpc.callers.principal import BatchPrefix, CallerName, Principal, Role

TOKEN_BYTES = 32
TOKEN_PREFIX = "bp_"  # noqa: S105  # by which scanners recognise a leaked token


class TokenEntry(BaseModel):
    """A token's table in the file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: CallerName
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    roles: frozenset[Role] = Field(min_length=1)
    batch_prefix: BatchPrefix = ""
    calls_per_second_max: float | None = Field(default=None, gt=0)
    results_in_flight_max: int | None = Field(default=None, ge=1)
    watches_max: int | None = Field(default=None, ge=1)
    reads_max: int | None = Field(default=None, ge=1)

    def principal(self, default: Limits) -> Principal:
        """Return the caller with this token; `default` has the limits that the file leaves open."""
        limits = Limits(
            self.calls_per_second_max or default.calls_per_second_max,
            self.results_in_flight_max or default.results_in_flight_max,
            self.watches_max or default.watches_max,
            self.reads_max or default.reads_max,
        )
        return Principal(self.name, self.roles, self.batch_prefix, limits)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: list[TokenEntry] = []


def digest_of(token: str) -> str:
    """Return the SHA-256 of a token, in lower-case hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """Return a new random token."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def entry_text(name: str, token: str, roles: Iterable[Role], batch_prefix: str = "") -> str:
    """Write a token's table for the file.

    Args:
        name: the name of the caller.
        token: the token, of which only the hash is written.
        roles: what the caller may do.
        batch_prefix: the prefix of the caller's batches; empty: all batches.

    Returns:
        The lines of the table.

    Raises:
        ValueError: a value is not allowed in the file.

    """
    entry: dict[str, object] = {
        "name": name,
        "sha256": digest_of(token),
        "roles": list(roles),
        "batch_prefix": batch_prefix,
    }
    _checked({"token": [entry]})
    if not batch_prefix:
        del entry["batch_prefix"]
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]  # in ASCII, JSON is TOML
    return "\n".join(["[[token]]", *lines]) + "\n"


def read_tokens(path: Path, default: Limits) -> dict[str, Principal]:
    """Read the file.

    Args:
        path: the file.
        default: the limits of callers for whom the file has none.

    Returns:
        The callers by the digests of their tokens.

    Raises:
        ValueError: the file cannot be read, or is not a file of tokens; the text quotes nothing of it.

    """
    try:
        content = tomllib.loads(read(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ValueError(f"{path} is not TOML") from None
    try:
        return {entry.sha256: entry.principal(default) for entry in _checked(content)}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _checked(content: object) -> list[TokenEntry]:
    try:
        entries = _File.model_validate(content).token
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ValueError(f"{place}: {sentence_of(problem)}") from None
    if len({entry.sha256 for entry in entries}) < len(entries):
        raise ValueError("duplicate token")
    return entries
