"""Version 0.1, as it was released: its tree from the history of this checkout."""

import io
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.support import not_run
from tests.support.progress import ROOT

CLIENT = "client/src"
"""Where its client stood; it moved to clients/python in 0.2."""
FOLDERS = ("batches", "k8s", "process", "reconciler", "rpc", "services", CLIENT)
"""The application, the client that it needs, and the manifests."""


@dataclass(frozen=True, slots=True)
class Version:
    """A checkout of one version."""

    checkout: Path
    client: str
    """The folder of its client's packages, in the checkout."""

    @property
    def environment(self) -> dict[str, str]:
        """What makes Python import this version's client, whatever is installed."""
        return {"PYTHONPATH": str(self.checkout / self.client)}


THIS_VERSION = Version(ROOT, "clients/python/src")


def unpack_first_version(folder: Path) -> Version:
    """Return 0.1 in a folder; skip the test if the history does not go back so far."""
    commit = _commit()
    git = shutil.which("git")
    if git is None:
        not_run.absent("version 0.1 is read from the history, and git is not installed")
    known = subprocess.run([git, "cat-file", "-e", commit], cwd=ROOT, capture_output=True, check=False)
    if known.returncode:
        not_run.absent(f"the history of this checkout is shallow: it lacks {commit}, which is version 0.1")
    archive = subprocess.check_output([git, "archive", commit, *FOLDERS], cwd=ROOT)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return Version(folder, CLIENT)


def _commit() -> str:
    """Return the commit that the changelog names."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## 0\.1\.0 .*?^Commit (\w+)\.$", changelog, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]
