"""Which wheels a page lists for which Pythons: policy's choice, and nothing that installers take instead.

The oracle is written out anew: `policy_key`, packaging's tags, and what installers do on a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from tests.static_index.test_pages import RANKS, indexed
from wheelhouse_resolver.installers.ordering import INSTALLERS, Installer, PythonKind, accepted_by
from wheelhouse_resolver.selection.policy import policy_key
from wheelhouse_resolver.static_index.conflicts import conflicts
from wheelhouse_resolver.static_index.pages import IndexedFile, IndexedWheel, PageEntry, page_entries
from wheelhouse_resolver.tree.candidate import Candidate

MANY = "manylinux_2_17_x86_64.manylinux2014_x86_64"

#: How wheels are for one Python each, or for all from one on, on one kind of machine.
PLAIN = (
    "cp310-cp310-linux_x86_64",
    "cp311-cp311-linux_x86_64",
    f"cp311-cp311-{MANY}",
    "cp312-cp312-manylinux_2_28_x86_64",
    "cp39-abi3-linux_x86_64",
    f"cp311-abi3-{MANY}",
    "py3-none-any",
    "py2.py3-none-any",
    "py3-none-linux_x86_64",
    f"py3-none-{MANY}",
    "cp311-none-any",
    "cp310.cp311-cp310.cp311-linux_x86_64",
)

#: And some that share a Python version with them, but no Python.
MORE = (
    "cp313-cp313t-linux_x86_64",
    "cp313-cp313.cp313t-linux_x86_64",
    "cp313-cp313-musllinux_1_2_x86_64",
    "pp311-pypy311_pp73-linux_x86_64",
    "cp311-cp311-linux_aarch64",
    "cp311-cp311-manylinux_2_39_x86_64",
    "cp311-cp311-win_amd64",
    "cp27-cp27mu-manylinux1_x86_64",
    "cp37-cp37m-linux_x86_64",
)

BOUNDS = (
    "",
    ">=3.9",
    "<3.12",
    ">=3.11.4",
    "!=3.11.2",
    "!=3.10.*",
    "~=3.10",
    "==3.11.*",
    ">3.10",
    "<=3.11.4",
    "x",
)

ANY, STABLE = "py3-none-any", "cp39-abi3-linux_x86_64"


Files = list[tuple[str, str, str]]


class Python(NamedTuple):
    """A Python to install for."""

    release: str
    flags: str = ""
    musl: bool = False
    machine: str = "x86_64"
    implementation: str = "cp"

    @property
    def kind(self) -> PythonKind:
        major, minor, _ = self.release.split(".")
        return PythonKind((int(major), int(minor)), self.flags, self.machine, self.musl, self.implementation)


USUAL = [
    Python(each) for each in ("3.8.0", "3.9.7", "3.10.1", "3.11.2", "3.11.3", "3.11.4", "3.11.9", "3.12.0")
]
USUAL += [Python(each) for each in ("3.13.5", "3.15.0", "3.30.1")]
OTHERS = [
    Python("3.13.1", "t"),
    Python("3.13.1", musl=True),
    Python("3.11.5", machine="aarch64"),
    Python("3.11.13", "_pp73", implementation="pp"),
]


def is_named(python: Python, files: Sequence[IndexedFile]) -> bool:
    """Whether a tag of *files* is for that Python and no usual one."""
    mark = {"t": "cp313t", "_pp73": "pp73"}.get(python.flags) or (
        "musllinux" if python.musl else python.machine
    )
    return any(mark in each.candidate.filename for each in files)


def allowed(requires_python: str, release: str) -> bool:
    try:
        return SpecifierSet(requires_python).contains(release)
    except InvalidSpecifier:
        return True


def wanted(files: Sequence[IndexedFile], python: Python, installer: Installer) -> Candidate | None:
    """What policy wants."""
    fitting = [
        each.candidate
        for each in files
        if isinstance(each, IndexedWheel) and allowed(each.requires_python, python.release)
    ]
    able, priorities = accepted_by(installer, sorted(fitting, key=lambda each: each.filename), python.kind)
    return max(able, key=lambda each: policy_key(each, priorities)[1:], default=None)


def taken(page: Sequence[PageEntry], python: Python, installer: Installer) -> Candidate | None:
    """What *installer* takes of the links of *page*."""
    links = list(page)
    if installer.hides:
        links = [each for each in links if allowed(each.requires_python, python.release)]
    else:
        links.sort(key=lambda each: each.file.candidate.filename)
    candidates = [each.file.candidate for each in links if isinstance(each.file, IndexedWheel)]
    able, priorities = accepted_by(installer, candidates, python.kind)
    if not installer.first_link:
        able.reverse()

    def key(each: Candidate) -> tuple[object, ...]:
        tag = -min(priorities[tag] for tag in each.tags if tag in priorities)
        build = each.build or (-1, "")
        return (tag, build) if installer.tag_first else (build, tag)

    best = max(able, key=key, default=None)
    if best is None or installer.hides:
        return best
    (said,) = [each.requires_python for each in links if each.file.candidate is best]
    asked = SpecifierSet(said)
    older = ["2.0.0", python.release, *(f"3.{minor}.{patch}" for minor in range(31) for patch in range(10))]
    return (
        best
        if any(asked.contains(each) for each in older if Version(each) <= Version(python.release))
        else None
    )


@st.composite
def versions(draw: st.DrawFn, endings: Sequence[str], builds: Sequence[str] = ("",)) -> Files:
    """Wheels of one version: directory, file name, Requires-Python."""
    names = st.tuples(st.sampled_from([*RANKS]), st.sampled_from(endings), st.sampled_from(builds))
    chosen = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    return [
        (label, f"x-1.0-{build}{ending}.whl", draw(st.sampled_from(BOUNDS)))
        for label, ending, build in chosen
    ]


@settings(max_examples=30, deadline=None)
@given(versions(PLAIN))
def test_every_pip_takes_what_policy_wants(made: Files) -> None:
    files = [indexed(*each) for each in made]
    page = page_entries(files)
    for installer in INSTALLERS[:3]:
        for python in USUAL:
            assert taken(page, python, installer) == wanted(files, python, installer), python


@settings(max_examples=30, deadline=None)
@given(versions([*PLAIN, *MORE], ("", "1-", "2-")))
def test_what_a_page_cannot_say_is_known(made: Files) -> None:
    files = [indexed(*each) for each in made]
    page = page_entries(files)
    known = conflicts(files, page)
    pythons = [*USUAL, *(each for each in OTHERS if is_named(each, files))]
    for installer, python in product(INSTALLERS, pythons):
        ours, theirs = wanted(files, python, installer), taken(page, python, installer)
        if ours is None or ours == theirs or (theirs and ours.directory == theirs.directory):
            continue
        reported = [each.installers for each in known if each[:2] == (ours, theirs)]
        assert any(installer.name in each for each in reported), (ours, theirs, installer.name, python)


@settings(max_examples=30, deadline=None)
@given(versions([*PLAIN, *MORE], ("", "1-", "2-")))
def test_nothing_is_hidden_from_a_python_for_which_policy_chooses_it(made: Files) -> None:
    files = [indexed(*each) for each in made]
    page = {each.file.candidate: each.requires_python for each in page_entries(files)}
    for installer in INSTALLERS[:3]:
        for python in USUAL:
            ours = wanted(files, python, installer)
            assert ours is None or allowed(page[ours], python.release)


HIGH, LOW = "gentoo/avx2", "generic"
LINUX, OLDER, NEWER = (f"{each}_x86_64" for each in ("linux", "manylinux_2_17", "manylinux_2_34"))
PATCHES = ",".join(f"!=3.11.{patch}" for patch in range(4, 40))

#: (ending, Requires-Python) of a wheel in a specific and of one in a general directory; what the page says.
TWO = {
    "the same": ((ANY, ""), (ANY, ""), "", None),
    "all of its Pythons": ((ANY, ""), (f"cp311-cp311-{LINUX}", ""), "", None),
    # No installer takes the lower one where there is the higher one, and PyPy 3.11 needs it.
    "one Python": ((f"cp311-cp311-{LINUX}", ""), (ANY, ""), "", ""),
    "some Pythons": (
        (f"cp311-abi3-{LINUX}", ""),
        (f"cp310.cp311-cp310.cp311-{LINUX}", ">=3.7"),
        "",
        ">=3.7,<3.11",
    ),
    "by Requires-Python": ((ANY, ">=3.11"), (ANY, ">=3.7,!=3.8.2"), ">=3.11", ">=3.7,!=3.8.2,<3.11"),
    "up to a Python": ((ANY, "<3.11"), (ANY, ">=3.7"), "<3.11", ">=3.7,>=3.11"),
    "a patch level": (
        (f"cp311-cp311-{LINUX}", ">=3.11.4"),
        (f"cp311-cp311-{LINUX}", ""),
        ">=3.11.4",
        "<3.11.4",
    ),
    "patch levels between": ((ANY, ">=3.11.4,<3.12"), (ANY, ""), ">=3.11.4,<3.12", PATCHES),
    "invalid": ((f"cp311-cp311-{LINUX}", ">=3.x"), (ANY, "3"), "", ""),
    "a better platform": ((f"cp311-cp311-{LINUX}", ""), (f"cp311-cp311-{OLDER}", ""), "", None),
    "for an older C library": ((f"cp311-cp311-{NEWER}", ""), (f"cp311-cp311-{OLDER}", ""), "", ""),
    "for none": ((f"cp311-cp311-{NEWER}", ""), (f"cp311-cp311-{LINUX}", ""), "", None),
    "free threads": (
        (f"cp313-abi3-{LINUX}", ""),
        (f"cp313.cp314-cp313t.cp314t-{LINUX}", ""),
        "",
        "",
    ),
    "PyPy": ((f"cp311-cp311-{LINUX}", ""), (f"pp311-pypy311_pp73-{LINUX}", ""), "", ""),
    "another system": ((ANY, ""), ("cp311-cp311-win_amd64", ""), "", ""),
    # uv would go by the file name: what is for Python 2 alone must not be there for it.
    "an old build by name": ((ANY, ">=3.6"), ("py2.py3-none-any", ""), ">=3.6", None),
}


@pytest.mark.parametrize(("high", "low", "high_says", "low_says"), TWO.values(), ids=TWO)
def test_two_wheels(
    high: tuple[str, str], low: tuple[str, str], high_says: str | None, low_says: str | None
) -> None:
    files = [indexed(where, f"x-1.0-{each[0]}.whl", each[1]) for where, each in ((HIGH, high), (LOW, low))]
    page = {each.file.candidate.directory.label: each.requires_python for each in page_entries(files)}
    assert (page.get(HIGH), page.get(LOW)) == (high_says, low_says)


def test_the_sites_own_c_library_counts() -> None:
    files = [
        indexed(HIGH, f"x-1.0-cp311-cp311-{NEWER}.whl"),
        indexed(LOW, f"x-1.0-cp311-cp311-{LINUX}.whl"),
    ]
    labels = [each.file.candidate.directory.label for each in page_entries(files, (2, 28))]
    assert LOW in labels


def test_the_machine_of_the_hosts_counts() -> None:
    """Other machines want the pure build; of those that see it, old pips take the higher build tag."""
    files = [indexed(HIGH, f"x-1.0-cp311-cp311-{LINUX}.whl"), indexed(LOW, f"x-1.0-2-{ANY}.whl")]
    (conflict,) = conflicts(files, page_entries(files))
    assert conflict.installers == ("pip 20.3 to 21.0", "pip 19.3 to 20.2")
    assert conflict.pythons == ("3.11 (x86_64)",)
    page = page_entries(files, machine="x86_64")
    assert {each.file.candidate.directory.label: each.requires_python for each in page} == {
        HIGH: "",
        LOW: "!=3.11.*",
    }
    assert conflicts(files, page, machine="x86_64") == []


def test_the_lower_bound_of_uvs_choice_would_cost_the_version() -> None:
    """uv takes the better tag at 3.11 all the same: with `>=3.12` it would get nothing."""
    files = [
        indexed(HIGH, "x-1.0-py3-none-any.whl", "<3.12"),
        indexed(LOW, f"x-1.0-cp311-abi3-{LINUX}.whl"),
    ]
    says = {each.file.candidate.directory.label: each.requires_python for each in page_entries(files)}
    assert says == {HIGH: "<3.12", LOW: "!=3.11.*"}
    (conflict,) = conflicts(files, page_entries(files))
    assert conflict.taken is not None
    assert (conflict.wanted.directory.label, conflict.taken.directory.label) == (HIGH, LOW)
    assert (conflict.installers, conflict.pythons) == (("uv",), ("3.11 (x86_64)",))


def test_what_uv_gives_up() -> None:
    files = [indexed(HIGH, f"x-1.0-{ANY}.whl", ">=3.12"), indexed(LOW, f"x-1.0-{ANY}.whl", ">=3.10")]
    (conflict,) = conflicts(files, page_entries(files))
    assert (conflict.wanted.directory.label, conflict.taken) == (LOW, None)
    assert (conflict.installers, conflict.pythons) == (("uv",), ("3.10 to 3.11",))


def test_a_page_made_by_hand_is_checked_as_it_is() -> None:
    files = [indexed(HIGH, f"x-1.0-{ANY}.whl"), indexed(LOW, f"x-1.0-{ANY}.whl")]
    entries = [PageEntry(each, "") for each in files]
    (conflict,) = conflicts(files, entries)
    assert conflict.installers == ("pip >= 26.3", "pip 21.1 to 26.2", "pip 20.3 to 21.0")
    assert conflict.taken is not None
    missing = conflicts(files, [])
    assert {each.taken for each in missing} == {None}
