"""What wins when an index has the same project: the stamp, the tag, or the version.

One run of an installer is asked for a project of each case. What it takes is `ours` or `index`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conformance.houses import builtin_site, place_wheel
from tests.factories import make_wheel
from tests.programs import MACHINE, Program, glibc_levels, one_of_each_everyday, write_index
from wheelhouse_resolver.publishing.plan import PublishOptions
from wheelhouse_resolver.utils.urls import file_url


class Case(NamedTuple):
    """A project. *ours*, *theirs*: version and platform of the two wheels (`linux` or a manylinux level)."""

    requirement: str
    ours: tuple[str, str]
    theirs: tuple[str, str]
    options: PublishOptions = PublishOptions()


def taken(cases: Mapping[str, Case], program: Program, work: Path) -> dict[str, str]:
    """What *program* takes for each case: `ours`, or `index`."""
    site = builtin_site(work)
    Path(site.root).mkdir()
    where = next(each for each in site.directories() if each.label == "gentoo/avx2")
    prefix = program.tag.removesuffix(f"linux_{MACHINE}")
    theirs: list[Path] = []
    for project, case in cases.items():
        version, platform = case.ours
        ours = make_wheel(
            work / "ours",
            f"{project}-{version}-{prefix}{platform}_{MACHINE}.whl",
            files={f"{project}.py": "MARK = 'ours'\n"},
        )
        place_wheel(site, where, ours, case.options)
        version, platform = case.theirs
        theirs.append(
            make_wheel(
                work / "theirs",
                f"{project}-{version}-{prefix}{platform}_{MACHINE}.whl",
                files={f"{project}.py": "MARK = 'index'\n"},
            )
        )
    index = write_index(work / "index", theirs)
    requirements = [case.requirement.format(project) for project, case in cases.items()]
    return program.install([file_url(where.path)], requirements, work / "work", index=index)


@one_of_each_everyday
def test_versions_decide_first_and_then_the_stamp(program: Program, tmp_path: Path) -> None:
    plain, linux = ("1.0", "linux"), "linux"
    cases = {
        "same": Case("{}", plain, plain),
        "same_pinned": Case("{}==1.0", plain, plain),
        "newer": Case("{}", plain, ("1.0.1", linux)),
        "newer_post": Case("{}", plain, ("1.0.post1", linux)),
        "newer_asked_for_ours": Case("{}==1.0", plain, ("1.0.1", linux)),
        "older": Case("{}", plain, ("0.9", linux)),
        "upstream_build": Case("{}", plain, ("1.0-7", linux)),
    }
    assert taken(cases, program, tmp_path) == {
        "same": "ours",
        "same_pinned": "ours",
        "newer": "index",
        "newer_post": "index",
        "newer_asked_for_ours": "ours",
        "older": "ours",
        "upstream_build": "ours",
    }


def newest_manylinux() -> str:
    """The best manylinux platform of this machine, without its machine."""
    levels = glibc_levels()
    if not levels:
        pytest.skip("this machine's C library takes no manylinux wheels")
    major, minor = levels[-1]
    return f"manylinux_{major}_{minor}"


@one_of_each_everyday
def test_a_local_label_wins_whatever_the_tags(program: Program, tmp_path: Path) -> None:
    label = PublishOptions(local_label="site")
    plain, many = ("1.0", "linux"), ("1.0", newest_manylinux())
    asked = {
        "any": "{}",
        "pinned": "{}==1.0",
        "at_least": "{}>=1.0",
        "compatible": "{}~=1.0",
        "prefix": "{}==1.*",
        "very_same": "{}===1.0",
    }
    cases = {name: Case(requirement, plain, many, label) for name, requirement in asked.items()}
    cases["newer"] = Case("{}", plain, ("1.0.1", "linux"), label)
    cases["newer_post"] = Case("{}", plain, ("1.0.post1", "linux"), label)
    assert taken(cases, program, tmp_path) == {
        **dict.fromkeys(asked, "ours"),
        "very_same": "index",
        "newer": "index",
        "newer_post": "index",
    }


@one_of_each_everyday
def test_manylinux_of_the_index_against_plain_linux(program: Program, tmp_path: Path) -> None:
    many = newest_manylinux()
    glibc = many.removeprefix("manylinux_").replace("_", ".")
    plain = ("1.0", "linux")
    cases = {
        "untagged": Case("{}", plain, ("1.0", many)),
        "tagged": Case("{}", plain, ("1.0", many), PublishOptions(glibc=glibc)),
        "tagged_pinned": Case("{}==1.0", plain, ("1.0", many), PublishOptions(glibc=glibc)),
    }
    low = glibc_levels()[0]
    cases["tagged_against_an_older_level"] = Case(
        "{}", plain, ("1.0", f"manylinux_{low[0]}_{low[1]}"), PublishOptions(glibc=glibc)
    )
    # The tag goes before the build tag from pip 21.1 on, and from 26.3 on linux_* is the best platform.
    tag_wins = program.release == "uv" or (21, 1) <= program.version < (26, 3)
    assert taken(cases, program, tmp_path) == {
        "untagged": "index" if tag_wins else "ours",
        "tagged": "ours",
        "tagged_pinned": "ours",
        "tagged_against_an_older_level": "ours",
    }
