from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.requires import requires
from wheelhouse_resolver.builder.recipes.model import Patch, Source, Substitution, VariableError, no_recipe
from wheelhouse_resolver.builder.records.job import SourceArchive
from wheelhouse_resolver.builder.sources.fetched import Fetched
from wheelhouse_resolver.builder.sources.patch import ChangeError, prepare

PATCH = """\
--- a/sub/code.py
+++ b/sub/code.py
@@ -1,3 +1,3 @@
 first
-second
+changed
 third
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    (path / "sub").mkdir(parents=True)
    (path / "sub/code.py").write_text("first\nsecond\nthird\n")
    (path / "setup.cfg").write_text("version = 1\nname = a\nversion = 2\n")
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def change(source: Path, log: Path, environ: dict[str, str] | None = None, /, **recipe: Any) -> None:
    archive = SourceArchive(kind="sdist", path="demo.zip", sha256="", origin="test", version="1.5")
    wanted = replace(no_recipe("demo"), **recipe)
    root = source
    for _ in Path(wanted.source.subdirectory).parts:
        root = root.parent
    fetched = Fetched(archive=archive, root=str(root), path=str(source))
    prepare(fetched, wanted, log=str(log), environ={**os.environ, "CFLAGS": "", **(environ or {})})


def patch(directory: Path, text: str, strip: int = 1) -> Patch:
    path = directory / "fix.patch"
    path.write_text(text)
    return Patch(path=str(path), strip=strip)


def test_nothing_is_changed_without_need(source: Path, log: Path) -> None:
    before = {path: path.read_bytes() for path in source.rglob("*.*") if path.is_file()}
    change(source, log)
    assert {path: path.read_bytes() for path in before} == before
    assert not log.exists()


# -- patches -----------------------------------------------------------------------------------------------


@requires("patch")
def test_patches_are_applied_and_told(source: Path, log: Path, tmp_path: Path) -> None:
    change(source, log, patches=(patch(tmp_path, PATCH),))
    assert (source / "sub/code.py").read_text() == "first\nchanged\nthird\n"
    assert f"applied {tmp_path}/fix.patch" in log.read_text()
    assert not list(source.rglob("*.orig"))


@requires("patch")
def test_the_directories_that_a_patch_begins_with_are_stripped(
    source: Path, log: Path, tmp_path: Path
) -> None:
    change(source, log, patches=(patch(tmp_path, PATCH.replace("a/sub", "sub").replace("b/sub", "sub"), 0),))
    assert "changed" in (source / "sub/code.py").read_text()


@requires("patch")
def test_one_that_does_not_apply_is_an_error_with_what_was_rejected(
    source: Path, log: Path, tmp_path: Path
) -> None:
    with pytest.raises(ChangeError) as caught:
        change(source, log, patches=(patch(tmp_path, PATCH.replace("second", "another")),))
    where = "recipe of demo: patch[1]"
    assert str(caught.value).startswith(
        f"{where}: {tmp_path}/fix.patch does not apply: patching file sub/code.py;"
    )
    assert "saving rejects" not in str(caught.value)
    assert "+++ " not in str(caught.value)
    assert "Hunk #1 FAILED" in str(caught.value)
    assert "-another | +changed" in str(caught.value)
    assert "-another\n+changed\n" in log.read_text()
    assert not list(source.rglob("*.rej"))


@requires("patch")
def test_of_a_file_that_is_not_there_the_patch_is_quoted_once(
    source: Path, log: Path, tmp_path: Path
) -> None:
    with pytest.raises(ChangeError, match="can't find file to patch") as caught:
        change(source, log, patches=(patch(tmp_path, PATCH.replace("code.py", "gone.py")),))
    assert str(caught.value).count("+++ ") == 1


@requires("patch")
def test_one_that_was_applied_before_is_an_error(source: Path, log: Path, tmp_path: Path) -> None:
    wanted = (patch(tmp_path, PATCH),)
    change(source, log, patches=wanted)
    with pytest.raises(ChangeError, match="previously applied"):
        change(source, log, patches=wanted)
    assert "changed" in (source / "sub/code.py").read_text()


@requires("patch")
@pytest.mark.parametrize("name", ["../outside", "link/outside"])
def test_a_patch_changes_nothing_outside_of_the_source(
    name: str, source: Path, log: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_text("first\nsecond\nthird\n")
    (source / "link").symlink_to(tmp_path)
    with pytest.raises(ChangeError):
        change(source, log, patches=(patch(tmp_path, PATCH.replace("sub/code.py", name)),))
    assert (tmp_path / "outside").read_text() == "first\nsecond\nthird\n"


def test_without_the_program_patch_the_error_says_so(source: Path, log: Path, tmp_path: Path) -> None:
    with pytest.raises(ChangeError, match="the program `patch` is not installed"):
        change(source, log, {"PATH": "/nowhere"}, patches=(patch(tmp_path, PATCH),))


# -- substitutions -----------------------------------------------------------------------------------------


def substitution(files: str, pattern: str, replacement: str) -> dict[str, Any]:
    return {"substitutions": (Substitution(files=files, pattern=pattern, replacement=replacement),)}


def test_a_substitution_is_a_regular_expression_line_by_line(source: Path, log: Path) -> None:
    change(source, log, **substitution("*.cfg", r"^version = (\d)$", r"version = \1.${version}"))
    assert (source / "setup.cfg").read_text() == "version = 1.1.5\nname = a\nversion = 2.1.5\n"
    assert r"replaced '^version = (\\d)$' 2 times in *.cfg" in log.read_text()


def test_variables_go_in_as_they_are(source: Path, log: Path) -> None:
    """A backslash in one is no reference to a group."""
    change(source, log, {"ROOT": r"C:\1\new"}, **substitution("setup.cfg", "name = (a)", r"${ROOT} \1 $$"))
    assert r"C:\1\new a $" in (source / "setup.cfg").read_text()
    with pytest.raises(VariableError, match=r"substitute\[1\]\.replacement"):
        change(source, log, **substitution("setup.cfg", "version", "${NOT_SET_AT_ALL}"))


def test_files_are_found_below_any_directories(source: Path, log: Path) -> None:
    (source / "a/b").mkdir(parents=True)
    (source / "a/b/deep.py").write_text("first")
    change(source, log, **substitution("**/*.py", "first", "1st"))
    assert (source / "a/b/deep.py").read_text() == "1st"
    assert (source / "sub/code.py").read_text().startswith("1st")


def test_bytes_that_are_no_text_and_times_stay(source: Path, log: Path) -> None:
    path = source / "latin.cfg"
    path.write_bytes(b"# \xe9\r\nold\r\n")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    change(source, log, **substitution("latin.cfg", "old", "new"))
    assert path.read_bytes() == b"# \xe9\r\nnew\r\n"
    assert path.stat().st_mtime == 1_000_000_000


@pytest.mark.parametrize(
    ("files", "pattern", "count"), [("*.cfg", "gone", 1), ("gone.py", "version", 0)], ids=["text", "file"]
)
def test_one_that_matches_nothing_is_an_error(
    files: str, pattern: str, count: int, source: Path, log: Path
) -> None:
    with pytest.raises(ChangeError) as caught:
        change(source, log, **substitution(files, pattern, "new"))
    looked = "1 file" if count == 1 else f"{count} files"
    assert str(caught.value) == (
        f"recipe of demo: substitute[1]: {pattern!r} matches nothing in {files} ({looked})"
    )
    assert "limit it to the versions that it is for, with [[when]] version" in caught.value.hint


def test_what_links_lead_to_is_left_alone(source: Path, log: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("first")
    (source / "link").symlink_to(tmp_path)
    (source / "link.py").symlink_to(tmp_path / "outside.py")
    for files in ("link/*.py", "link.py"):
        with pytest.raises(ChangeError):
            change(source, log, **substitution(files, "first", "1st"))
    assert (tmp_path / "outside.py").read_text() == "first"


def test_so_is_what_belongs_to_git(source: Path, log: Path) -> None:
    (source / ".git").mkdir()
    (source / ".git/hook.py").write_text("first")
    change(source, log, **substitution("**/*.py", "first", "1st"))
    assert (source / ".git/hook.py").read_text() == "first"


# -- flags for the building node ---------------------------------------------------------------------------


def test_flags_for_the_building_node_become_those_of_the_build(source: Path, log: Path) -> None:
    (source / "setup.py").write_text("args = ['-march=native', '-mtune=native']")
    change(source, log, {"CFLAGS": "-O2 -march=x86-64-v3 -mtune=generic"})
    assert (source / "setup.py").read_text() == "args = ['-march=x86-64-v3', '-mtune=generic']"
    assert "replaced the building node's own CPU flags by '-march=x86-64-v3' in setup.py" in log.read_text()


def test_above_the_subdirectory_too(tmp_path: Path, log: Path) -> None:
    source = tmp_path / "whole/bindings/python"
    source.mkdir(parents=True)
    (tmp_path / "whole/CMakeLists.txt").write_text("add(-march=native)")
    (tmp_path / "other.py").write_text("-march=native")
    change(
        source,
        log,
        {"CFLAGS": "-march=x86-64-v3"},
        source=Source(kind="git", location="x", subdirectory="bindings/python"),
    )
    assert (tmp_path / "whole/CMakeLists.txt").read_text() == "add(-march=x86-64-v3)"
    assert (tmp_path / "other.py").read_text() == "-march=native"


def test_a_recipe_may_leave_them_alone(source: Path, log: Path) -> None:
    (source / "setup.py").write_text("-march=native")
    change(source, log, march=False)
    assert (source / "setup.py").read_text() == "-march=native"


@requires("patch")
def test_a_patch_may_bring_such_a_flag_in(source: Path, log: Path, tmp_path: Path) -> None:
    """So the flags are replaced last."""
    text = PATCH.replace("+changed", "+-march=native")
    change(source, log, {"CFLAGS": "-march=x86-64-v4"}, patches=(patch(tmp_path, text),))
    assert "-march=x86-64-v4" in (source / "sub/code.py").read_text()
