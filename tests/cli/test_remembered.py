"""Questions answered from what a site's index remembers: as from the directories themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import make_tree, make_wheel
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index.index import write_index
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.reader import Tree

#: Spelled in several ways, misnamed, source archives of old, and what begins like another project.
NAMES = {
    "generic": (
        *("my_project-1.0-py3-none-any.whl", "My.Project-1.1-py3-none-any.whl"),
        "my-project-1.2-py3-none-any.whl",
        *("my-project-1.3.tar.gz", "my_-project-1.4.zip", "my-0.1-py3-none-any.whl", "my__project-2.zip"),
        *("my_project.extra-1.0-py3-none-any.whl", "my_project-x-py3-none-any.whl"),
        *("nodash.whl", "other-1.zip"),
    ),
    "gentoo/avx2": ("my_project-1.0-cp311-cp311-linux_x86_64.whl", "other-2.0-py3-none-any.whl"),
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with an index, which remembers its tree."""
    make_tree(tmp_path / "house", {})
    for label, names in NAMES.items():
        for name in names:
            if name.endswith("any.whl") and "x-py3" not in name and name.count("-") == 4:
                make_wheel(tmp_path / "house" / label, name)
            else:
                (tmp_path / "house" / label / name).touch()
    (tmp_path / "site.toml").write_text(
        f'root = "{tmp_path}/house"\n[index]\ndirectory = "{tmp_path}/index"\n'
    )
    site = Site.load(tmp_path / "site.toml")
    write_index(site, str(tmp_path / "index"))
    return site


def without_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> list[str]:
        raise AssertionError("listed")

    monkeypatch.setattr(listing, "wheel_names", forbidden)
    monkeypatch.setattr(listing, "all_names", forbidden)


@pytest.mark.parametrize("projects", [["my-project"], ["my"], ["other", "my"], ["none"], None])
def test_the_same_files_are_found_without_listing(
    projects: list[str] | None, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(tree: Tree) -> list[object]:
        catalogue = tree.catalogue(site.directories(), projects)  # type: ignore[arg-type]
        found = [catalogue.files(each) for each in catalogue.projects]
        return [found, *(tree.read(each, site.directories()) for each in projects or ())]

    listed = asked(Tree(site._replace(tables={})))
    assert any(listed) or projects == ["none"]
    without_listing(monkeypatch)
    assert asked(Tree(site)) == listed


def test_a_directory_that_has_changed_since_is_listed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = next(each for each in site.directories() if each.label == "generic")
    (Path(directory.path) / "other-3.0-py3-none-any.whl").touch()
    assert [each.filename for each in Tree(site).read("other", [directory])] == ["other-3.0-py3-none-any.whl"]
    os.truncate(Path(site.root).parent / "index/.state.sqlite", 2000)  # damaged: no state at all
    assert [each.filename for each in Tree(site).read("other", [directory])] == ["other-3.0-py3-none-any.whl"]
    without_listing(monkeypatch)
    with pytest.raises(AssertionError, match="listed"):
        Tree(site).read("other", [directory])


def test_the_commands_say_the_same(site: Site, cli: Cli, tmp_path: Path) -> None:
    plain = tmp_path / "plain.toml"
    plain.write_text(f'root = "{site.root}"\n')
    for command in (
        ["pick", "my-project", "--explain", "--json"],
        ["avail", "my-project", "--all-versions"],
        ["avail"],
        ["why-not", "my-project>9", "--json"],
        ["lock", "my-project", "other"],
    ):
        host = ["--layer", "gentoo", "--arch", "avx2"]
        said = [cli(*command, *host, "--config", file) for file in (plain, tmp_path / "site.toml")]
        texts = [str(each).replace("site.toml", "plain.toml") for each in said]
        assert texts[0] == texts[1]
