"""python -m rpc.new_token."""

from pathlib import Path

from typer.testing import CliRunner, Result

from rpc.callers.limits import UNLIMITED
from rpc.callers.principal import Role
from rpc.callers.token_file import digest_of, read_tokens
from rpc.new_token import app


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, arguments)


def test_token_and_its_table_fit_together(tmp_path: Path) -> None:
    """The token is printed to standard error; its table, which does not contain it, makes it valid."""
    made = run("billing", "--role", "worker", "--role", "reader", "--batch-prefix", "billing-")
    token, file = made.stderr.strip(), tmp_path / "tokens.toml"
    file.write_text(made.stdout, encoding="ascii")
    ((digest, principal),) = read_tokens(file, UNLIMITED).items()
    assert digest == digest_of(token)
    assert (principal.name, principal.batch_prefix) == ("billing", "billing-")
    assert principal.roles == {Role.WORKER, Role.READER}
    assert token not in made.stdout
    assert run("billing", "--role", "worker").stderr.strip() != token


def test_invalid_name_role_or_prefix_is_refused() -> None:
    for arguments in (("bil ling", "--role", "worker"), ("b", "--role", "admin"), ("b",)):
        refused = run(*arguments)
        assert (refused.exit_code, refused.stdout) == (2, "")


def test_the_refusal_of_a_name_says_the_rule() -> None:
    assert "name: must be 1 to 128 printable ASCII characters" in run("bil ling", "--role", "worker").stderr
