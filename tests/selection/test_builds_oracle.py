"""What real pip makes of METADATA that is not as it should be, and what uv makes of it: each kind of fault.

Of each project there are a faulty build of 2.0, a sound lower build of it, and a sound 1.0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.factories import make_tree, make_wheel, pack, run_pip, wheel_files, with_metadata
from tests.pips import pip_environ
from tests.programs import Failed, program_of
from tests.questions import pick, why_not
from tests.resolution import lock
from wheelhouse_resolver.explain.answer import Verdict
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.selection.available import Scope, avail
from wheelhouse_resolver.selection.requirements import RequirementsFile
from wheelhouse_resolver.selection.wanted import wanted_of
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelhouse import Wheelhouse

HOST = Host(arch="avx", layer="gentoo")

Files = dict[str, bytes]


def header(name: str, value: str | None) -> Callable[[str], Files]:
    return lambda filename: with_metadata(filename, **{name: value})


def requires(text: str) -> Callable[[str], Files]:
    return lambda filename: wheel_files(filename, requires_dist=[text])


def metadata(change: Callable[[bytes], bytes | None]) -> Callable[[str], Files]:
    """The METADATA as *change* leaves it; None: not at all."""

    def changed(filename: str) -> Files:
        found = {
            path: change(data) if path.endswith("/METADATA") else data
            for path, data in wheel_files(filename).items()
        }
        return {path: data for path, data in found.items() if data is not None}

    return changed


def moved(filename: str) -> Files:
    return {
        path.replace(filename.split("-")[0], "other"): data for path, data in wheel_files(filename).items()
    }


def two_directories(filename: str) -> Files:
    return {**wheel_files(filename), "other-1.0.dist-info/METADATA": b"Name: other\nVersion: 1.0\n"}


#: Project -> its faulty wheel; pip takes the sound lower build, an older version, or the wheel for all that.
LOWER_BUILD = {
    "name": header("Name", "other"),
    "version": header("Version", "2.1"),
    "local": header("Version", "2.0+site"),
}
OLDER = {
    "star": requires("foo>=1.0.*"),
    "dev": requires("pytz (>dev)"),
    "words": requires("foo bar"),
    "empty": requires(""),
    "marker": requires("foo; python_version = '3'"),
    "legacy": requires("foo>=1.0-xyz"),
    "extra": requires("foo>=1.0.*; extra == 'x'"),
    "elsewhere": requires("foo>=1.0.*; python_version < '2'"),
    "blanks": requires("foo > = 1"),
    "folded": requires("foo\n  >=1"),
    "url": requires("foo @ not a url"),
    "python": header("Requires-Python", ">=3.99"),
}
AS_IT_IS = {
    "spelled": header("Name", "SPELLED"),
    "zeros": header("Version", "2"),
    "format": header("Metadata-Version", None),
    "future": header("Metadata-Version", "9.9"),
    "pythons": header("Requires-Python", "3.6"),
    "range": header("Requires-Python", ">=3.x"),
}
#: Project -> its faulty wheel, at which pip stops.
FATAL: dict[str, Callable[[str], Files]] = {
    "latin": metadata(lambda data: data + "Author: Jörg\n".encode("latin-1")),
    "body": metadata(lambda data: data + "\nJörg\n".encode("latin-1")),
    "missing": metadata(lambda _: None),
    "bom": metadata(lambda data: b"\xef\xbb\xbf" + data),
    "nameless": header("Name", None),
    "versionless": header("Version", None),
    "odd": header("Version", "odd"),
    "directory": moved,
    "two": two_directories,
}
BOTH = {**LOWER_BUILD, **OLDER, **AS_IT_IS}

#: What uv makes of those where it is not what pip makes of them.
UV = {
    "name": None,
    "version": None,
    "local": None,
    "star": "2.0-2",
    "dev": "2.0-2",
    "extra": "2.0-2",
    "elsewhere": "2.0-2",
    "folded": "2.0-2",
    "pythons": "1.0",
    "range": "1.0",
    "latin": "2.0-2",
    "body": "2.0-2",
    "missing": "1.0",
    "bom": "1.0",
    "nameless": "1.0",
    "versionless": "1.0",
    "odd": "1.0",
    "directory": "1.0",
    "two": "1.0",
}


def tree(root: Path, faulty: Mapping[str, Callable[[str], Files]]) -> Site:
    site = make_tree(root, {})
    for project, made in faulty.items():
        pack(
            root / "generic" / f"{project}-2.0-2-py3-none-any.whl", made(f"{project}-2.0-2-py3-none-any.whl")
        )
        for rest in ("2.0-1", "1.0"):
            make_wheel(root / "generic", f"{project}-{rest}-py3-none-any.whl")
    for needed in ("foo", "pytz"):
        make_wheel(root / "generic", f"{needed}-1.0-py3-none-any.whl")
    return site


def expected(name: str) -> str | None:
    if name in FATAL:
        return None
    return "2.0-1" if name in LOWER_BUILD else "1.0" if name in OLDER else "2.0-2"


def wheel_of(name: str, rest: str) -> str:
    return f"{name}-{rest}-py3-none-any.whl"


@pytest.mark.parametrize("name", BOTH)
def test_what_we_answer(name: str, tmp_path: Path) -> None:
    house, rest = Wheelhouse(tree(tmp_path, {name: BOTH[name]})), expected(name)
    assert rest is not None
    best = pick(house, name, HOST).best
    assert best is not None
    assert best.filename == wheel_of(name, rest)
    assert avail(house, HOST, wanted_of([name], RequirementsFile()), Scope()).rows[0].wheels == (best,)
    answer = why_not(house, name, HOST)
    assert (answer.verdict, answer.best) == (Verdict.PICKED, best)
    assert [each.candidate for each in lock([name], house.site, HOST).packages][:1] == [best]
    if name in OLDER or name in LOWER_BUILD:
        passed = f"{tmp_path}/generic/{wheel_of(name, '2.0-2')}"
        rejected = {each.file.path: each.reason for each in answer.files}
        assert rejected[passed].startswith(("passed over by pip: ", "Requires-Python >=3.99"))
        assert [passed in each for each in answer.warnings] == [True] * (name != "python")


@pytest.mark.parametrize("name", FATAL)
def test_what_we_answer_where_pip_stops(name: str, tmp_path: Path) -> None:
    house = Wheelhouse(tree(tmp_path, {name: FATAL[name]}))
    picked = pick(house, name, HOST)
    assert picked.best is None
    assert picked.broken is not None
    assert picked.broken.file.filename == wheel_of(name, "2.0-2")
    listing = avail(house, HOST, wanted_of([name], RequirementsFile()), Scope())
    assert listing.rows == ()
    assert listing.warnings == (f"{picked.broken.file.path}: {picked.broken.reason}",)
    answer = why_not(house, name, HOST)
    assert (answer.verdict, answer.best) == (Verdict.BROKEN, picked.broken.file)
    (locked,) = lock([name], house.site, HOST).packages  # a lock that can be installed
    assert locked.candidate.filename == wheel_of(name, "1.0")


def installed(site: Site, pip: list[str], work: Path, names: list[str]) -> dict[str, str]:
    """project -> URL of what *pip* would install; without what they need. Empty if it fails."""
    (work / "pip.conf").write_text(pip_config(site, HOST, offline=True).render("ini"))
    done = run_pip(
        "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-", *names,
        environ=pip_environ(PIP_CONFIG_FILE=str(work / "pip.conf")), pip=pip,
    )  # fmt: skip
    items = json.loads(done.stdout)["install"] if done.returncode == 0 else []
    urls = [item["download_info"]["url"] for item in items]
    return {url.rpartition("/")[2].partition("-")[0]: url for url in urls}


@pytest.mark.network
def test_what_pip_takes(newest_pip: list[str], tmp_path: Path) -> None:
    site = tree(tmp_path / "tree", BOTH)
    found = installed(site, newest_pip, tmp_path, [*BOTH])
    wanted = {name: f"{tmp_path}/tree/generic/{wheel_of(name, expected(name) or '')}" for name in BOTH}
    assert found == {name: file_url(path) for name, path in wanted.items()}


@pytest.mark.network
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in ("latin", "missing") else pytest.mark.slow) for name in FATAL],
)
def test_where_pip_stops(name: str, newest_pip: list[str], tmp_path: Path) -> None:
    site = tree(tmp_path / "tree", {name: FATAL[name]})
    assert installed(site, newest_pip, tmp_path, [name]) == {}
    (tmp_path / f"tree/generic/{wheel_of(name, '2.0-2')}").unlink()
    assert installed(site, newest_pip, tmp_path, [name])  # it was this file


@pytest.mark.slow
@pytest.mark.network
def test_what_uv_makes_of_it(pips_directory: Path, tmp_path: Path) -> None:
    uv = program_of("uv", pips_directory)
    different = {}
    for name, made in {**BOTH, **FATAL}.items():
        site = tree(tmp_path / name, {name: made})
        try:
            mark = uv.install([file_url(f"{site.root}/generic")], [name], tmp_path / f"{name}-work")[name]
        except Failed:
            mark = ""
        rest = mark.partition("-")[2].removesuffix("-py3-none-any.whl") or None
        if rest != expected(name):
            different[name] = rest
    assert different == UV
