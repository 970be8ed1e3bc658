"""What real pip makes of requirements files, and what is read here.

One run of pip costs half a second, so all files that concern their own project only are given to one run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.factories import make_tree, make_wheel, pip_report, run_pip
from tests.pips import pip_environ
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.pick import picks
from wheelhouse_resolver.selection.requirements import RequirementsFile
from wheelhouse_resolver.selection.requirements_file import read_requirements
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.reader import Tree

HOST = Host(arch="generic", layer=None)

VERSIONS = ("1.0", "1.1", "2.0", "2.1rc1")


class Case(NamedTuple):
    """A file that asks for `zz`; other files beside it. modern: pip 22.2 does not know what is in it."""

    text: str
    others: Mapping[str, str] = {}
    encoding: str = "utf-8"
    modern: bool = False


#: Files that concern their own project only, and that pip installs something for.
ALONE = {
    "a name": Case("zz\n"),
    "no newline, a comment": Case("zz # 1"),
    "no marker": Case("zz;\n"),
    "no marker, a comment": Case("zz<2 ; # c\n"),
    "blanks": Case("zz >= 1 , < 2;python_version>'3.0'and os_name=='posix'\n"),
    "parentheses": Case("zz (>=1)\n"),
    "several lines": Case("zz>=1.1\nzz<2\n"),
    "several spellings": Case("zz\nZZ<2\nZz!=1.1\n"),
    "one line is for others": Case("zz==1.0\nzz>1; python_version<'3'\n"),
    "twice": Case("zz==1.0\nzz==1.0\n"),
    "continued": Case("zz<\\\n2\n"),
    "several backslashes": Case("zz<2\\\\\\\n,!=1.1\n"),
    "a backslash first": Case("\\zz<\\\n2\n"),
    "nothing but a backslash": Case("\\\nzz\n"),
    "a comment continued": Case("zz # c \\\nzz<2\n"),
    "a comment ends it": Case("zz \\\n# c\nzz<2\n"),
    "form feed": Case("zz\x0czz<2\n"),
    "only returns": Case("zz\rzz<2\r"),
    "utf-16": Case("zz<2\n", encoding="utf-16"),
    "utf-16-be": Case("\ufeffzz<2\n", encoding="utf-16-be"),
    "utf-32": Case("zz<2\n", encoding="utf-32", modern=True),
    "utf-32-be": Case("\ufeffzz<2\n", encoding="utf-32-be"),
    "utf-8 with a mark": Case("zz<2 # é\n", encoding="utf-8-sig"),
    "declared": Case("# -*- coding: latin-1 -*-\nzz<2 # é\n", encoding="latin-1"),
    "declared on line 2": Case("zz<2\n# coding=latin-1 é\n", encoding="latin-1"),
    "the mark goes first": Case("# coding: ascii\nzz<2 # é\n", encoding="utf-8-sig"),
    "included": Case("-r a.txt\n", {"a.txt": "zz<2\n"}),
    "included, no blank": Case("-ra.txt\n", {"a.txt": "zz<2\n"}),
    "included, abbreviated": Case("--requirem=a.txt\n", {"a.txt": "zz<2\n"}),
    "constrained, abbreviated": Case("--constr a.txt\nzz\n", {"a.txt": "zz<2\n"}),
    "quoted": Case("-r 'a b.txt'\n", {"a b.txt": "zz<2\n"}),
    "escaped": Case("-r a\\ b.txt\n", {"a b.txt": "zz<2\n"}),
    "in a directory": Case(
        "-r s/a.txt\n", {"s/a.txt": "-r b.txt\n-c ../c.txt\n", "s/b.txt": "zz\n", "c.txt": "zz<2\n"}
    ),
    "-r, then -c": Case("-r a.txt -c b.txt\n", {"a.txt": "zz\n", "b.txt": "zz<2\n"}),
    "-c, then -r": Case("-c b.txt -r a.txt\n", {"a.txt": "zz\n", "b.txt": "zz<2\n"}),
    "two of -r": Case("-r a.txt -r b.txt\n", {"a.txt": "zz\n", "b.txt": "zz<2\n"}),
    "two of -c": Case("zz\n-c a.txt -c b.txt\n", {"a.txt": "zz<2\n", "b.txt": "zz<1.1\n"}),
    "a stray word": Case("-c a.txt b.txt\nzz\n", {"a.txt": "zz<2\n"}),
    "-r beside a requirement": Case("zz -r a.txt\n", {"a.txt": "zz<2\n"}),
    "--pre beside a requirement": Case("zz --pre\n"),
    "--pre beside -r": Case("-r a.txt --pre\n", {"a.txt": "zz\n"}),
    "-r in -c": Case("-c c.txt\n", {"c.txt": "-r q.txt\nzz<2\n", "q.txt": "zz\n"}),
    "-c in -r": Case("-r c.txt\n", {"c.txt": "-c q.txt\nzz\n", "q.txt": "zz<2\n"}),
    "-c in -c": Case("-c c.txt\nzz\n", {"c.txt": "-c q.txt\n", "q.txt": "zz<2\n"}),
    "variables": Case("zz==${VER}\n"),
    "a variable in a name": Case("-r ${NAME}.txt\n", {"a.txt": "zz<2\n"}),
    "all releases": Case("zz\n--all-rel zz\n", modern=True),
    "all releases on its line": Case("zz --all-releases zz\n", modern=True),
    "only final": Case("--only-final zz\nzz>=1\n", modern=True),
    "all, then final": Case("--all-releases zz\n--only-final zz\nzz\n", modern=True),
    "config settings": Case("zz --config-settings a=b\n", modern=True),
    "no binary, then it is": Case("--no-binary zz\n--only-binary zz\nzz<2\n"),
    "a URL for others": Case("https://x.invalid/foo-1.0-py3-none-any.whl ; python_version<'3'\nzz<2\n"),
    "a named URL for others": Case("foo @ https://x.invalid/foo.zip ; python_version<'3'\nzz<2\n"),
    "a repository for others": Case("git+https://x.invalid/x.git#egg=x ; python_version<'3'\nzz<2\n"),
    "a file for others": Case("./foo-1.0-py3-none-any.whl ; python_version<'3'\nzz<2\n"),
    "a trailing comma": Case("zz<2,>=1,\n", modern=True),
    "a hash alone": Case("--hash=sha256:abc\nzz<2\n"),
    "two dashes": Case("-- foo\nzz<2\n"),
}

#: Files with options for all projects.
WHOLE = {
    "--pre": Case("zz\n--pre\n"),
    "--pre and a word": Case("--pre foo\nzz\n"),
    "--pre from a variable": Case("${OPTION}\nzz\n"),
    "--pre in -c": Case("-c c.txt\nzz\n", {"c.txt": "--pre\n"}),
    "final, then --pre": Case("--only-final :all:\n--pre\nzz\n", modern=True),
    "--pre, then final": Case("--pre\n--only-final :all:\nzz\n", modern=True),
    "pre before none on its line": Case("--pre --all-releases :none:\nzz\n", modern=True),
    "pre before final on its line": Case("--pre --only-final :all:\nzz\n", modern=True),
    "this one final, then --pre": Case("--only-final zz\n--pre\nzz\n", modern=True),
    "final, not any more, then --pre": Case("--only-final zz --only-final :none: --pre\nzz\n", modern=True),
    "no binary at all, but of it": Case("--no-binary :all:\n--only-binary zz\nzz\n"),
}

#: Files that pip refuses, or finds nothing for.
REFUSED = {
    "ambiguous": Case("--req a.txt\n", {"a.txt": "zz\n"}),
    "unknown option": Case("zz --bogus\n"),
    "unknown hash": Case("zz==1.0 --hash=md5:abc\n"),
    "hash without a kind": Case("zz==1.0 --hash=sha256\n"),
    "a tab before an option": Case("zz\t--hash=sha256:abc\n"),
    "no value": Case("-r\nzz\n"),
    "an open quote": Case("-r 'open\nzz\n"),
    "quotes around a name": Case('"zz"\n'),
    "an unknown encoding": Case("# coding: nonsense\nzz\n"),
    "an encoding that is none": Case("# coding: hex\nzz\n"),
    "not of that encoding": Case("zz # é\n", encoding="latin-1"),
    "includes itself": Case("-c r.txt\nzz\n"),
    "an invalid marker": Case("zz; nonsense\n"),
    "contradictory": Case("zz==1.0\nzz>1\n"),
    "no wheels": Case("zz --no-binary :all:\n"),
    "no wheels beside -r": Case("-r a.txt --no-binary zz\n", {"a.txt": "zz\n"}),
    "final only": Case("--only-final zz\nzz>=2.1rc1\n", modern=True),
}

ENVIRON = {"VER": "1.0", "NAME": "a", "OPTION": "--pre"}


class Pip(NamedTuple):
    """A pip, and whether it knows what the newest does."""

    command: Sequence[str]
    modern: bool


@pytest.fixture(
    params=[
        pytest.param("newest_pip", marks=pytest.mark.network, id="newest"),
        pytest.param("oldest_pip", marks=[pytest.mark.network, pytest.mark.slow], id="oldest"),
    ],
)
def pip(request: pytest.FixtureRequest) -> Pip:
    """The newest pip; the oldest that knows `--report`."""
    return Pip(request.getfixturevalue(request.param), request.param == "newest_pip")


def placed(root: Path, cases: Mapping[str, Case]) -> tuple[Site, list[Path]]:
    """A wheelhouse with a project of its own for each case, and the files."""
    site, found = make_tree(root / "tree", {}), []
    for number, case in enumerate(cases.values()):
        project = f"p{number}"
        for version in VERSIONS:
            make_wheel(root / "tree/generic", f"{project}-{version}-py3-none-any.whl")
        place = root / project
        for name, text in {**case.others, "r.txt": case.text}.items():
            (place / name).parent.mkdir(exist_ok=True, parents=True)
            encoding = case.encoding if name == "r.txt" else "utf-8"
            text = text.replace("zz", project).replace("Zz", project.upper()).replace("ZZ", project.upper())
            (place / name).write_bytes(text.encode(encoding))
        found.append(place / "r.txt")
    return site, found


def arguments(site: Site, paths: Iterable[Path]) -> list[str]:
    links = ["--no-index", "--find-links", f"{site.root}/generic"]
    return [*links, *(word for path in paths for word in ("-r", str(path)))]


def ours(site: Site, paths: Iterable[Path]) -> dict[str, str]:
    files = RequirementsFile().merge(*(read_requirements(str(path), ENVIRON) for path in paths))
    found = picks(Tree(site), files, HOST)
    assert [each.requirement for each in found if each.best is None and not each.ignored] == []
    return {each.best.name: str(each.best.version) for each in found if each.best is not None}


def pips(site: Site, paths: Iterable[Path], pip: Pip) -> dict[str, str]:
    found = pip_report(*arguments(site, paths), environ=pip_environ(**ENVIRON), pip=pip.command)
    return {name: url.rsplit("/", 1)[1].split("-")[1] for name, url in found.items()}


def known(cases: Mapping[str, Case], pip: Pip) -> dict[str, Case]:
    return {name: case for name, case in cases.items() if pip.modern or not case.modern}


def test_files_that_concern_their_own_project(tmp_path: Path, pip: Pip) -> None:
    cases = known(ALONE, pip)
    site, paths = placed(tmp_path, cases)
    assert ours(site, paths) == pips(site, paths, pip)
    alone = {name: ours(site, [path]) for name, path in zip(cases, paths, strict=True)}
    assert {**dict(pair for each in alone.values() for pair in each.items())} == ours(site, paths)
    assert all(len(each) == 1 for each in alone.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_options_for_all_projects(name: str, tmp_path: Path, pip: Pip) -> None:
    for case in known({name: WHOLE[name]}, pip).values():
        site, paths = placed(tmp_path, {name: case})
        found = ours(site, paths)
        assert found == pips(site, paths, pip)
        assert len(found) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_what_pip_refuses(name: str, tmp_path: Path, pip: Pip) -> None:
    site, paths = placed(tmp_path, {name: REFUSED[name]})
    done = run_pip(
        "install", "--dry-run", *arguments(site, paths), environ=pip_environ(**ENVIRON), pip=pip.command
    )
    assert done.returncode != 0
    try:
        files = read_requirements(str(paths[0]), ENVIRON)
    except WheelhouseError:
        return
    assert all(each.best is None for each in picks(Tree(site), files, HOST))
