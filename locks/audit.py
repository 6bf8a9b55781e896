"""Asks for known vulnerabilities of all locked packages, and says loudly what could not be asked.

Without the advisories, pip-audit skips every package, says that it found nothing, and exits with 0; with
`--strict` it ends at the first skipped package, whatever the reason. So it runs without that option, and its
JSON is judged here as strictly: a package without an answer fails the audit, unless no package has one.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LOCKS = Path(__file__).parent
OLD_ON_PURPOSE = "client-oldest.txt"
"""The oldest versions that the client supports. Nothing is installed from it but the tests of the client."""
AUDIT = ("-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json")
AUDIT_SECONDS_MAX = 300
UNREACHABLE = ("your network may be blocking this service", "requests.exceptions.")
"""What pip-audit writes if a service of advisories cannot be reached."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the audit of one lock has found."""

    word: str
    """ok, FAILED or NOT RUN."""
    lines: tuple[str, ...]


def judge(output: str, errors: str) -> Verdict:
    """Judge what pip-audit has written.

    Args:
        output: its standard output: JSON, or nothing if it has failed.
        errors: its standard error.

    Returns:
        The verdict; NOT RUN if no package has an answer because the advisories cannot be reached.

    """
    if not output:
        last = tuple(errors.strip().splitlines()[-1:])
        return Verdict("NOT RUN" if any(text in errors for text in UNREACHABLE) else "FAILED", last)
    packages = json.loads(output)["dependencies"]
    skipped = tuple(package["skip_reason"] for package in packages if "skip_reason" in package)
    if skipped and len(skipped) == len(packages):
        return Verdict("NOT RUN", (f"none of {len(packages)} packages has an answer: {skipped[0]}",))
    vulnerable = tuple(
        f"{package['name']} {package['version']}: {found['id']}, mended in {found['fix_versions']}"
        for package in packages
        for found in package.get("vulns", ())
    )
    if vulnerable or skipped:
        return Verdict("FAILED", vulnerable + skipped)
    return Verdict("ok" if packages else "FAILED", (f"{len(packages)} packages",))


def audit(lock: Path) -> Verdict:
    """Audit the packages of a lock."""
    done = subprocess.run(
        (sys.executable, *AUDIT, "--requirement", str(lock)),
        capture_output=True,
        text=True,
        timeout=AUDIT_SECONDS_MAX,
        check=False,
    )
    return judge(done.stdout, done.stderr)


def main() -> int:
    """Audit every lock, and return 1 if a package is vulnerable or has no answer."""
    locks = sorted(lock for lock in LOCKS.glob("*.txt") if lock.name != OLD_ON_PURPOSE)
    verdicts = {lock.name: audit(lock) for lock in locks}
    for name, verdict in verdicts.items():
        for line in verdict.lines:
            print(f"{verdict.word}: audit of locks/{name}: {line}")
    return int(any(verdict.word == "FAILED" for verdict in verdicts.values()))


if __name__ == "__main__":
    sys.exit(main())
