"""Shell recipes that were taken over, built for real."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.builder.sources import make_repository, pack_source
from tests.builder.workshop import Workshop
from tests.requires import need
from wheelhouse_resolver.builder.shell_recipes.importer import import_recipes, write_recipes

pytestmark = pytest.mark.slow

SETUP = """\
import os
from setuptools import setup

setup(
    name="{name}", version="{version}", py_modules=["{name}"], install_requires={requires},
    description=os.environ.get("ABOUT", "nothing"),
)
"""

ANSWER = {
    "setup.py": SETUP.format(name="answer", version="1.5", requires=["old>=40"]),
    "answer.py": 'VALUE = "unknown"\nBASE = 1\nBUILT = "for nothing"\n',
    "PKG-INFO": "Metadata-Version: 2.1\nName: answer\nVersion: 1.5\n",
}

PATCH = """\
--- a/answer.py
+++ b/answer.py
@@ -1,3 +1,3 @@
 VALUE = "unknown"
-BASE = 1
+BASE = 2
 BUILT = "for nothing"
"""

ANSWER_SH = """\
PATCHES="answer.patch"
if [[ $(translate_version $VERSION) -ge $(translate_version '1.5') ]]; then
    ABOUT='the answer'
else
    ABOUT='an older one'
fi
PYTHON_DEPS="setuptools>=40 -U"
PRE_BUILD_COMMANDS=$(cat <<-END
	sed -i -e 's/unknown/$VERSION of $PACKAGE/' answer.py;
	export ABOUT='$ABOUT';
	WHAT=shell && sed -i -e "s/for nothing/in a \\$WHAT/" answer.py;
	export LEVEL=\\${RSNT_ARCH_NOT_SET:-low};
END
)
POST_BUILD_COMMANDS='test -f $WHEEL_NAME && wheel tags --remove --platform-tag=linux_x86_64 $WHEEL_NAME'
UPDATE_REQUIREMENTS='"old->setuptools"'
PYTHON_TESTS="assert (answer.VALUE, answer.BASE, answer.BUILT) == ('1.5 of answer', 2, 'in a shell')"
"""

BELOW_SH = """\
PACKAGE_DOWNLOAD_ARGUMENT="git+{url}@v${{VERSION:?needed}}"
PRE_BUILD_COMMANDS='touch made-at-the-top && cd python'
TEST_COMMAND="python -c 'import below; assert below.AT == $VERSION'"
"""


def taken_over(workshop: Workshop, recipes: dict[str, str]) -> None:
    """Let *workshop* build with what the shell *recipes* come to."""
    shell = workshop.directory / "shell"
    (shell / "config").mkdir(parents=True)
    (shell / "patches").mkdir()
    (shell / "patches/answer.patch").write_text(PATCH)
    for name, text in recipes.items():
        (shell / "config" / name).write_text(text)
    found = import_recipes(str(shell / "config"), workshop.site)
    found = write_recipes(found, str(workshop.recipes), str(shell / "config"))
    assert [finding for each in found for finding in each.reported] == []


def test_a_recipe_with_a_patch_commands_conditions_and_edits(tmp_path: Path) -> None:
    need("patch")
    workshop = Workshop(tmp_path)
    pack_source(workshop.sources / "answer-1.5.tar.gz", ANSWER, top="answer-1.5")
    taken_over(workshop, {"answer.sh": ANSWER_SH})
    record = workshop.build("answer==1.5", verify=True)
    assert (record.result, record.problem) == ("built", "")
    assert record.wheel.endswith("-py3-none-linux_x86_64.whl")
    with zipfile.ZipFile(workshop.output / record.wheel) as wheel:
        metadata = wheel.read("answer-1.5.dist-info/METADATA").decode().splitlines()
    assert "Summary: the answer" in metadata
    assert "Requires-Dist: setuptools>=40" in metadata


def test_a_recipe_of_a_git_repository_whose_project_is_in_a_directory(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    inside = {
        "python/setup.py": SETUP.format(name="below", version="2.0", requires=[]),
        "python/below.py": "AT = 2.0\n",
        "python/PKG-INFO": "Metadata-Version: 2.1\nName: below\nVersion: 2.0\n",
    }
    place = tmp_path / "repository"
    place.mkdir()
    make_repository(place, inside, "v2.0")
    taken_over(workshop, {"below.sh": BELOW_SH.format(url=place.as_uri())})
    record = workshop.build("below==2.0", verify=True)
    assert (record.result, record.problem) == ("built", "")
