"""What is compared: pure functions of what is here and of what an index said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_tree, plain_python
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.upkeep.outdated import Age, Outdated, Upstream, find_outdated
from wheelhouse_resolver.upkeep.pages import IndexFile, Page, Said
from wheelhouse_resolver.wheelhouse import Wheelhouse

MACHINE = os.uname().machine
HOST = Host(arch="avx2", layer="gentoo", python=plain_python("3.11"))

DAY = 86400


def page(*files: str | IndexFile, status: str = "") -> Said:
    made = (each if isinstance(each, IndexFile) else IndexFile(each) for each in files)
    # As it is kept between runs.
    return Said(Page.of_text(Page.of_files(made, status).text))


def compare(
    tmp_path: Path, said: dict[str, Said], *patterns: str, site: Site | None = None, **how: Any
) -> Outdated:
    site = site or make_tree(tmp_path / "house", {"generic": ["demo-1.5-py3-none-any.whl"]})
    return find_outdated(Wheelhouse(site), HOST, patterns, lambda names: {n: said[n] for n in names}, **how)


def one(tmp_path: Path, *files: str | IndexFile, **more: Any) -> Upstream:
    (row,) = compare(tmp_path, {"demo": page(*files)}, **more).rows
    return row


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["demo-1.5.tar.gz"], (Age.CURRENT, "1.5", "source")),
        (["demo-1.5.0.tar.gz"], (Age.CURRENT, "1.5.0", "source")),
        (["demo-1.5.tar.gz", "demo-2.0.zip"], (Age.OLDER, "2.0", "source")),
        (["demo-2.0-py3-none-any.whl", "demo-2.0.tar.gz"], (Age.OLDER, "2.0", "pure")),
        ([f"demo-2.0-cp38-abi3-manylinux2014_{MACHINE}.whl"], (Age.OLDER, "2.0", "abi3")),
        (
            [f"demo-2.0-cp311-cp311-manylinux_2_17_{MACHINE}.manylinux2014_{MACHINE}.whl"],
            (Age.OLDER, "2.0", "platform"),
        ),
        # Of a release with nothing for this Python and machine, nothing helps.
        (
            [
                f"demo-2.0-cp312-cp312-linux_{MACHINE}.whl",
                "demo-2.1-cp311-cp311-win_amd64.whl",
                "demo-1.5.zip",
            ],
            (Age.CURRENT, "1.5", "source"),
        ),
        ([IndexFile("demo-2.0.tar.gz", ">=3.12"), "demo-1.6.tar.gz"], (Age.OLDER, "1.6", "source")),
        ([IndexFile("demo-2.0.tar.gz", "what?")], (Age.OLDER, "2.0", "source")),
        ([IndexFile("demo-2.0.tar.gz", yanked=""), "demo-1.6.tar.gz"], (Age.OLDER, "1.6", "source")),
        ([IndexFile("demo-2.0.tar.gz", yanked=""), "demo-2.0-py3-none-any.whl"], (Age.OLDER, "2.0", "pure")),
        (["demo-1.4.tar.gz"], (Age.NEWER, "1.4", "source")),
        # Pre-releases as pip takes them: when there is nothing else.
        (["demo-2.0rc1.tar.gz", "demo-1.4.tar.gz"], (Age.NEWER, "1.4", "source")),
        (["demo-2.0rc1.tar.gz", "demo-2.0b1.tar.gz"], (Age.OLDER, "2.0rc1", "source")),
        (["demo-1.6.exe", "demo-1.7-bad.whl", "demo-1.5.tar.gz"], (Age.CURRENT, "1.5", "source")),
        (["demo-1!0.1.tar.gz"], (Age.OLDER, "1!0.1", "source")),
    ],
    ids=str,
)
def test_the_newest_for_this_python(
    files: list[str | IndexFile], expected: tuple[Age, str, str], tmp_path: Path
) -> None:
    row = one(tmp_path, *files)
    assert (row.state, row.newest, row.kind) == expected
    assert row.allowed == row.newest
    assert row.requirement == (f"demo=={row.newest}" if row.state is Age.OLDER else None)


def test_a_site_that_takes_pre_releases(tmp_path: Path) -> None:
    site = make_tree(tmp_path, {"generic": ["demo-1.5-py3-none-any.whl"]})._replace(pip={"pre": True})
    assert one(tmp_path, "demo-2.0rc1.tar.gz", "demo-1.4.tar.gz", site=site).newest == "2.0rc1"
    never = site._replace(pip={"only-final": "demo"})
    assert one(tmp_path, "demo-2.0rc1.tar.gz", site=never).problem == "the index has nothing for this Python"


def test_a_local_label_does_not_count(tmp_path: Path) -> None:
    site = make_tree(tmp_path, {"generic": ["demo-2.0+site-py3-none-any.whl"]})
    row = one(tmp_path, "demo-2.0.tar.gz", site=site)
    assert (row.state, row.here, row.removed) == (Age.CURRENT, "2.0", ())


@pytest.mark.parametrize(
    ("limit", "state", "allowed"),
    [
        ("demo<1.9", Age.OLDER, "1.8"),
        ("demo<1.6", Age.HELD, "1.5"),
        ("demo<1.9,!=1.8,>=1.5rc0", Age.OLDER, "1.8rc1"),
        ("demo>=9", None, None),
    ],
)
def test_the_constraints_of_the_site_are_beside_the_newest(
    limit: str, state: Age | None, allowed: str | None, tmp_path: Path
) -> None:
    site = make_tree(tmp_path / "house", {"generic": ["demo-1.5-py3-none-any.whl"]})
    (tmp_path / "limits.txt").write_text(f"{limit}\n")
    site = site._replace(pip={"constraint": (str(tmp_path / "limits.txt"),)})
    files = [f"demo-{version}.tar.gz" for version in ("1.5", "1.8rc1", "1.8", "2.0")]
    rows = compare(tmp_path, {"demo": page(*files)}, site=site).rows
    if state is None:  # nothing here may be installed either
        assert rows == ()
        return
    assert (rows[0].state, rows[0].newest, rows[0].allowed) == (state, "2.0", allowed)


def test_what_is_yanked_or_removed_of_all_that_is_here(tmp_path: Path) -> None:
    wheels = [f"demo-{version}-py3-none-any.whl" for version in ("0.9", "1.0", "1.0.0+site", "1.1", "1.5")]
    site = make_tree(tmp_path, {"generic": wheels})
    row = one(
        tmp_path,
        IndexFile("demo-1.1.tar.gz", yanked="wrong\tresults\n"),
        IndexFile("demo-1.5.tar.gz", yanked=""),
        IndexFile("demo-1.0.0.tar.gz"),
        IndexFile("demo-1.6.tar.gz"),
        site=site,
    )
    assert row.yanked == (("1.5", ""), ("1.1", "wrong\\tresults\\n"))
    assert row.removed == ("0.9",)
    assert (row.state, row.matters) == (Age.OLDER, True)
    assert row.note == "1.5 is yanked; 1.1 is yanked: wrong\\tresults\\n; not there: 0.9"


def test_what_is_not_there_and_what_is_not_known(tmp_path: Path) -> None:
    site = make_tree(
        tmp_path, {"generic": [f"{name}-1.0-py3-none-any.whl" for name in ("ours", "broken", "empty", "old")]}
    )
    said = {
        "ours": Said(),
        "broken": Said(problem="HTTP 500"),
        "empty": page(),
        "old": page("old-1.0.tar.gz", status="archived"),
    }
    rows = {row.name: row for row in compare(tmp_path, said, site=site).rows}
    assert {name: (row.state, row.note) for name, row in rows.items()} == {
        "ours": (Age.ABSENT, "the index does not have it"),
        "broken": (Age.UNKNOWN, "HTTP 500"),
        "empty": (Age.ABSENT, "the index has nothing for this Python; not there: 1.0"),
        "old": (Age.CURRENT, "archived there"),
    }
    assert all(row.matters for row in rows.values())


def test_a_release_must_be_old_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    files = [
        IndexFile("demo-2.0.tar.gz", uploaded=now - 3 * DAY),
        IndexFile("demo-1.9.tar.gz", uploaded=now - 20 * DAY),
        IndexFile("demo-1.9-py3-none-any.whl", uploaded=now - DAY),  # the release is as old as its first file
    ]
    row = one(tmp_path, *files)
    assert (row.allowed, row.uploaded) == ("2.0", "2027-01-12")
    row = one(tmp_path, *files, min_age=14)
    assert (row.allowed, row.uploaded, row.kind) == ("1.9", "2026-12-26", "pure")
    unknown = one(tmp_path, "demo-2.0.tar.gz", min_age=14)
    assert unknown.state is Age.UNKNOWN
    assert unknown.problem == "the index does not say when its files were uploaded"


def test_patterns_and_only_what_is_here_is_asked_for(tmp_path: Path) -> None:
    site = make_tree(
        tmp_path,
        {
            "generic": ["demo-1.0-py3-none-any.whl", "other-1.0-py3-none-any.whl"],
            "gentoo/avx2": [f"foreign-1.0-cp312-cp312-linux_{MACHINE}.whl"],
            "nix/avx2": ["elsewhere-1.0-py3-none-any.whl"],
        },
    )
    asked: list[str] = []

    def ask(names: list[str]) -> dict[str, Said]:
        asked.extend(names)
        return dict.fromkeys(names, Said())

    found = find_outdated(Wheelhouse(site), HOST, ["De*", "zz"], ask)
    assert (asked, found.unmatched) == (["demo"], ("zz",))
    asked.clear()
    find_outdated(Wheelhouse(site), HOST, [], ask)
    assert asked == ["demo", "other"]


def test_several_indexes_are_one(tmp_path: Path) -> None:
    one_page = Page.of_files(
        [IndexFile("demo-1.0.tar.gz", yanked="bad", uploaded=20), IndexFile("demo-2.0.zip")]
    )
    other = Page.of_files(
        [IndexFile("demo-1.0-py3-none-any.whl", uploaded=10), IndexFile("demo-0.1.zip", yanked="")],
        "archived",
    )
    merged = one_page.merge(other)
    assert [release.version for release in merged.releases()] == ["2.0", "1.0", "0.1"]
    releases = {release.version: release for release in merged.releases()}
    assert (releases["1.0"].yanked, releases["1.0"].uploaded) == (None, 10)
    assert releases["1.0"].files == (("py3-none-any", ""),)
    assert releases["0.1"].yanked == ""
    assert merged.status == "archived"
    assert one_page.merge(Page()) == one_page == Page().merge(one_page)
