"""The programs of each client."""

import pytest

from tests.integration.languages.programs import LANGUAGES, Programs


@pytest.fixture(scope="session", params=sorted(LANGUAGES))
def programs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Install the programs of a client outside of the checkout."""
    name: str = request.param
    return LANGUAGES[name](tmp_path_factory.mktemp("client"))
