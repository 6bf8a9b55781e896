"""The command that makes a token."""

from pathlib import Path

from typer.testing import CliRunner, Result

from rpc.callers.limits import UNLIMITED
from rpc.callers.principal import Role
from rpc.callers.token_file import digest_of, read_tokens
from rpc.new_token import app


def made_with(*arguments: str) -> Result:
    """Run it."""
    return CliRunner().invoke(app, arguments)


def test_a_token_and_its_lines(tmp_path: Path) -> None:
    """The token goes to standard error, once; its lines, which do not hold it, let it in."""
    made = made_with("billing", "--role", "worker", "--role", "reader", "--batch-prefix", "billing-")
    token, file = made.stderr.strip(), tmp_path / "tokens.toml"
    file.write_text(made.stdout, encoding="ascii")
    ((digest, principal),) = read_tokens(file, UNLIMITED).items()
    assert digest == digest_of(token)
    assert (principal.name, principal.batch_prefix) == ("billing", "billing-")
    assert principal.roles == {Role.WORKER, Role.READER}
    assert token not in made.stdout
    assert made_with("billing", "--role", "worker").stderr.strip() != token


def test_what_no_file_may_say_is_refused() -> None:
    """A name or a prefix that the server would refuse makes no token."""
    for arguments in (("bil ling", "--role", "worker"), ("b", "--role", "admin"), ("b",)):
        refused = made_with(*arguments)
        assert (refused.exit_code, refused.stdout) == (2, "")
