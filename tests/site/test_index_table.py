from __future__ import annotations

import pytest

from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.site.index_table import IndexTable, index_table, parse_glibc
from wheelhouse_resolver.site.model import Site


def table(text: str, root: str | None = None) -> IndexTable | None:
    return index_table(Site.parse(f'root = "/w"\n{text}', "etc/site.toml", root=root))


def test_what_the_table_says() -> None:
    everything = '[index]\ndirectory = "/sw/index/"\nmetadata = true\nglibc = "2.28"\nfind-links = true'
    assert table(everything) == IndexTable("/sw/index", True, (2, 28), True)
    assert table('[index]\ndirectory = "/sw/index"') == IndexTable("/sw/index", False, None, False)
    assert table("") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "[index] directory: missing"),
        ("metadata = true", "[index] directory: missing"),
        ('directory = "index"', "[index] directory: 'index' must be an absolute path"),
        ('directory = ""', "[index] directory: must not be empty"),
        ('directory = "/i"\nmetadata = 1', "[index] metadata: must be true or false, not 1"),
        ('directory = "/i"\nglibc = 2.28', "[index] glibc: must be a string, not 2.28"),
        (
            'directory = "/i"\nglibc = "2.28.1"',
            "[index] glibc: '2.28.1' must be a version of glibc, such as 2.28",
        ),
        (
            'directory = "/i"\nfindlinks = true',
            "[index]: unknown key 'findlinks': did you mean 'find-links'?",
        ),
    ],
)
def test_what_is_wrong_names_the_file_and_the_key(text: str, problem: str) -> None:
    with pytest.raises(SiteFileError) as caught:
        table(f"[index]\n{text}")
    assert str(caught.value) == f"etc/site.toml: {problem}"
    assert caught.value.hint.startswith('such as: directory = "/w/index"; also metadata and find-links ')


def test_the_index_is_that_of_the_wheelhouse_that_the_file_names() -> None:
    text = '[index]\ndirectory = "/sw/index"'
    assert table(text, root="/copy") is None
    assert table(text, root="/w/") is not None
    assert index_table(Site.parse(text, "site.toml", root="/w")) is not None  # it names none


def test_a_version_of_glibc() -> None:
    assert parse_glibc("2.28") == (2, 28)
    with pytest.raises(ValueError, match="must be a version"):
        parse_glibc("new")
