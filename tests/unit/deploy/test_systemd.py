"""The systemd units."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from process.configuration import EXIT_BAD_CONFIGURATION
from reconciler.settings import ReconcilerSettings
from tests.support import not_run
from tests.support.program_settings import OLD_NAMES, READ_BY, ROOT, all_settings, load_settings, variables

FOLDER = ROOT / "deploy/systemd"
PROGRAMS = "/usr/local/lib/batchprogress/bin"
SECRETS_FOLDER = "/etc/batchprogress/"
PERIOD_SECONDS = 300
LAST_BATCHES_SECONDS = 8
"""What the reconciler's current batches may take after the end of a pass."""
EXIT_SECONDS_MIN = 10
EXPOSURE_MAX = 20
"""In tenths, as systemd-analyze takes it: 2.0 of 10. A service without options has 9.6."""

ANALYZE = shutil.which("systemd-analyze")

Unit = dict[str, list[str]]


def unit(name: str) -> Unit:
    """Return the values of each option in a unit file."""
    options: Unit = {}
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        option, is_option, value = line.partition("=")
        if is_option and not line.startswith("#"):
            options.setdefault(option, []).append(value)
    return options


def test_units_have_the_environment_of_the_image() -> None:
    """Both start the same programs."""
    (of_units,) = unit("batchprogress-.service.d/common.conf")["Environment"]
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    (of_image,) = (line.removeprefix("ENV ") for line in lines if line.startswith("ENV PATH="))
    paths = ("PATH=", "PYTHONPATH=")
    assert of_units.split() == [one for one in of_image.split() if not one.startswith(paths)]


SERVICES = sorted(path.stem for path in FOLDER.glob("*.service"))
PROGRAM_OF = {name: name.removeprefix("batchprogress-").replace("server", "progress") for name in SERVICES}
SERVERS = [name for name in SERVICES if "Type" not in unit(f"{name}.service")]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder of all units, whose programs exist."""
    if ANALYZE is None:
        not_run.absent("no systemd-analyze")
    folder = tmp_path / "units"
    shutil.copytree(FOLDER, folder)
    for name in SERVICES:
        file = folder / f"{name}.service"
        file.write_text(file.read_text(encoding="utf-8").replace(PROGRAMS, str(tmp_path)), encoding="utf-8")
        (tmp_path / name).touch(mode=0o755)
    return folder


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze with the units of a folder."""
    return subprocess.run(
        [str(ANALYZE), *arguments],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_program_has_a_service() -> None:
    assert set(PROGRAM_OF.values()) == READ_BY.keys() - OLD_NAMES


def test_systemd_accepts_the_units(installed: Path) -> None:
    """It warns about unknown options, too."""
    for file in (*installed.glob("*.service"), *installed.glob("*.timer")):
        verified = analyze(installed, "verify", str(file))
        assert (verified.returncode, verified.stderr) == (0, ""), file


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_hardened(installed: Path, name: str) -> None:
    """The options come from the drop-in that all services share."""
    security = ("security", "--offline=true", f"--threshold={EXPOSURE_MAX}")
    checked = analyze(installed, *security, str(installed / f"{name}.service"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_service_runs_a_console_script_of_the_package(name: str) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    (command,) = unit(f"{name}.service")["ExecStart"]
    assert command.partition(" ")[0] == f"{PROGRAMS}/{name}"
    assert name in scripts


@pytest.mark.parametrize("name", SERVERS)
def test_server_restarts_unless_its_settings_are_invalid(name: str) -> None:
    """It may drain and exit before it is killed."""
    options = unit(f"{name}.service")
    assert options["Restart"] == ["always"]
    assert options["RestartPreventExitStatus"] == [str(EXIT_BAD_CONFIGURATION)]
    (settings, *_) = (one for one in all_settings() if one.__module__ == READ_BY[PROGRAM_OF[name]][0])
    drain = settings.model_fields["drain_seconds"].default
    assert int(options["TimeoutStopSec"][0]) >= drain + EXIT_SECONDS_MIN
    assert options["WantedBy"] == ["multi-user.target"]


def test_reconciler_runs_every_five_minutes() -> None:
    """A pass ends before the next one is due. systemd does not start a service that is still running."""
    assert unit("batchprogress-reconciler.timer")["OnCalendar"] == ["*:0/5"]
    assert unit("batchprogress-reconciler.timer")["WantedBy"] == ["timers.target"]
    options = unit("batchprogress-reconciler.service")
    assert options["Type"] == ["oneshot"]
    assert "WantedBy" not in options, "only the timer starts it"
    pass_seconds = ReconcilerSettings.model_fields["pass_seconds_max"].default
    timeout = int(options["TimeoutStartSec"][0])
    assert pass_seconds + LAST_BATCHES_SECONDS < timeout
    assert timeout + int(options["TimeoutStopSec"][0]) < PERIOD_SECONDS


def test_migration_has_no_time_out() -> None:
    """A large table may take hours."""
    options = unit("batchprogress-migrate.service")
    assert options["Type"] == ["oneshot"]
    assert options["TimeoutStartSec"] == ["infinity"]
    assert options["ExecStart"] == [f"{PROGRAMS}/batchprogress-migrate upgrade"]


@pytest.mark.parametrize("program", READ_BY)
def test_settings_are_accepted(program: str, tmp_path: Path) -> None:
    """Every variable is a setting, and secrets are files."""
    environment = {name: values[0] for name, values in unit("batchprogress.env").items()}
    known = {name for settings in all_settings() for name in variables(settings)}
    assert environment.keys() - known == set()
    assert load_settings(program, environment, SECRETS_FOLDER, tmp_path)
    assert [value for value in environment.values() if "@" in value] == []


def test_stuck_after_is_the_same_everywhere() -> None:
    environment = unit("batchprogress.env")
    assert environment["PROGRESS_STUCK_AFTER"] == environment["RECONCILER_STUCK_AFTER"]


def test_drop_in_applies_to_every_service() -> None:
    """Systemd applies `batchprogress-.service.d` to all services with that prefix."""
    options = unit("batchprogress-.service.d/common.conf")
    assert all(name.startswith("batchprogress-") for name in SERVICES)
    assert options["EnvironmentFile"] == [f"{SECRETS_FOLDER}batchprogress.env"]
    assert options["User"] == ["batchprogress"]
