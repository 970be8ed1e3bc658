"""uv's configuration file; that uv obeys it, `test_pip_config_obeyed` and the conformance tests show."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from wheelhouse_resolver.installers.pip_config import PipConfig, Setting
from wheelhouse_resolver.site.pip_table import Constraints

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LINKS = ("file:///w/gentoo/avx2", "file:///w/generic", "https://more.example/page")
OURS = {"format": "flat", "url": LINKS[0]}, {"format": "flat", "url": LINKS[1]}
MORE = {"format": "flat", "url": LINKS[2]}
NAMED = [
    {**OURS[0], "name": "wheelhouse-gentoo-avx2"},
    {**OURS[1], "name": "wheelhouse-generic"},
    MORE,
]


def config_of(
    *settings: tuple[str, str | tuple[str, ...]], constraints: Constraints | None = None
) -> PipConfig:
    given = [Setting(name, (each,) if isinstance(each, str) else each) for name, each in settings]
    links = Setting("find-links", LINKS)
    return PipConfig("a comment", (links, *given), (), ("gentoo/avx2", "generic"), constraints)


def read(config: PipConfig, form: str = "uv") -> dict[str, Any]:
    text = config.render(form)
    assert text.startswith("# a comment\n")
    return tomllib.loads(text)


OFFLINE = ("no-index", "true")
INDEXES = (("index-url", "https://i/"), ("extra-index-url", ("https://a/", "https://b/")))


def test_each_directory_is_an_index_in_their_order_before_the_public_one() -> None:
    assert read(config_of()) == {"index-strategy": "unsafe-best-match", "index": NAMED}


def test_offline_the_last_entry_takes_the_place_of_the_public_index() -> None:
    assert read(config_of(OFFLINE, *INDEXES))["index"] == [*NAMED, {**MORE, "default": True}]


def test_offline_and_no_directory_is_no_index() -> None:
    config = PipConfig("a comment", (Setting("no-index", ("yes",)), Setting("index-url", ("https://i/",))))
    assert read(config) == {"no-index": True}


def test_the_site_s_own_indexes_come_after_ours_the_main_one_last() -> None:
    assert read(config_of(*INDEXES))["index"] == [
        *NAMED,
        {"url": "https://b/"},
        {"url": "https://a/"},
        {"url": "https://i/", "default": True},
    ]
    extra = PipConfig("a comment", (Setting("extra-index-url", ("https://a/",)),))
    assert read(extra) == {"index-strategy": "unsafe-best-match", "index": [{"url": "https://a/"}]}


def test_names_are_valid_and_unique() -> None:
    labels = ("gentoo/avx2", "gentoo-avx2", "gentoo2023/x86-64-v3", "ü/a b", "ä/a.b_c")
    links = Setting("find-links", tuple(f"file:///{number}" for number in range(len(labels))))
    assert [each["name"] for each in read(PipConfig("a comment", (links,), (), labels))["index"]] == [
        "wheelhouse-gentoo-avx2",
        "wheelhouse-gentoo-avx2-2",
        "wheelhouse-gentoo2023-x86-64-v3",
        "wheelhouse-a-b",
        "wheelhouse-a.b_c",
    ]


def test_for_an_older_uv_the_directories_are_find_links() -> None:
    assert read(config_of(), "uv-find-links") == {"find-links": list(LINKS)}
    assert read(config_of(OFFLINE, *INDEXES), "uv-find-links") == {
        "find-links": list(LINKS),
        "no-index": True,
    }
    assert read(config_of(*INDEXES), "uv-find-links") == {
        "find-links": list(LINKS),
        "index-url": "https://i/",
        "extra-index-url": ["https://b/", "https://a/"],
        "index-strategy": "unsafe-best-match",
    }


@pytest.mark.parametrize("form", ["uv", "uv-find-links"])
def test_other_settings(form: str) -> None:
    config = config_of(
        ("trusted-host", "a"),
        ("only-binary", ("numpy", "scipy")),
        ("no-binary", ":all:"),
        ("pre", "yes"),
        ("require-hashes", "1"),
        ("timeout", "5"),
    )
    found = read(config, form)
    for key in ("find-links", "index", "index-strategy"):
        found.pop(key, None)
    assert found == {
        "allow-insecure-host": ["a"],
        "no-build-package": ["numpy", "scipy"],
        "no-binary": True,
        "prerelease": "allow",
        "pip": {"require-hashes": True},
    }
    assert "pip" not in read(config_of(("require-hashes", "false")), form)


FILES = (("constraint", "/c.txt"), ("build-constraint", "/b.txt"))


@pytest.mark.parametrize("form", ["uv", "uv-find-links"])
def test_constraints(form: str) -> None:
    stated = ('one<2 ; "\\" in os_name and "\U0001f600ü\x7f" != os_name', "two")
    found = config_of(*FILES, constraints=Constraints(stated, ("three",), ("four: why",)))
    assert found.left_out(form) == ["four: why"]
    assert found.left_out("sh") == []
    assert found.render(form).isascii()
    assert read(found, form)["constraint-dependencies"] == list(stated)
    assert read(found, form)["build-constraint-dependencies"] == ["three"]
    none = config_of(*FILES, constraints=Constraints())
    assert not {"constraint-dependencies", "build-constraint-dependencies"} & set(read(none, form))
    assert none.left_out(form) == []


def test_constraints_that_nobody_has_read_are_left_out() -> None:
    assert config_of(*FILES).left_out("uv") == [
        "constraint: a uv.toml cannot name the file; set UV_CONSTRAINT",
        "build-constraint: a uv.toml cannot name the file; set UV_BUILD_CONSTRAINT",
    ]
    assert config_of(*FILES).left_out("sh") == []
