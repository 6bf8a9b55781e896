"""apt-get with state, cache and sources of its own, so that the system's stay untouched."""

from pathlib import Path

from database_servers.commands import output_of

# The list of sid's packages is 11 MB, the packages are 16 to 60 MB: seconds, minutes on a slow line.
DOWNLOAD_SECONDS_MAX = 900.0
# Where Debian keeps a current MySQL; stable releases have none.
SUITE = "sid"
# Read after the machine's own settings, which stay in force where they know the way
# out (proxies, credentials). Cleared are the hooks, which would act on the system,
# and what pins the machine to its release.
SETTINGS = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
APT::Default-Release "";
APT::Install-Recommends "false";
// As root, apt would download as a user who cannot write into our folders.
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Cache "{folder}/cache";
Dir::State "{folder}/state";
// Nothing counts as installed, so everything the server needs is downloaded.
Dir::State::status "{folder}/status";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/none";
Dir::Etc::preferences "{folder}/none/preferences";
Dir::Etc::preferencesparts "{folder}/none";
"""


class PrivateApt:
    """Downloads packages of one suite from one mirror into a folder."""

    def __init__(self, folder: Path, mirror: str, keyring: Path) -> None:
        """Lay out the folder; what a mirror before left there stays useful."""
        for name in ("cache/archives/partial", "state/lists/partial", "none"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._archives = folder / "cache/archives"
        self._settings = folder / "apt.conf"
        self._settings.write_text(SETTINGS.format(folder=folder), encoding="utf-8")
        (folder / "status").touch()
        architecture = output_of("dpkg", "--print-architecture", seconds_max=DOWNLOAD_SECONDS_MAX).strip()
        # Other indexes and architectures that the machine has switched on are not fetched.
        options = f"arch={architecture} targets=Packages signed-by={keyring}"
        (folder / "sources.list").write_text(f"deb [{options}] {mirror} {SUITE} main\n", encoding="utf-8")

    def download(self, package: str) -> list[Path]:
        """Return the files of the package and of all it depends on; CommandFailed if that fails."""
        self._apt_get("update", "--error-on=any")
        self._apt_get("install", "--download-only", "--yes", package)
        return sorted(self._archives.glob("*.deb"))

    def _apt_get(self, *arguments: str) -> None:
        output_of("apt-get", f"--config-file={self._settings}", *arguments, seconds_max=DOWNLOAD_SECONDS_MAX)
