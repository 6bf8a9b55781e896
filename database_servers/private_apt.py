"""apt-get with its own state, cache and sources, which leaves those of the system unchanged."""

from pathlib import Path

from database_servers.commands import output_of

# The list of packages has 11 MB, the packages 16 to 60 MB: seconds, or minutes on a slow connection.
DOWNLOAD_SECONDS_MAX = 900.0
# Read after the settings of the machine, of which proxies and credentials stay in force.
# Hooks, which would change the system, and pins to the release are cleared.
SETTINGS = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
APT::Default-Release "";
APT::Install-Recommends "false";
// By default, apt downloads as a user who cannot write to these folders.
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Cache "{folder}/cache";
Dir::State "{folder}/state";
// Nothing counts as installed, so all dependencies are downloaded.
Dir::State::status "{folder}/status";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/none";
Dir::Etc::preferences "{folder}/none/preferences";
Dir::Etc::preferencesparts "{folder}/none";
"""


class PrivateApt:
    """Downloads packages of one suite from one mirror.

    Args:
        folder: For settings, state and cache; downloads of an earlier mirror there are used again.
        mirror: The URI of the archive.
        keyring: The file with the keys of the archive.
        suite: The suite of the archive, for example sid.

    """

    def __init__(self, folder: Path, mirror: str, keyring: Path, suite: str) -> None:
        for name in ("cache/archives/partial", "state/lists/partial", "none"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._archives = folder / "cache/archives"
        self._settings = folder / "apt.conf"
        self._settings.write_text(SETTINGS.format(folder=folder), encoding="utf-8")
        (folder / "status").touch()
        architecture = output_of("dpkg", "--print-architecture", seconds_max=DOWNLOAD_SECONDS_MAX).strip()
        # Only this architecture and index, whatever the machine has enabled.
        options = f"arch={architecture} targets=Packages signed-by={keyring}"
        (folder / "sources.list").write_text(f"deb [{options}] {mirror} {suite} main\n", encoding="utf-8")

    def download(self, *packages: str, dependencies: bool = True) -> list[Path]:
        """Download the packages, with their dependencies unless they are not wanted; return the files.

        Raises:
            CommandFailed: the mirror does not have one of them, or apt failed.

        """
        self._apt_get("update", "--error-on=any")
        if dependencies:
            self._apt_get("install", "--download-only", "--yes", *packages)
        else:
            self._apt_get("download", *packages)
        return sorted(self._archives.glob("*.deb"))

    def _apt_get(self, *arguments: str) -> None:
        command = ("apt-get", f"--config-file={self._settings}", *arguments)
        output_of(*command, seconds_max=DOWNLOAD_SECONDS_MAX, folder=self._archives)
