"""The file of opaque tokens: TOML, one table a token, with the token's SHA-256 and what it may do.

    [[token]]
    name = "billing-workers"
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    roles = ["worker", "reader"]
    batch_prefix = "billing-"        # optional: it knows of no other batches
    results_in_flight_max = 1000     # optional, as are calls_per_second_max and watches_max

A plain hash is enough, and fast: a token has 256 random bits, which nobody tries through. Who reads the
file learns no token. Looking a hash up tells nothing about a token by the time it takes.
"""

import hashlib
import secrets
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rpc.callers.limits import Limits
from rpc.callers.principal import Principal, Role
from rpc.callers.reloaded_files import read

TOKEN_BYTES = 32
TOKEN_PREFIX = "bp_"  # noqa: S105  # what scanners for leaked secrets recognise one by

Name = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
BatchPrefix = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{0,64}$")]


class TokenEntry(BaseModel):
    """A token as it stands in the file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Name
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    roles: frozenset[Role] = Field(min_length=1)
    batch_prefix: BatchPrefix = ""
    calls_per_second_max: float | None = Field(default=None, gt=0)
    results_in_flight_max: int | None = Field(default=None, ge=1)
    watches_max: int | None = Field(default=None, ge=1)

    def principal(self, limits: Limits) -> Principal:
        """Return who has the token; where the file names no limit, the one given is taken."""
        own = Limits(
            self.calls_per_second_max or limits.calls_per_second_max,
            self.results_in_flight_max or limits.results_in_flight_max,
            self.watches_max or limits.watches_max,
        )
        return Principal(self.name, self.roles, self.batch_prefix, own)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: list[TokenEntry] = []


def digest_of(token: str) -> str:
    """Return what the file holds of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """Return a token that nobody guesses."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def entry_text(name: str, token: str, roles: Iterable[Role], batch_prefix: str = "") -> str:
    """Return the lines to add to the file for a token.

    Raises:
        ValueError: what they would say is not allowed there.

    """
    digest = digest_of(token)
    _checked(
        {"token": [{"name": name, "sha256": digest, "roles": list(roles), "batch_prefix": batch_prefix}]}
    )
    named = ", ".join(f'"{role}"' for role in roles)
    lines = ["[[token]]", f"name = {_quoted(name)}", f'sha256 = "{digest}"', f"roles = [{named}]"]
    if batch_prefix:
        lines.append(f"batch_prefix = {_quoted(batch_prefix)}")
    return "\n".join(lines) + "\n"


def read_tokens(path: Path, limits: Limits) -> dict[str, Principal]:
    """Return who has which token, by its digest.

    Raises:
        ValueError: the file cannot be read, or is no such file; its text holds nothing of the content.

    """
    try:
        content = tomllib.loads(read(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ValueError(f"{path} is no TOML") from None
    try:
        return {entry.sha256: entry.principal(limits) for entry in _checked(content)}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _checked(content: object) -> list[TokenEntry]:
    try:
        entries = _File.model_validate(content).token
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ValueError(f"{place}: {problem['msg']}") from None
    if len({entry.sha256 for entry in entries}) < len(entries):
        raise ValueError("a token is there twice")
    return entries


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
