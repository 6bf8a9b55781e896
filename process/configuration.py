"""Settings from the environment, or one clear line for each invalid setting."""

import sys
from typing import NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

EXIT_BAD_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h. Another try cannot help, so a CronJob's podFailurePolicy fails the Job on it."""

Settings = TypeVar("Settings", bound=BaseSettings)


def load(settings: type[Settings]) -> Settings:
    """Read settings from the environment.

    Args:
        settings: the class of the settings.

    Returns:
        The settings.

    Raises:
        SystemExit: with code 78, after naming each invalid variable on standard error.

    """
    try:
        return settings()
    except ValidationError as error:
        prefix = str(settings.model_config.get("env_prefix", ""))
        refuse(*(_describe(prefix, problem["loc"], problem["msg"]) for problem in error.errors()))


def refuse(*problems: str) -> NoReturn:
    """Print the problems and exit with code 78.

    Args:
        problems: a sentence for each.

    Raises:
        SystemExit: always.

    """
    for problem in problems:
        sys.stderr.write(f"configuration: {problem}\n")  # logging is not set up yet
    raise SystemExit(EXIT_BAD_CONFIGURATION)


def _describe(prefix: str, location: tuple[int | str, ...], message: str) -> str:
    """Name the variable but not its value: a database URL contains a password."""
    sentence = message.removeprefix("Value error, ")
    if not location:  # the problem is a combination of variables, which the sentence names
        return sentence
    name = ".".join(str(part) for part in location)
    return f"{prefix}{name}".upper() + ": " + sentence
