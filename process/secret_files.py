"""Secrets from files: a variable whose name ends in _FILE names the file that holds the value."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECRET_BYTES_MAX = 64 * 1024
"""A URL or a token takes some hundred bytes; a larger file is not a secret's file."""


def with_secret_files(prefix: str, values: Any, *names: str) -> Any:
    """Fill in the secrets that settings take from files.

    Args:
        prefix: the prefix of the settings' variables.
        values: the values of the settings, as a pydantic validator of mode `before` gets them.
        names: the settings that hold secrets; the secret `x` may be read from the file that `x_file` names.

    Returns:
        The values, with the secrets read from their files.

    Raises:
        ValueError: a secret and its file are both set, or the file cannot be used. The text names the file
            and never quotes its content.

    """
    if not isinstance(values, Mapping):
        return values
    filled = dict(values)
    for name in names:
        path, variable = filled.get(f"{name}_file"), f"{prefix}{name}".upper()
        if path is None:
            continue
        if name in filled:
            raise ValueError(f"set {variable} or {variable}_FILE, not both")
        try:
            filled[name] = read_secret(Path(path))
        except ValueError as error:
            raise ValueError(f"{variable}_FILE: {error}") from None
    return filled


def read_secret(path: Path) -> str:
    """Read the secret in a file.

    Args:
        path: the file, UTF-8.

    Returns:
        The content, without white space around it.

    Raises:
        ValueError: the file cannot be read, is empty, or is too large for a secret. The text names the file
            and never quotes its content.

    """
    try:
        with path.open(encoding="utf-8") as file:
            secret = file.read(SECRET_BYTES_MAX + 1).strip()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8") from None
    if not secret:
        raise ValueError(f"{path} is empty")
    if len(secret) > SECRET_BYTES_MAX:
        raise ValueError(f"{path} is larger than {SECRET_BYTES_MAX} bytes, so it is not the file of a secret")
    return secret


def read_token(path: Path) -> str:
    """Read the bearer token in a file.

    Args:
        path: the file.

    Returns:
        The token, without white space around it.

    Raises:
        ValueError: the file cannot be read, or does not hold a token that a header can carry. The text names
            the file and never quotes its content.

    """
    token = read_secret(path)
    if not (token.isascii() and token.isprintable()):
        raise ValueError(f"{path} is not one line of printable ASCII characters")
    return token
