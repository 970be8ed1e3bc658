from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wheelhouse_resolver.builder.records.job import BuildOptions, Job, SourceArchive
from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.serialise import from_plain, to_plain

JOB = Job(
    requirement="Demo[fast] >= 1.0 ; x/../y",
    project="demo",
    python="/usr/bin/python3",
    python_version="3.11",
    arch="avx2",
    layer="gentoo",
    source=SourceArchive(
        kind="tree", path="/a.tar", sha256="00", origin="git+https://example.org/demo@12", version="1.0"
    ),
)


def test_a_job_survives_the_way_through_json() -> None:
    assert from_plain(Job, json.loads(json.dumps(to_plain(JOB)))) == JOB


def test_the_label_of_a_job_fits_a_file_name() -> None:
    assert JOB.label == "Demo-fast-1.0-x-..-y-py3.11-gentoo-avx2"
    assert Job(requirement="a", project="a", python="p", python_version="3.9").label == "a-py3.9-none-generic"


def test_options_survive_the_way_through_json(tmp_path: Path) -> None:
    options = BuildOptions(
        site=Site.default(tmp_path),
        work="/work",
        output="/out",
        logs="/logs",
        verify=False,
        keep=True,
        find_links=("/a", "/b"),
        offline=True,
        timeout=60.0,
    )
    assert BuildOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


def test_the_site_of_options_is_read_from_its_file_again(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('root = "/elsewhere"\n[build]\nrecipes = ["/r"]\n')
    options = BuildOptions(site=Site.load(file, root=tmp_path), work="/work", output="/out", logs="/logs")
    found = BuildOptions.from_dict(options.to_dict())
    assert found == options
    assert (found.site.root, found.site.tables["build"]["recipes"]) == (str(tmp_path), ("/r",))
    file.unlink()
    with pytest.raises(SiteFileError):
        BuildOptions.from_dict(options.to_dict())


def test_options_are_the_same_for_one_in_another_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.toml").write_text(f'root = "{tmp_path}"\n')
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHEELHOUSE_CONFIG", "site.toml")
    for site in (Site.load("site.toml"), Site.load()):
        sent = BuildOptions(site=site, work="w", output="o", logs="l", find_links=("f",)).to_dict()
        monkeypatch.chdir(tmp_path / "elsewhere")
        found = BuildOptions.from_dict(sent)
        monkeypatch.chdir(tmp_path)
        assert (found.site.root, found.site.source) == (str(tmp_path), str(tmp_path / "site.toml"))
        paths = (found.work, found.output, found.logs, *found.find_links)
        assert paths == tuple(str(tmp_path / name) for name in "wolf")


@pytest.mark.parametrize("data", [None, {}, {"config": None, "root": "/w"}, {"root": 1}])
def test_what_are_no_options(data: Any) -> None:
    with pytest.raises(ValueError, match=r"missing|is a"):
        BuildOptions.from_dict(data)
