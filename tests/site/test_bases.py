"""`[[base]]`: the wheelhouses of other sites below one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.site.layout import Directory, SearchPath
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.wheelfile.build_tag import StampState, stamp_build, stamping

#: A department above its university, above the national site; the university has other names for its archs.
OVERLAY = """
root = "/dept"
[[layer]]
name = "gentoo2023"
archs = ["avx2"]
[[base]]
name = "uni"
root = "/uni"
generic = "common"
[[base.layer]]
name = "gentoo2023"
directories = ["g23", "g"]
archs = ["avx2", "avx512"]
names = { avx2 = "v3", avx512 = "v4", generic = "any" }
[[base]]
name = "national"
root = "/national"
"""


def labels(path: SearchPath) -> list[str]:
    return [each.label for each in path]


def number(directory: Directory, own: int = 0) -> int:
    """The build number of a stamp."""
    return int(next(iter(stamp_build(directory, own))))


def test_own_directories_come_first_and_then_those_of_each_base_by_its_own_layout() -> None:
    site = Site.parse(OVERLAY, "site.toml")
    path = site.search_path_for("gentoo2023", "avx512")
    expected = {
        "gentoo2023/avx2": "/dept/gentoo2023/avx2",
        "gentoo2023/generic": "/dept/gentoo2023/generic",
        "generic": "/dept/generic",
        "uni/g23/v4": "/uni/g23/v4",
        "uni/g/v4": "/uni/g/v4",
        "uni/g23/v3": "/uni/g23/v3",
        "uni/g/v3": "/uni/g/v3",
        "uni/g23/any": "/uni/g23/any",
        "uni/g/any": "/uni/g/any",
        "uni/common": "/uni/common",
        "national/gentoo2023/avx2": "/national/gentoo2023/avx2",
        "national/gentoo2023/generic": "/national/gentoo2023/generic",
        "national/generic": "/national/generic",
    }
    assert {each.label: each.path for each in path} == expected
    assert labels(path) == list(expected)
    assert [each.base for each in path] == [None] * 3 + ["uni"] * 7 + ["national"] * 3
    assert path.arch == "avx512"  # which this site has no directories for, but its base
    assert labels(site.search_path_for(None, "avx512")) == ["generic", "uni/common", "national/generic"]
    assert [each.label for each in site.own_directories()] == labels(path)[:3]
    assert site.directories() == path.directories
    assert [kind.label for kind in site.host_kinds()] == [
        *("none", "gentoo2023/generic", "gentoo2023/avx2", "gentoo2023/avx512"),
    ]


def test_ranks_fall_along_every_search_path_and_own_stamps_are_above_those_of_all_bases() -> None:
    site = Site.parse(OVERLAY, "site.toml")
    for kind in site.host_kinds():
        ranks = [each.rank for each in kind.search_path]
        assert ranks == sorted({*ranks}, reverse=True)
    own = [number(each) for each in site.directories() if each.base is None]
    others = [number(each, 999) for each in site.directories() if each.base is not None]
    assert min(own) > max(others)
    assert max(own) + 999 < 2**63


def test_stamps_in_a_base_are_current_as_its_own_site_made_them() -> None:
    uni = Site.parse(OVERLAY.split("[[base]]")[0].replace("/dept", "/uni"), "uni.toml")
    theirs = {each.path: each for each in uni.directories()}
    text = OVERLAY.split("[[base]]")[0] + '[[base]]\nname = "uni"\nroot = "/uni"\n'
    more = text + '[[base]]\nname = "national"\nroot = "/national"\n'
    for site in (Site.parse(text, "site.toml"), Site.parse(more, "site.toml")):
        for each in site.directories():
            if each.base == "uni":
                build = stamp_build(theirs[each.path])
                assert stamping(build, each, site).state is StampState.CURRENT
                assert stamp_build(each) == build
    one, two = (Site.parse(each, "site.toml").own_directories() for each in (text, more))
    assert one == two  # another base makes no own stamp stale


def test_a_site_without_bases_has_the_ranks_that_it_always_had() -> None:
    directories = Site.default("/w").directories()
    assert (directories[0].rank, directories[-1].rank) == (500, 1)
    assert all("base" not in each.to_dict() for each in directories)
    based = Site.parse('root = "/w"\n[[base]]\nname = "b"\nroot = "/b"\n', "site.toml").directories()
    assert [each.rank for each in based if each.base == "b"] == [each.rank for each in directories]
    assert based[-1].to_dict() == {
        "path": "/b/generic",
        "layer": None,
        "arch": "generic",
        "rank": 1,
        "base": "b",
    }


def test_the_layout_of_a_base_can_be_that_of_its_own_site_file(tmp_path: Path) -> None:
    national = tmp_path / "national.toml"
    national.write_text(
        f'root = "{tmp_path}/national"\n[[arch]]\nname = "avx2"\nrank = 450\n[[arch]]\nname = "avx512"\n'
        '[[layer]]\nname = "gentoo"\ndirectories = ["g"]\narchs = ["avx2", "avx512"]\n'
        '[[layer]]\nname = "other"\n[pip]\nno-index = true\n'
    )
    uni = tmp_path / "uni.toml"
    uni.write_text(
        f'root = "{tmp_path}/uni"\n[[layer]]\nname = "gentoo"\narchs = ["avx2"]\n'
        f'[[base]]\nname = "national"\nconfig = "{national}"\n'
    )
    (tmp_path / "uni").mkdir()
    text = f'root = "{tmp_path}/dept"\n[[layer]]\nname = "gentoo"\narchs = ["avx2"]\n'
    text += f'[[base]]\nname = "uni"\nconfig = "{uni}"\n'
    site = Site.parse(text, "dept.toml")
    path = site.search_path_for("gentoo", "avx2")
    assert labels(path) == [
        *("gentoo/avx2", "gentoo/generic", "generic"),
        *("uni/gentoo/avx2", "uni/gentoo/generic", "uni/generic"),
        *("national/g/avx2", "national/g/generic", "national/generic"),
    ]
    assert "pip" not in site.pip
    assert not [each for each in site.directories() if each.layer == "other"]
    # The stamps of both are as their own sites make them: those of an overlay are above its base's already.
    for file in (uni, national):
        theirs = Site.load(file, environ={}).own_directories()
        stamps = {each.path: stamp_build(each) for each in theirs}
        here = {each.path: stamp_build(each) for each in site.directories()}
        assert here == {**here, **{path: stamps[path] for path in stamps if path in here}}
    own = [number(each) for each in site.own_directories()]
    assert min(own) > max(number(each) for each in site.directories() if each.base is not None)
    ranks = [each.rank for each in path]
    assert ranks == sorted({*ranks}, reverse=True)

    (tmp_path / "cycle.toml").write_text(text.replace(str(uni), str(tmp_path / "cycle.toml")))
    with pytest.raises(SiteFileError, match=r"\[\[base\]\] 'uni'\.config: .*/cycle\.toml leads back"):
        Site.load(tmp_path / "cycle.toml", environ={})


def test_a_site_file_of_a_base_that_is_not_mounted_does_no_harm(tmp_path: Path) -> None:
    text = (
        f'root = "/w"\n[[base]]\nname = "far"\nroot = "{tmp_path}/far"\nconfig = "{tmp_path}/far/site.toml"\n'
    )
    assert Site.parse(text, "site.toml").bases[0].layers == Site.default("/w").layers
    (tmp_path / "far").mkdir()
    with pytest.raises(SiteFileError, match=r"\[\[base\]\] 'far'\.config: .*far/site\.toml cannot be read"):
        Site.parse(text, "site.toml")


@pytest.mark.parametrize(
    ("base", "problem"),
    [
        ('name = "b"', r"\[\[base\]\] 'b': needs `root`, or `config`"),
        ('root = "/b"', r"\[\[base\]\] number 1\.name: missing"),
        ('name = "b"\nroot = "b"', r"\[\[base\]\] 'b': root: 'b' is not an absolute path"),
        ('name = "b"\nroot = "/w"', r"\[\[base\]\] 'b'\.root: '/w' and '/w' must not be within each other"),
        ('name = "b"\nroot = "/w/b"', r"'/w/b' and '/w' must not be within each other"),
        (
            'name = "gentoo"\nroot = "/b"',
            r"\[\[base\]\] 'gentoo'\.name: 'gentoo' is a directory of this site",
        ),
        ('name = "generic"\nroot = "/b"', r"invalid name 'generic'"),
        ('name = "b/c"\nroot = "/b"', r"invalid name 'b/c'"),
        ('name = "b"\nroot = "/b"\ncolour = 1', r"\[\[base\]\] 'b'.*unknown key 'colour'"),
        (
            'name = "b"\nroot = "/b"\n[[base]]\nname = "b"\nroot = "/c"',
            r"\[\[base\]\] 'b': is listed twice",
        ),
        (
            'name = "b"\nroot = "/b"\n[[base]]\nname = "c"\nroot = "/b/c"',
            r"\[\[base\]\] 'c'\.root: '/b/c' and '/b' must not be within each other",
        ),
        (
            'name = "b"\nroot = "/b"\n[[base.layer]]\nname = "gento"',
            r"\[\[base\]\] 'b': \[\[layer\]\] 'gento': unknown layer 'gento'.*'gentoo'",
        ),
        (
            'name = "b"\nroot = "/b"\n[[base.layer]]\nname = "gentoo"\ndirectories = ["../x"]',
            r"\[\[base\]\] 'b': \[\[layer\]\] 'gentoo'\.directories: '../x' is not a plain path",
        ),
        (
            'name = "b"\nroot = "/b"\n[[base.layer]]\nname = "gentoo"\nenv = { X = "1" }',
            r"unknown key 'env'",
        ),
        (
            'name = "b"\nconfig = "/b.toml"\n[[base.layer]]\nname = "gentoo"',
            r"\[\[base\]\] 'b': `config` names the file with its layout",
        ),
        ('name = "b"\nconfig = "b.toml"', r"'b\.toml' must be an absolute path"),
        ('name = "b"\nconfig = "/nonexistent.toml"', r"/nonexistent\.toml cannot be read: No such file"),
    ],
)
def test_what_is_wrong_with_a_base_is_named(base: str, problem: str) -> None:
    with pytest.raises(SiteFileError, match=problem):
        Site.parse(f'root = "/w"\n[[base]]\n{base}\n', "site.toml")


def test_ranks_that_would_leave_their_band_are_refused_where_there_are_bases() -> None:
    own = 'root = "/w"\n[[arch]]\nname = "avx2"\nrank = 2000000\n'
    assert Site.parse(own, "site.toml").directories()[0].rank == 2000000
    with pytest.raises(
        SiteFileError, match=r"\[\[arch\]\] 'avx2'\.rank: 2000000 is above 99000, the highest"
    ):
        Site.parse(own + '[[base]]\nname = "b"\nroot = "/b"\n', "site.toml")


def test_a_directory_of_a_base_that_is_a_link_to_another_counts_once(tmp_path: Path) -> None:
    (tmp_path / "b/gentoo/avx2").mkdir(parents=True)
    (tmp_path / "b/gentoo/avx512").symlink_to("avx2")
    site = Site.parse(f'root = "/w"\n[[base]]\nname = "b"\nroot = "{tmp_path}/b"\n', "site.toml").with_links()
    theirs = [
        each for each in labels(site.search_path_for("gentoo", "avx512")) if each.startswith("b/gentoo")
    ]
    assert theirs == ["b/gentoo/avx2", "b/gentoo/avx", "b/gentoo/sse3", "b/gentoo/generic"]
    assert "b/gentoo/avx512" not in [each.label for each in site.directories()]
