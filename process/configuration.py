"""Settings from the environment, or one clear line for each that is wrong."""

import sys
from typing import NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

EXIT_BAD_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: trying again cannot help, so a CronJob's podFailurePolicy ends the Job on it."""

Settings = TypeVar("Settings", bound=BaseSettings)


def load(settings: type[Settings]) -> Settings:
    """Read settings from the environment; exit 78 and name the variables at fault if they are wrong."""
    try:
        return settings()
    except ValidationError as error:
        prefix = str(settings.model_config.get("env_prefix", ""))
        refuse(*(_describe(prefix, problem["loc"], problem["msg"]) for problem in error.errors()))


def refuse(*problems: str) -> NoReturn:
    """Print the problems and exit 78."""
    for problem in problems:
        print(f"configuration: {problem}", file=sys.stderr)  # noqa: T201  # logging is not set up yet
    raise SystemExit(EXIT_BAD_CONFIGURATION)


def _describe(prefix: str, location: tuple[int | str, ...], message: str) -> str:
    """Name the variable, not its value: a database URL holds a password."""
    sentence = message.removeprefix("Value error, ")
    if not location:  # about several of them, which the sentence names
        return sentence
    name = ".".join(str(part) for part in location)
    return f"{prefix}{name}".upper() + ": " + sentence
