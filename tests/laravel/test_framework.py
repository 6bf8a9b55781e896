"""What happens where Laravel cannot be brought."""

import pytest

from database_servers import debian_packages
from tests.laravel.framework import framework


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_missing_laravel_is_told_and_fails_on_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    """Nobody would notice a skip there."""
    monkeypatch.setattr(debian_packages, "is_debian", lambda: False)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="NOT RUN: no Laravel 10: this machine does not run Debian"):
        framework.__wrapped__(10)
