"""Settings from the environment, or one clear line for each invalid setting."""

import difflib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NoReturn, TypeVar

import structlog
from pydantic import ValidationError

from process.settings import Settings, environment
from process.validation import sentence_of

EXIT_BAD_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h. Another try cannot help, so a CronJob's podFailurePolicy fails the Job on it."""

_OF_KUBERNETES = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
"""Kubernetes sets variables for each Service of the namespace: PROGRESS_SERVICE_HOST for `progress`."""
_URL_OF_KUBERNETES = re.compile(r"(tcp|udp|sctp)://")
"""What begins the value of PROGRESS_PORT, which is such a variable too."""

OneSettings = TypeVar("OneSettings", bound=Settings)


def load(settings: type[OneSettings], *others: type[Settings]) -> OneSettings:
    """Read settings from the environment.

    Args:
        settings: the class of the settings.
        others: the classes of the program's other settings, of which a mistyped variable may mean one.

    Returns:
        The settings. A variable with their prefix that is not one of them is named in a warning.

    Raises:
        SystemExit: with code 78, after naming each invalid variable on standard error.

    """
    prefix, known = settings.prefix, [*settings.variables()]
    for name in unknown_variables(environment(), prefix, known):
        names = chain(known, *(one.variables() for one in others))
        _warn(name, _nearest(name.removeprefix(prefix), [*names]))
    try:
        return settings.from_environment()
    except ValidationError as error:
        refuse(*(_describe(prefix, problem["loc"], sentence_of(problem)) for problem in error.errors()))


def unknown_variables(variables: Mapping[str, str], prefix: str, known: Iterable[str]) -> list[str]:
    """Return the variables that look like settings, but are none.

    Args:
        variables: all variables with their values.
        prefix: what the settings begin with.
        known: the names of the settings.

    Returns:
        Their names, except those of the variables that Kubernetes sets.

    """
    return sorted(
        name
        for name, value in variables.items()
        if name.startswith(prefix)
        and name not in known
        and not _OF_KUBERNETES.fullmatch(name)
        and not _URL_OF_KUBERNETES.match(value)
    )


def _nearest(name: str, known: Sequence[str]) -> str:
    """Return the setting that a name without its prefix most likely means: one that ends with it, if any."""
    ending = (one for one in known if one.endswith(f"_{name}"))
    return next(ending, None) or difflib.get_close_matches(name, known, n=1, cutoff=0)[0]


def _warn(name: str, nearest: str) -> None:
    sentence = f"{name} is not a setting and has no effect; the nearest one is {nearest}"
    if structlog.is_configured():
        structlog.get_logger().warning(sentence)
    else:  # a command, whose output is for people
        sys.stderr.write(f"configuration: {sentence}\n")


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


def _describe(prefix: str, location: tuple[int | str, ...], sentence: str) -> str:
    """Name the variable but not its value: a database URL contains a password."""
    if not location:  # the problem is a combination of variables, which the sentence names
        return sentence
    name = ".".join(str(part) for part in location)
    return f"{prefix}{name}".upper() + ": " + sentence
