"""Directories that are others under a second name: one place in the order, one name, everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.factories import clean_environ, make_wheel, pip_report
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import pip_config, static_configs
from wheelhouse_resolver.publishing.destination import destination
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.view import make_view
from wheelhouse_resolver.site.links import find_links
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelhouse import Wheelhouse

TEXT = """
[[layer]]
name = "nix"
archs = ["avx"]
[[layer]]
name = "gentoo2020"
directories = ["gentoo2020", "gentoo"]
archs = ["avx2", "avx512"]
[[layer]]
name = "gentoo2023"
archs = ["avx2", "avx512"]
"""

#: The tag of a compiled wheel that this machine's pip takes.
TAG = f"py3-none-linux_{os.uname().machine}"

BETTER = f"gentoo/avx2/demo-1.0-400000avx2-{TAG}.whl"

WHEELS = (
    BETTER,
    f"gentoo/generic/demo-1.0-100000generic-{TAG}.whl",
    "common/other-1.0-1000generic-py3-none-any.whl",
)

#: Link -> what it leads to.
LINKS = {
    "generic": "common",  # which the site file does not name
    "nix/generic": "../generic",
    "gentoo/avx512": "avx2",
    "gentoo2020": "gentoo",
    "gentoo2023": "gentoo2020",
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    root = tmp_path / "w"
    for each in (*WHEELS, "nix/avx/.", "gentoo/generic/."):
        (root / each).parent.mkdir(parents=True, exist_ok=True)
    for each in WHEELS:
        make_wheel((root / each).parent, os.path.basename(each))
    for link, target in LINKS.items():
        (root / link).symlink_to(target)
    (root / "site.toml").write_text(f'root = "{root}"\n{TEXT}')
    return Site.load(root / "site.toml")


def labels(site: Site, layer: str | None, arch: str) -> list[str]:
    return [directory.label for directory in site.search_path_for(layer, arch)]


def test_each_directory_has_one_name_and_one_rank(site: Site) -> None:
    # Of gentoo2020/avx2 (401), gentoo/avx2 and gentoo2023/avx2 (400), and the same of avx512.
    found = {directory.label: directory.rank for directory in site.directories()}
    assert found == {"gentoo/avx2": 400, "nix/avx": 300, "gentoo/generic": 100, "generic": 1}


@pytest.mark.parametrize(
    ("layer", "arch", "expected"),
    [
        ("nix", "avx", ["nix/avx", "generic"]),
        ("gentoo2020", "avx512", ["gentoo/avx2", "gentoo/generic", "generic"]),
        ("gentoo2023", "avx512", ["gentoo/avx2", "gentoo/generic", "generic"]),
        ("gentoo2023", "sse3", ["gentoo/generic", "generic"]),
    ],
)
def test_a_host_searches_each_once(site: Site, layer: str, arch: str, expected: list[str]) -> None:
    assert labels(site, layer, arch) == expected
    path = site.search_path_for(layer, arch)
    assert [each.layer for each in path] == [*[layer] * (len(path) - 1), None]
    assert [each.rank for each in path] == sorted((each.rank for each in path), reverse=True)


def test_a_site_that_was_not_loaded_is_looked_at_where_its_wheels_are(site: Site) -> None:
    text = Site.parse(TEXT, "site.toml", root=site.root)
    assert labels(text, "gentoo2023", "avx512")[0] == "gentoo2023/avx512"  # nobody has looked
    assert text.with_links().directories() == site.directories()
    host = Host(arch="avx512", layer="gentoo2023")
    assert [each.path for each in Wheelhouse(text).candidates("demo", host)] == [
        os.path.join(site.root, each) for each in WHEELS[:2]
    ]
    assert pip_config(text, host).find_links == pip_config(site, host).find_links


def test_who_looks_at_all_of_the_tree_sees_each_wheel_once(site: Site, tmp_path: Path) -> None:
    house = Wheelhouse(site)
    assert [*map(str, house.audit())] == []
    report = house.index(tmp_path / "index")
    assert report.left_out == ()
    page = (tmp_path / "index/avx512-gentoo2023/demo/index.html").read_text()
    assert page.count("gentoo/avx2/demo-1.0-400000avx2") == 1
    assert "gentoo2023" not in page
    assert make_view(site, str(tmp_path / "view")).made == len(WHEELS)


def test_the_links_of_a_base_count_as_they_do_for_its_own_site(site: Site, tmp_path: Path) -> None:
    (tmp_path / "dept/generic").mkdir(parents=True)
    text = f'root = "{tmp_path}/dept"\n{TEXT}\n[[base]]\nname = "b"\nroot = "{site.root}"\n'
    above = Site.parse(text, str(tmp_path / "dept.toml")).with_links()
    for layer, arch in (("nix", "avx"), ("gentoo2020", "avx512"), ("gentoo2023", "avx512")):
        theirs = [each for each in above.search_path_for(layer, arch) if each.base == "b"]
        own = [(f"b/{each.label}", each.path, each.rank) for each in site.search_path_for(layer, arch)]
        assert [(each.label, each.path, each.rank) for each in theirs] == own
    house, host = Wheelhouse(above), Host(arch="avx512", layer="gentoo2023")
    assert [each.path for each in house.candidates("demo", host)] == [f"{site.root}/{e}" for e in WHEELS[:2]]
    assert pip_config(above, host).find_links[-3:] == pip_config(site, host).find_links
    assert [*map(str, house.audit())] == []
    house.index(tmp_path / "index")
    page = (tmp_path / "index/avx512-gentoo2023/demo/index.html").read_text()
    assert page.count("gentoo/avx2/demo-1.0-400000avx2") == 1
    assert make_view(above, str(tmp_path / "view")).made == len(WHEELS)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("gentoo2023/avx2", "gentoo/avx2"), ("gentoo2020/avx2", "gentoo/avx2"), ("nix/generic", "generic"),
        ("gentoo2023/generic", "gentoo/generic"), ("gentoo/avx2", "gentoo/avx2"),
    ],
)  # fmt: skip
def test_one_publishes_by_any_of_the_names(site: Site, to: str, expected: str) -> None:
    found = destination(site, to)
    assert found is not None
    assert found.label == expected


def test_what_needs_more_than_all_who_search_a_directory_can_run_is_not_published_there(site: Site) -> None:
    with pytest.raises(PublishError, match="--arch avx512: layer gentoo2023 has no directory for it"):
        destination(site, "gentoo2023/avx512")
    ladder = (*site.ladder[:3], site.ladder[2]._replace(name="v3", rank=450), *site.ladder[3:])
    layers = tuple(each._replace(archs=("avx2", "v3")) for each in site.layers)
    twins = site._replace(ladder=ladder, layers=layers, links={"gentoo2023/v3": "gentoo2023/avx2"})
    assert [each.label for each in twins.directories_for("gentoo2023", "v3")] == ["gentoo2023/avx2"]


@pytest.mark.parametrize("form", ["ini", "uv"])
def test_the_configurations_name_each_once(site: Site, form: str) -> None:
    text = static_configs(site)["avx512-gentoo2023"].render(form)
    for label in ("gentoo/avx2", "gentoo/generic", "generic"):
        assert text.count(file_url(f"{site.root}/{label}")) == 1
    assert "/gentoo2023/" not in text


def test_pip_takes_policys_choice_through_them(site: Site, tmp_path: Path) -> None:
    host = Host(arch="avx512", layer="gentoo2023")
    config = tmp_path / "pip.conf"
    config.write_text(pip_config(site, host, offline=True).render("ini"))
    found = pip_report("demo", "other", environ=clean_environ(PIP_CONFIG_FILE=str(config)))
    for project, place in (("demo", BETTER), ("other", "generic/other-1.0-1000generic-py3-none-any.whl")):
        best = Wheelhouse(site).pick(project, host).best
        assert best is not None
        assert best.path == f"{site.root}/{place}"
        # Some pips (23.2) follow links of find-links, others (26.3) do not.
        assert found[project] in (file_url(best.path), file_url(os.path.realpath(best.path)))


def test_equal_inode_numbers_are_no_link_where_the_paths_differ(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = os.stat(site.root)
    monkeypatch.setattr("wheelhouse_resolver.site.links.os.stat", lambda _: same)
    built_in = Site.default("/nowhere")
    assert find_links(built_in.directories()) == {}
