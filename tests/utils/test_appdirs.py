from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories import clean_environ, make_tree, run_cli
from wheelhouse_resolver.utils.appdirs import places


def test_places_of_the_user_are_first_for_files_and_last_for_wheelhouses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    found = places()
    assert found.site_files[0] == "/home/somebody/.config/wheelhouse-resolver/site.toml"
    assert found.wheelhouses[-1] == "/home/somebody/.local/share/wheelhouse"


@pytest.mark.parametrize("home", ["relative", ""], ids=["relative", "empty"])
def test_a_user_without_a_home_has_the_places_of_the_machine(home: str, tmp_path: Path) -> None:
    """As in containers, and in prologs of schedulers."""
    make_tree(tmp_path / "wheelhouse", {})
    done = run_cli(
        *("pip-conf", "--layer", "none", "--root", tmp_path / "wheelhouse"), environ=clean_environ(HOME=home)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "wheelhouse/generic").as_uri() in done.stdout
