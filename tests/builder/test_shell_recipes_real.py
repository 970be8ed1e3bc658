"""All shell recipes of the repository that they were invented in, at one commit, where there is a clone."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest

from wheelhouse_resolver.builder.recipes.loader import load_recipe, lost_commands, unmatched_conditions
from wheelhouse_resolver.builder.shell_recipes.importer import Imported, import_recipes, write_recipes
from wheelhouse_resolver.builder.shell_recipes.syntax import Other, parse_shell
from wheelhouse_resolver.site.layout import Layer
from wheelhouse_resolver.site.model import Site

#: A clone of github.com/ComputeCanada/wheels_builder: the path of a git repository, bare or not.
REPOSITORY = os.environ.get("SHELL_RECIPES")
COMMIT = "2e6f082f50607d6d93dd2394113ffab0468fc02d"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REPOSITORY, reason="SHELL_RECIPES names no clone of ComputeCanada/wheels_builder"),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipes and patches at the commit."""
    place = tmp_path_factory.mktemp("wheels_builder")
    command = ["git", "-C", str(REPOSITORY), "archive", COMMIT, "config", "patches"]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(place, filter="data")
    return place / "config"


@pytest.fixture(scope="module")
def imported(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Imported], Path]:
    """What they come to, and where that is written."""
    place = tmp_path_factory.mktemp("recipes")
    found = import_recipes(str(source), None)
    return write_recipes(found, str(place), str(source)), place


def test_the_parser_reads_all_but_one_which_is_not_shell(source: Path) -> None:
    invalid = [
        path.name
        for path in sorted(source.glob("*.sh"))
        if any(isinstance(each, Other) and each.what == "invalid" for each in parse_shell(path.read_text()))
    ]
    assert invalid == ["rfc3161-client.sh"]


def test_at_least_95_percent_are_valid_and_leave_nothing_to_look_at(
    imported: tuple[list[Imported], Path],
) -> None:
    found, place = imported
    files = sum(len(each.paths) for each in found)
    reported = {finding.path for each in found for finding in each.reported}
    assert files == 901
    assert len(reported) <= 0.05 * files
    layers = tuple(Layer(name, (name,), ()) for name in ("gentoo2020", "gentoo2023"))
    site = Site.default("/nowhere")._replace(layers=layers)
    for each in found:
        recipe = load_recipe(str(place / f"{each.name}.toml"))
        assert not lost_commands(recipe)
        assert not unmatched_conditions(recipe, site)


def test_the_rest_say_what_is_to_be_done(imported: tuple[list[Imported], Path]) -> None:
    findings = [finding for each in imported[0] for finding in each.reported]
    assert all(finding.line >= 1 and finding.text for finding in findings)
    unread = Counter(
        finding.text.partition(":")[0].removeprefix("nothing reads ")
        for finding in findings
        if finding.text.startswith("nothing reads ")
    )
    assert unread == {
        "CUDA_VISIBLE_DEVICES": 1,
        "MODULE_DEPS": 1,
        "MODULE_RNTIME_DEPS": 1,
        "PACKAGE_DOWNLOAD_URL": 1,
        "PATCHE": 1,
        "PYTHON_IMPORT_DEPS": 2,
        "PYTHON_TEST": 2,
        "PYTHON_VERSION": 1,
        "TEST_COMMANDS": 1,
    }
    assert sum("there is no `=` after it" in finding.text for finding in findings) == 2
