"""Secrets from files: a variable with _FILE names a file that holds the value of the one without."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECRET_BYTES_MAX = 64 * 1024
"""A URL or a token has some hundred bytes; a larger file is another file."""


def with_secret_files(prefix: str, values: Any, *names: str) -> Any:
    """Return the values of settings with each secret `name` read from the file that `name`_file names.

    The prefix is that of their variables.

    Raises:
        ValueError: both are set, or the file cannot be read; the text names the file, never the content.

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
    """Return what a file holds, without the line break at its end.

    Raises:
        ValueError: it cannot be read, or holds nothing that is a secret.

    """
    try:
        with path.open(encoding="utf-8") as file:
            secret = file.read(SECRET_BYTES_MAX + 1).strip()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text") from None
    if not secret or len(secret) > SECRET_BYTES_MAX:
        raise ValueError(f"{path} holds no secret")
    return secret
