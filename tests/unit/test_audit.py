"""`make audit` passes only if every locked package has an answer and no vulnerability."""

import json

import pytest

from locks.audit import judge

SOUND = {"name": "sound", "version": "1", "vulns": []}
SKIPPED = {"name": "skipped", "skip_reason": "Dependency not found on PyPI and could not be audited"}
VULNERABLE = {"name": "hole", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}


@pytest.mark.parametrize(
    ("packages", "word"),
    [
        ([SOUND, SOUND], "ok"),
        ([SKIPPED, SKIPPED], "NOT RUN"),
        ([SOUND, SKIPPED], "FAILED"),
        ([SOUND, VULNERABLE], "FAILED"),
        ([], "FAILED"),
    ],
)
def test_a_package_without_an_answer_is_never_sound(packages: list[object], word: str) -> None:
    assert judge(json.dumps({"dependencies": packages}), "No known vulnerabilities found").word == word


@pytest.mark.parametrize(
    ("errors", "word"),
    [
        ("ERROR: Tip: your network may be blocking this service. Try another", "NOT RUN"),
        ("requests.exceptions.ConnectionError: Failed to resolve 'api.osv.dev'", "NOT RUN"),
        ("ERROR: requirement x does not contain a hash", "FAILED"),
    ],
)
def test_only_unreachable_advisories_are_not_run(errors: str, word: str) -> None:
    assert judge("", errors).word == word


def test_a_vulnerability_is_named_with_its_cure() -> None:
    verdict = judge(json.dumps({"dependencies": [VULNERABLE]}), "")
    assert verdict.lines == ("hole 1: PYSEC-1, mended in ['2']",)
