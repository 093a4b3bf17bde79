"""No credential is recorded."""

from __future__ import annotations

import pytest

from cvtrack_magics.redact import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:token@example.org/a.git", "https://example.org/a.git"),
        ("git+https://ghp_abc@example.org/a.git#egg=x", "git+https://example.org/a.git#egg=x"),
        ("see http://a:b@c/d and ftp://e:f@g", "see http://c/d and ftp://g"),
        ("https://h/x?api_key=abc&page=2", "https://h/x?api_key=***&page=2"),
        ("https://h/x?page=2&access_token=abc#top", "https://h/x?page=2&access_token=***#top"),
        ("postgresql+psycopg2://u:p%40ss@db:5432/x", "postgresql+psycopg2://db:5432/x"),
        ("git@example.org:team/a.git", "git@example.org:team/a.git"),
        ("a@b.c is an address, not a secret", "a@b.c is an address, not a secret"),
    ],
)
def test_urls_lose_their_secrets(text: str, expected: str) -> None:
    assert redact(text) == expected
