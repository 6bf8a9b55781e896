"""The base of all settings: a pydantic model whose values come from the environment.

pydantic-settings can do this, too. Importing it took longer than pydantic itself, since it also reads files,
command lines and the secrets of clouds: a twelfth of the CPU of each start.
"""

import os
from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings of a program; each is an environment variable, in upper or lower case."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    prefix: ClassVar[str] = ""
    """What the names of the variables begin with, in upper case."""

    @classmethod
    def variable(cls, name: str) -> str:
        """Return the variable that sets a field."""
        return f"{cls.prefix}{name}".upper()

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Return the names of all fields by their variables."""
        return {cls.variable(name): name for name in cls.model_fields}

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings from the variables of this process.

        Raises:
            ValidationError: a variable is missing or invalid.

        """
        fields = cls.variables()
        given = {fields[name]: value for name, value in environment().items() if name in fields}
        return cls.model_validate(given)


def environment() -> Mapping[str, str]:
    """Return the variables of this process by their names in upper case."""
    return {name.upper(): value for name, value in os.environ.items()}  # noqa: TID251  # here they are read
