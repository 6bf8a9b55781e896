"""The file of opaque tokens."""

import hashlib
from pathlib import Path

import pytest

from rpc.callers.limits import Limits
from rpc.callers.principal import Role
from rpc.callers.token_file import digest_of, entry_text, new_token, read_tokens

ENTRY = '[[token]]\nname = "n"\nsha256 = "{digest}"\nroles = ["worker"]\n'


def test_digest_is_the_sha_256_of_the_token_itself() -> None:
    """Tokens that differ only in case are different tokens."""
    assert digest_of("bp_Token") == hashlib.sha256(b"bp_Token").hexdigest()
    assert digest_of("bp_Token") != digest_of("bp_token")


def test_limits_of_an_entry_replace_the_defaults(tmp_path: Path) -> None:
    file, default = tmp_path / "tokens.toml", Limits(1.0, 2, 3, 4)
    file.write_text(entry_text("n", new_token(), [Role.WORKER]) + "watches_max = 7\n", encoding="ascii")
    (principal,) = read_tokens(file, default).values()
    assert principal.limits == Limits(1.0, 2, 7, 4)


BROKEN = {
    "no role": ENTRY.replace('["worker"]', "[]"),
    "an unknown role": ENTRY.replace("worker", "admin"),
    "an unknown key": ENTRY + "role = 1\n",
    "a name with a space": ENTRY.replace('"n"', '"n n"'),
    "a limit of 0": ENTRY + "watches_max = 0\n",
    "a rate of 0": ENTRY + "calls_per_second_max = 0\n",
    "a duplicate token": ENTRY + ENTRY,
    "an upper-case digest": ENTRY.replace("{digest}", "A" * 64),
    "a short digest": ENTRY.replace("{digest}", "a" * 63),
    "not UTF-8": ENTRY + "# \udcff",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_file_is_refused_whole(content: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    text = content.replace("{digest}", digest_of("a token"))
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ValueError, match=str(file)):
        read_tokens(file, Limits())
