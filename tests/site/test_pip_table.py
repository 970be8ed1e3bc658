"""What a site's [pip] table may not say."""

from __future__ import annotations

import pytest

from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.site.pip_table import constraint_files


def problem_of(table: str) -> str:
    with pytest.raises(SiteFileError) as caught:
        Site.parse(f'root = "/w"\n[pip]\n{table}\n', "/etc/site.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("table", "key", "why"),
    [
        ('platform = "linux_x86_64"', "[pip] platform", "whatever Python runs pip"),
        ('python_version = "3.9"', "[pip] python_version", "whatever Python runs pip"),
        ('[pip.install]\nabi = "cp39"', "[pip.install] abi", "whatever Python runs pip"),
        ('implementation = "py"', "[pip] implementation", "whatever Python runs pip"),
        ('python = "/usr/bin/python3"', "[pip] python", "into that Python"),
        ('requirement = ["/r.txt"]', "[pip] requirement", "with every `pip install`"),
        ('editable = "/src"', "[pip] editable", "with every `pip install`"),
        ('group = "dev"', "[pip] group", "with every `pip install`"),
        ("only-deps = true", "[pip] only-deps", "never the project"),
        ("only-dependencies = 1", "[pip] only-dependencies", "never the project"),
        ('use-deprecated = "legacy-resolver"', "[pip] use-deprecated", "neither pick nor lock"),
        ('pre = "maybe"', "[pip] pre", "on or off"),
        ("require-hashes = [true, true]", "[pip] require-hashes", "on or off"),
        ("no-deps = 2", "[pip] no-deps", "on or off"),
        ('no-binary = "-x"', "[pip] no-binary", "begins with `-`"),
        ('pre = true\nall-releases = "numpy"', "[pip] pre", "together with all-releases"),
        ('pre = "on"\n[pip.install]\nonly-final = ":all:"', "[pip] pre", "together with only-final"),
        (
            "require-hashes = true\nno-require-hashes = true",
            "[pip] require-hashes",
            "together with no-require-hashes",
        ),
    ],
    ids=lambda value: value if "[pip" in value else "",
)
def test_what_is_refused_names_file_key_and_reason(table: str, key: str, why: str) -> None:
    found = problem_of(table)
    assert found.startswith(f"/etc/site.toml: {key}")
    assert why in found


@pytest.mark.parametrize(
    "table",
    [
        "pre = true",
        'pre = true\n[pip.install]\npre = "no"\nall-releases = ["a", "b"]',
        "only-deps = false",
        'no-binary = [":all:", ":none:"]\nonly-final = ""',
        '[pip.download]\nplatform = "linux_x86_64"',
        'use-deprecated = "html5lib"',
        "require-hashes = true\nno-require-hashes = 0",
    ],
)
def test_what_is_not(table: str) -> None:
    assert Site.parse(f'root = "/w"\n[pip]\n{table}\n', "/etc/site.toml").pip


def test_the_constraints_files_are_those_that_pip_install_reads() -> None:
    assert constraint_files({"constraint": "/a.txt file:///b.txt"}) == ["/a.txt", "file:///b.txt"]
    assert constraint_files({"constraint": ("/a b.txt", "/c.txt")}) == ["/a b.txt", "/c.txt"]
    table = {"constraint": "/a.txt", "install": {"constraint": "/b.txt"}, "wheel": {"constraint": "/c.txt"}}
    assert constraint_files(table) == ["/b.txt"]
