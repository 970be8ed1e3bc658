from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelhouse_resolver.utils.redact import is_secret, redact, secrets_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:secret@example.org/simple", "https://***@example.org/simple"),
        ("https://secret@example.org/simple", "https://***@example.org/simple"),
        ("https://me:sec@ret@example.org/a@1", "https://***@example.org/a@1"),
        ("https://me:sec/ret@example.org/", "https://***@example.org/"),
        ("a https://m:secret@x/ https://m:secret@y/", "a https://***@x/ https://***@y/"),
        ("me:secret@proxy:3128", "***@proxy:3128"),
        ("index-url = https://me:secret@x\\n'", "index-url = https://***@x\\n'"),
        ("PIP_PROXY='me:secret@x'", "PIP_PROXY='***@x'"),
        ("--proxy me:sec/r@et@proxy:3128 -v", "--proxy ***@proxy:3128 -v"),
        ("PIP_PROXY=me:a/b@h PATH=/a:/b@c:/d", "PIP_PROXY=***@h PATH=/a:/b@c:/d"),
        ("PIP_INDEX_URL=https://h/simple?token=secret pip", "PIP_INDEX_URL=https://h/simple?*** pip"),
        ("twine --password secret --token -x", "twine --password *** --token -x"),
        ("http.extraHeader='Authorization: Basic c2Vj'", "http.extraHeader='Authorization: Basic ***'"),
        ("https://x/simple?token=secret#a", "https://x/simple?***#a"),
        ("git+ssh://git@x/a.git@v1", "git+ssh://***@x/a.git@v1"),
        ("file:///a@b/c:d@e /f:g@h /who?/x", "file:///a@b/c:d@e /f:g@h /who?/x"),
        ("https://example.org:8080/simple", "https://example.org:8080/simple"),
        ("GITHUB_TOKEN=abc make", "GITHUB_TOKEN=*** make"),
        ("twine --password='a b' --user=me", "twine --password=*** --user=me"),
        ('export MY_API_KEY="a b";', "export MY_API_KEY=***;"),
        ("tokens = 3, x=1", "tokens = 3, x=1"),
        ("", ""),
    ],
)
def test_no_password_is_kept(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("name", ["PIP_TOKEN", "UV_INDEX_X_PASSWORD", "api-key", "client-secret"])
def test_the_value_of_a_secret_is_masked_whole(name: str) -> None:
    assert redact("plain", name) == "***"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "git+https://me:pass@example.org/x@v1 and ssh://git@host/y and https://example.org/a@b",
            "git+https://example.org/x@v1 and ssh://host/y and https://example.org/a@b",
        ),
        ("https://x/a.tar.gz?token=secret#sha256=0", "https://x/a.tar.gz#sha256=0"),
        ("https://x/a.tar.gz", "https://x/a.tar.gz"),
    ],
)
def test_without_a_mark_what_is_left_is_a_url_still(text: str, expected: str) -> None:
    assert redact(text, mark="") == expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (
            "https://me:my-password@h/simple?token=12345678",
            "",
            {"me:my-password@", "my-password", "token=12345678", "12345678"},
        ),
        ("me:a/b@h", "PIP_PROXY", {"me:a/b@"}),  # the password alone may be a part of anything
        ("https://somebody@h/x /a:/b@c", "", {"somebody@"}),
        ("my-password", "PGPASSWORD", {"my-password"}),
        ("/home/me/token", "TOKEN_FILE", set()),
    ],
)
def test_what_is_secret_is_known_wherever_it_occurs(text: str, name: str, expected: set[str]) -> None:
    assert secrets_in(text, name) == expected


@pytest.mark.parametrize("name", ["PATH", "PIP_INDEX_URL", "PASS_THROUGH", "KEYBOARD", ""])
def test_other_names_are_no_secrets(name: str) -> None:
    assert not is_secret(name)


@given(st.text())
def test_what_is_redacted_once_stays_as_it_is(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.text("ab1%._~-", min_size=1), st.text("xyz1%._~/-", min_size=1))
def test_no_password_of_a_url_is_left(user: str, password: str) -> None:
    url = f"https://{user}:Q{password}Q@example.org/simple"
    assert "Q" not in redact(url)
    assert redact(url, mark="") == "https://example.org/simple"
