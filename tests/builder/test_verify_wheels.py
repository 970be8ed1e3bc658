"""Verifying wheels of a site in one call; tests/cli/test_verify.py has what the command adds."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.factories import make_tree, make_wheel
from wheelhouse_resolver import Host, Site, UnreadableWheelError, VerifyOptions, detect_host, verify


@pytest.fixture(autouse=True)
def _quick(quick_environments: None) -> None:
    """In all tests of this module."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    make_tree(tmp_path / "tree", {"generic": ["needed-1.0-1000generic-py3-none-any.whl"]})
    return Site.default(tmp_path / "tree")


@pytest.mark.slow
def test_requirements_are_from_the_wheelhouse_and_logs_of_failures_are_kept(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    good = make_wheel(
        tmp_path, "good-1.0-py3-none-any.whl", files={"good.py": "import needed"}, requires_dist=["needed"]
    )
    bad = make_wheel(tmp_path, "bad-1.0-py3-none-any.whl", files={"bad.py": "raise SystemExit('no')"})
    found = list(verify([good, bad], site, VerifyOptions(offline=True)))
    assert [(each.ok, each.imported) for each in found] == [(True, ("good",)), (False, ())]
    assert [each.problem for each in found[1].findings] == ["exited with 1: no"]
    assert [each for each in scratch.rglob("*") if each.is_file()] == [Path(found[1].log)]


@pytest.mark.slow
def test_the_host_of_each_python_is_asked_for_once_and_environments_can_be_kept(
    site: Site, tmp_path: Path
) -> None:
    asked = []

    def host_for(python: str) -> Host:
        asked.append(python)
        return detect_host(python, arch="generic", layer="none", site=site)

    work = tmp_path / "work"
    work.mkdir()
    wheels = [make_wheel(tmp_path, f"{name}-1.0-py3-none-any.whl") for name in ("one", "two")]
    options = VerifyOptions(offline=True, work=str(work))
    assert all(each.ok for each in verify(wheels, site, options, host_for=host_for))
    assert len(asked) == 1
    assert sorted(os.listdir(work)) == ["1", "1.log", "2", "2.log"]


def test_bad_input_shows_before_anything_is_installed(site: Site, tmp_path: Path) -> None:
    good = make_wheel(tmp_path, "good-1.0-py3-none-any.whl")
    with pytest.raises(UnreadableWheelError, match="does not exist"):
        verify([good, tmp_path / "missing-1.0-py3-none-any.whl"], site)
