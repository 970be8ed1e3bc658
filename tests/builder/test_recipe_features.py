"""What a build does of what a recipe, the site and the command line say: on real builds, without an index."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.builder.workshop import Workshop
from tests.factories import make_tree, make_wheel
from tests.requires import compiles, need
from tests.whole import assert_whole
from wheelhouse_resolver.builder.pipeline import build_wheel
from wheelhouse_resolver.builder.pipeline.narrowing import installed_by, told_apart
from wheelhouse_resolver.builder.records.record import BuildRecord
from wheelhouse_resolver.builder.records.settings import BuildSettings
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.wheelfile.edit import Edits, relabel, requirements_of
from wheelhouse_resolver.wheelfile.metadata import read_metadata
from wheelhouse_resolver.wheelfile.placeholder import message_of

CP = f"cp{sys.version_info[0]}{sys.version_info[1]}"


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A workshop that builds in the environment of the tests, to save the time of making one."""
    monkeypatch.setattr(build_wheel, "make_environment", lambda *_, **__: sys.executable)
    return Workshop(tmp_path, unpacked=True)


def built(workshop: Workshop, requirement: str = "demo==1.0", **changes: object) -> tuple[BuildRecord, Path]:
    """The record and the wheel of a build that succeeds."""
    record = workshop.build(requirement, **changes)
    assert record.ok, record.problem + workshop.log(record)
    wheel = workshop.output / record.wheel
    assert_whole(wheel)
    return record, wheel


TELL = """\
import os
for name in ("A", "B", "DROPPED", "WHEELHOUSE_PROJECT"):
    print(f"told {name}={os.environ.get(name)}")
"""

EXPORTS = """\
env = { DROPPED = "1", A = "0" }
[phases]
after-source = ["export A=1", "cd /; unset DROPPED; B=lost; export TWO='a\\nb=c'"]
before-build = [
    'test "$A" = 1; test -e backend.py; export A=$((A + 1)) B="of $WHEELHOUSE_PROJECT $WHEELHOUSE_VERSION"',
    'test "$TWO" = "$(printf "a\\\\nb=c")"',
    'test "$WHEELHOUSE_RECIPE_DIR" = RECIPES',
]
after-build = ['test "$A" = 2; test "$WHEELHOUSE_WHEEL" = "$(echo $WHEELHOUSE_WHEEL_DIR/*.whl)"']
"""


def test_what_the_commands_of_a_phase_export_holds_from_then_on(quick: Workshop) -> None:
    quick.package(build=TELL)
    quick.recipe("demo", EXPORTS.replace("RECIPES", str(quick.recipes)))
    record, _ = built(quick)
    told = [line.strip() for line in quick.log(record).splitlines() if line.startswith("  told ")]
    assert told[:4] == ["told A=2", "told B=of demo 1.0", "told DROPPED=None", "told WHEELHOUSE_PROJECT=None"]
    assert (record.environ["A"], record.environ["B"]) == ("2", "of demo 1.0")


@pytest.mark.slow
def test_before_test_commands_export_to_the_test(quick: Workshop) -> None:
    quick.package(files={"demo.py": "import os\nassert os.environ['READY'] == 'yes'\n"})
    test = 'test.command = "test $WHEELHOUSE_PROJECT-$WHEELHOUSE_VERSION-$READY = demo-1.0-yes"\n'
    quick.recipe("demo", test + 'phases.before-test = ["export READY=yes"]')
    built(quick, verify=True)


@pytest.mark.slow
def test_a_shell_that_becomes_another_program_exports_nothing(quick: Workshop) -> None:
    quick.package(build=TELL)
    quick.recipe("demo", "phases.before-build = ['export A=1; exec true', 'exit 0']")
    record, _ = built(quick)
    assert "told A=None\n" in quick.log(record)


@pytest.mark.slow
def test_what_the_users_bash_reads_first_is_still_read(quick: Workshop, tmp_path: Path) -> None:
    (tmp_path / "bashrc").write_text("loads() { export A=$1; }\n")
    quick.package(build=TELL)
    quick.recipe("demo", f'env.BASH_ENV = "{tmp_path}/bashrc"\nphases.before-build = ["loads 7"]')
    record, _ = built(quick)
    assert "told A=7\n" in quick.log(record)


@pytest.mark.slow
@pytest.mark.parametrize("isolation", [True, False])
def test_more_is_required_to_build_than_the_project_says(quick: Workshop, isolation: bool) -> None:
    make_wheel(quick.sources, "helper-1.0-py3-none-any.whl", files={"helper.py": "VERSION = 1\n"})
    quick.package(build="import helper; print('told', helper.VERSION)")
    quick.recipe("demo", f"extra-build-requires = ['helper']\nbuild-isolation = {str(isolation).lower()}")
    if not isolation:  # this one would install into the environment of the tests
        with pytest.MonkeyPatch.context() as patch:
            asked: list[Sequence[str]] = []

            def make_ready(_: str, requires: Sequence[str], environ: dict[str, str], __: object) -> object:
                asked.append(requires)
                return environ

            patch.setattr(build_wheel, "make_ready", make_ready)
            quick.build()
            assert asked == [("helper",)]
        return
    record, _ = built(quick)
    assert "told 1\n" in quick.log(record)


# -- defaults ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_wheel_gets_the_label_of_the_site_and_of_the_command_line(quick: Workshop) -> None:
    quick.package()
    quick.site = quick.site._replace(tables={**quick.site.tables, "publish": {"local-label": "site"}})
    assert built(quick)[0].wheel == "demo-1.0+site-py3-none-any.whl"
    given = BuildSettings(local_label="given")
    assert built(quick, given=given)[0].wheel == "demo-1.0+given-py3-none-any.whl"


# -- names ---------------------------------------------------------------------------------------------------


def test_a_wheel_is_called_as_its_recipe_whatever_its_source_says(quick: Workshop) -> None:
    quick.package("demo", requires=("faiss-cpu>=1.7; extra == 'x'", "other"))
    recipe = quick.recipe("demo", 'source.project = "demo"\nwheel.tags = "{cp}-{cp}-"\n')
    text = recipe.read_text() + 'wheel.rename-requires = { faiss-cpu = "faiss" }\n'
    recipe.rename(recipe.with_name("demo-gpu.toml")).write_text(text)
    record, wheel = built(quick, "demo-gpu==1.0")
    assert (record.project, wheel.name) == ("demo-gpu", f"demo_gpu-1.0-{CP}-{CP}-any.whl")
    metadata = read_metadata(str(wheel))
    assert (metadata.get("Name"), metadata.get("Version")) == ("demo-gpu", "1.0")
    assert requirements_of(str(wheel)) == ['faiss>=1.7; extra == "x"', "other"]


@pytest.mark.slow
def test_the_index_is_asked_for_the_name_that_it_knows(quick: Workshop) -> None:
    make_wheel(quick.sources, "demo-1.5-py3-none-any.whl")
    quick.recipe("demo-gpu", 'source.project = "Demo"')
    record, wheel = built(quick, "demo-gpu")
    assert (record.version, wheel.name) == ("1.5", "demo_gpu-1.5-py3-none-any.whl")


# -- sources -------------------------------------------------------------------------------------------------


def test_commands_before_the_download_can_make_the_source(quick: Workshop) -> None:
    source = quick.package()
    (quick.recipes / "demo.toml").write_text(
        'source.directory = "${WHEELHOUSE_SOURCE_DIR}/${TOP}"\n'
        "env.PLACE = 'top'\n"
        f"phases.before-source = ['test -z \"$(ls)\"; export TOP=$PLACE-1', 'cp -r {source} $TOP']\n"
    )
    record, _ = built(quick)
    assert record.version == "1.0"
    quick.recipe("other", "phases.before-source = ['echo no network; false']\n")
    with pytest.raises(WheelhouseError, match=r"other.toml: phases.before-source: .* exited with 1: no net"):
        quick.plan("other==1.0")


@pytest.mark.slow
def test_nothing_is_built_where_the_recipe_says_only_binary(quick: Workshop) -> None:
    make_wheel(quick.sources, "demo-1.0-cp39-abi3-linux_x86_64.whl")
    quick.recipe("demo", "only-binary = true")
    with pytest.raises(WheelhouseError, match="says only-binary, and pip takes no pure-Python wheel of it"):
        quick.plan("demo==1.0")


TAKEN = """\
only-binary = true
build-requires = ["unused"]
phases.taken-wheel = [
    'cd "$WHEELHOUSE_WHEEL_DIR"; python3 -m zipfile -e "$WHEELHOUSE_WHEEL" x; echo "B = 2" >> x/demo.py',
    'cd x; rm "$WHEELHOUSE_WHEEL"; python3 -m zipfile -c "$WHEELHOUSE_WHEEL" *; cd ..; rm -r x',
]
"""


@pytest.mark.slow
def test_commands_change_a_wheel_that_is_taken_as_it_is(quick: Workshop) -> None:
    make_wheel(quick.sources, "demo-1.0-py3-none-any.whl", files={"demo.py": "A = 1\n"})
    quick.recipe("demo", TAKEN)
    record, wheel = built(quick)
    assert [each.name for each in record.phases] == ["host", "source", "taken-wheel", "edit", "finish"]
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("demo.py") == b"A = 1\nB = 2\n"
    assert "the taken-wheel commands changed the wheel" in record.notes[0]


# -- placeholders --------------------------------------------------------------------------------------------

MESSAGE = "load the module arrow first: module load arrow"
PLACEHOLDER = f"""\
placeholder = {{ message = "{MESSAGE}", imports = ["arrows", "space.arrow"], versions = ["17.0", "18.1"] }}
"""


@pytest.mark.slow
def test_a_placeholder_says_what_to_do_when_it_is_imported(quick: Workshop, tmp_path: Path) -> None:
    quick.recipe("pyarrow", PLACEHOLDER)
    record, wheel = built(quick, "pyarrow<18", verify=True)
    assert (record.version, wheel.name) == ("17.0+placeholder", "pyarrow-17.0+placeholder-py3-none-any.whl")
    assert record.notes == (f"a placeholder: {MESSAGE}",)
    assert message_of(str(wheel)) == MESSAGE
    assert quick.plan("pyarrow").source.version == "18.1+placeholder"  # type: ignore[union-attr]
    with pytest.raises(WheelhouseError, match="no such version") as caught:
        quick.plan("pyarrow>19")
    assert caught.value.hint == "there are: 17.0, 18.1"
    # What it replaces counts wherever it is in the path.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    for module, code in (("arrows", "import arrows.sub"), ("space.arrow", "import space.arrow.sub")):
        run = [sys.executable, "-c", f"{code}; print({module}.NAME)"]
        paths = [str(tmp_path / "installed"), str(tmp_path / "module")]
        environ = {"PYTHONPATH": ":".join(paths)}
        done = subprocess.run(run, env=environ, capture_output=True, text=True, check=False)
        assert done.stderr.splitlines()[-1] == f"ImportError: {MESSAGE}"
        real = tmp_path / "module" / module.replace(".", "/")
        real.mkdir(parents=True)
        (real / "__init__.py").write_text("NAME = __name__\n")
        (real / "sub.py").touch()
        done = subprocess.run(run, env=environ, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == (f"{module}\n", "")


# -- what a wheel was compiled against -----------------------------------------------------------------------


EXTENSION = "demo-1.0-cp311-cp311-linux_x86_64.whl"


def linked_to(directory: Path, library: str) -> bytes:
    """A library that needs another one of that name."""
    for name, needs in ((library, []), ("_C.so", ["-L.", f"-l:{library}"])):
        command = ["gcc", "-shared", "-Wl,--no-as-needed", "-o", name, *needs, "-x", "c", "/dev/null"]
        subprocess.run(command, cwd=directory, check=True)
    return (directory / "_C.so").read_bytes()


@compiles
def test_a_build_requires_the_torch_that_its_environment_has(
    quick: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("zip")
    (tmp_path / "_C.so").write_bytes(linked_to(tmp_path, "libc10.so"))
    quick.package("demo", requires=("torch>=1.13",))
    quick.recipe(
        "demo",
        f"phases.after-build = ['cp {tmp_path}/_C.so demo.so; zip -q $WHEELHOUSE_WHEEL demo.so']\n"
        f'wheel = {{ tags = "{{cp}}-{{cp}}-linux_x86_64", narrow-requires = ["torch"] }}\n',
    )
    tools = {"python": "3", "torch": "2.10.0+site"}
    monkeypatch.setattr("wheelhouse_resolver.builder.toolchain.provenance.tool_versions", lambda *_: tools)
    record, wheel = built(quick)
    assert requirements_of(str(wheel)) == ["torch~=2.10.0"]
    assert "requires torch~=2.10.0: demo.so needs libc10.so" in record.notes
    del tools["torch"]
    quick.output.rename(quick.output.with_name("before"))
    record, wheel = built(quick)
    assert requirements_of(str(wheel)) == ["torch>=1.13"]
    assert "demo.so needs libc10.so: which torch it was built against is not known" in record.notes


def test_what_pip_installs_for_an_isolated_build_is_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "Successfully installed pip-26.3\n  Successfully installed numpy-1.26.3\n"
        "  Successfully installed Cython-3.1.0 numpy-1.26.4 typing_extensions-4.0+site\nnumpy-9\n"
    )
    found = {"pip": "26.3", "numpy": "1.26.4", "cython": "3.1.0", "typing-extensions": "4.0+site"}
    assert installed_by(str(log)) == found


def test_a_build_against_another_torch_is_told_apart_by_its_label(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, EXTENSION, requires_dist=("torch>=2",))
    site = make_tree(tmp_path / "house", {})
    (output := tmp_path / "output").mkdir()
    edits = Edits(local_label="site", narrow=("torch~=2.10.0",))
    assert told_apart(str(wheel), edits, site, str(output)) == edits
    taken = EXTENSION.replace("1.0-", "1.0+site-")
    there = make_wheel(tmp_path / "house/gentoo/avx2", taken.replace("site-", "site-400000avx2-"),
                       requires_dist=("torch~=2.10.0",))  # fmt: skip
    assert told_apart(str(wheel), edits, site, str(output)) == edits  # the same, built again
    there.unlink()
    make_wheel(there.parent, there.name, requires_dist=("torch~=2.9.0",))
    found = told_apart(str(wheel), edits, site, str(output))
    assert found == edits._replace(local_label="torch210.site")
    assert Path(relabel(str(wheel), found, str(output)).path).name == EXTENSION.replace(
        "1.0-", "1.0+torch210.site-"
    )
