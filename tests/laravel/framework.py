"""Laravel, PHP and PHPUnit from Debian's packages, unpacked beside the system."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from database_servers.commands import output_of
from database_servers.debian_packages import incomplete, program_command, unpacked_packages
from database_servers.errors import CommandFailed, PackageUnavailable
from tests.support import not_run

PACKAGES = (
    "php-laravel-framework",
    "php-cli",
    "php-curl",
    "php-mbstring",
    "php-mysql",
    "php-pgsql",
    "php-redis",
    "php-sqlite3",
    "php-xml",
    "phpunit",
)
SUITES = {10: "trixie", 13: "sid"}
"""The suite of Debian that has each version of Laravel."""
EXTENSIONS = (
    *("pdo", "mysqlnd", "pdo_mysql", "pdo_pgsql", "pdo_sqlite", "igbinary", "redis"),
    *(
        "ctype",
        "curl",
        "dom",
        "fileinfo",
        "iconv",
        "intl",
        "mbstring",
        "posix",
        "tokenizer",
        "xml",
        "xmlwriter",
    ),
)
"""Each after those that it needs."""
INSTALLED = b"'/usr/share/php"
"""How Debian's scripts begin the paths of other scripts."""
QUICK_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Framework:
    """A version of Laravel, and the PHP to run it with."""

    version: str
    php: Sequence[str]
    """The command that runs a script of PHP."""
    phpunit: Path
    """The script of PHPUnit."""


@cache
def framework(major: int) -> Framework:
    """Return a version of Laravel, after downloading it if needed.

    Without it, the current test is skipped; on CI it fails, since nobody would notice a skip.
    """
    suite = SUITES[major]
    try:
        tree = unpacked_packages(f"laravel-phpunit-{suite}", PACKAGES, suite=suite, prepare=_prepare)
        php = _php_command(tree)
        code = "require 'Illuminate/autoload.php'; echo Illuminate\\Foundation\\Application::VERSION;"
        exact = output_of(*php, "-r", code, seconds_max=QUICK_SECONDS_MAX)
    except (PackageUnavailable, CommandFailed) as error:
        not_run.without(f"no Laravel {major}: {error}")
    return Framework(exact, php, tree / "usr/bin/phpunit")


def _php_command(tree: Path) -> tuple[str, ...]:
    program = next(tree.glob("usr/bin/php8*"), None)
    folder = next(tree.glob("usr/lib/php/2*"), None)
    if program is None or folder is None:
        raise incomplete(tree)
    # Without the settings of the machine.
    options = ["-n", "-d", f"extension_dir={folder}", "-d", f"include_path={tree / 'usr/share/php'}"]
    for extension in EXTENSIONS:
        options += ["-d", f"extension={extension}"]
    return (*program_command(tree, str(program.relative_to(tree))), *options)


def _prepare(unpacked: Path, tree: Path) -> None:
    """Let the scripts find each other where they are unpacked."""
    share = unpacked / "usr/share"
    moved = INSTALLED.replace(b"/usr", bytes(tree / "usr"))
    for script in (share / "php").rglob("*.php"):
        if script.is_file() and INSTALLED in (content := script.read_bytes()):
            script.write_bytes(content.replace(INSTALLED, moved))
    # Laravel 13 reads its default settings from where they are in its repository.
    (share / "config").symlink_to("php/Illuminate/config")
