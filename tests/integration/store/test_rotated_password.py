"""The password of the database's user is changed while a process runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from batches.errors import DatabaseUnavailable
from batches.settings import DatabaseSettings
from batches.store.database import Database
from database_servers import DatabaseServer
from tests.integration.store.steps import on_mysql, on_servers, scalar
from tests.support.rotated_user import RotatedUser


@pytest.fixture
async def user(own_server: DatabaseServer, database_url: str, tmp_path: Path) -> AsyncIterator[RotatedUser]:
    """Return a user of the database."""
    assert own_server.port
    user = RotatedUser(database_url, tmp_path / "url")
    await user.create()
    yield user
    await user.drop()


@pytest.fixture
async def rotated(user: RotatedUser) -> AsyncIterator[Database]:
    """Return the database, with two open connections of the user."""
    settings = DatabaseSettings.model_validate({"database_url_file": user.file})
    database = Database.of(settings, connections_max=2)
    await database.ping()
    yield database
    await database.close()


@on_servers
async def test_a_password_that_is_changed_before_its_file_is_used_once_the_file_has_it(
    user: RotatedUser, rotated: Database
) -> None:
    """Until then the database is unavailable."""
    user.choose_password()
    await user.change_in_database()
    await user.kill_connections()
    with pytest.raises(DatabaseUnavailable):
        await rotated.ping()
    user.write_file()
    await rotated.ping()


@on_servers
async def test_a_password_whose_file_is_replaced_first_is_used_once_the_database_has_it(
    user: RotatedUser, rotated: Database
) -> None:
    """Until then new connections log in with the old one."""
    user.choose_password()
    user.write_file()
    await user.kill_connections()
    await rotated.ping()
    await user.change_in_database()
    await user.kill_connections()
    await rotated.ping()


@on_mysql
async def test_the_second_password_of_a_user_is_used_once_the_first_is_discarded(
    user: RotatedUser, rotated: Database
) -> None:
    """MySQL can accept both in between."""
    user.choose_password()
    await user.change_in_database(keep_old=True)
    user.write_file()
    await user.kill_connections()
    await rotated.ping()
    await user.discard_old()
    await user.kill_connections()
    await rotated.ping()


@on_servers
async def test_the_connections_of_a_dropped_user_are_replaced(user: RotatedUser, rotated: Database) -> None:
    """The database ends none of them, but denies each statement."""
    await user.replace()
    assert await scalar(rotated, "SELECT COUNT(*) FROM batches") == 0


@on_servers
async def test_several_rotations_need_no_restart(user: RotatedUser, rotated: Database) -> None:
    """Each one reads the file again."""
    for _ in range(3):
        user.choose_password()
        await user.change_in_database()
        user.write_file()
        await user.kill_connections()
        await rotated.ping()


@on_servers
async def test_a_file_that_names_another_database_is_not_used(user: RotatedUser, rotated: Database) -> None:
    """The log says so without the password, once."""
    user.choose_password()
    await user.change_in_database()
    await user.kill_connections()
    user.file.write_text(user.url + "_other", encoding="utf-8")
    with capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                await rotated.ping()
    (error,) = (entry for entry in logs if entry["log_level"] == "error")
    assert "differs in more than its user and password" in error["reason"]
    assert user.password not in str(logs)
