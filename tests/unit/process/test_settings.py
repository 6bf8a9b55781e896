"""Settings come from the environment."""

from typing import ClassVar

import pytest
from pydantic import Field, ValidationError

from process.settings import Settings


class Example(Settings):
    """Settings of no program."""

    prefix: ClassVar[str] = "EXAMPLE_"

    seconds: float = Field(default=1, gt=0)
    listen: str


def test_variables_set_fields_in_either_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others with the prefix are left to `load`, which warns of them."""
    monkeypatch.setenv("EXAMPLE_SECONDS", "2.5")
    monkeypatch.setenv("example_listen", "127.0.0.1:1")
    monkeypatch.setenv("EXAMPLE_OTHER", "x")
    monkeypatch.setenv("SECONDS", "3")
    settings = Example.from_environment()
    assert (settings.seconds, settings.listen) == (2.5, "127.0.0.1:1")


def test_an_invalid_and_a_missing_variable_are_both_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_SECONDS", "0")
    with pytest.raises(ValidationError) as refused:
        Example.from_environment()
    assert [problem["loc"] for problem in refused.value.errors()] == [("seconds",), ("listen",)]


def test_settings_made_in_code_ignore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that makes them depends on nothing else; a field that does not exist is refused."""
    monkeypatch.setenv("EXAMPLE_SECONDS", "2.5")
    assert Example(listen="127.0.0.1:1").seconds == 1
    with pytest.raises(ValidationError):
        Example.model_validate({"listen": "127.0.0.1:1", "second": 2})
