"""`provenance`: of a file, of a wheel in the tree, of what `avail` lists."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import make_tree, make_wheel
from tests.wheelfile.test_provenance import MADE
from wheelhouse_resolver.wheelfile import sbom
from wheelhouse_resolver.wheelfile.edit import Addition, Edits, relabel
from wheelhouse_resolver.wheelfile.sbom import sbom_text

OLD, NEW = "demo-1.0-1000generic-py3-none-any.whl", "demo-2.0-1000generic-py3-none-any.whl"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """One version with its provenance, an older one without."""
    make_tree(tmp_path / "house", {"generic": [OLD]})
    made = relabel(
        str(make_wheel(tmp_path, NEW)), Edits(), str(tmp_path / "made"), addition=Addition(sbom_text(MADE))
    )
    shutil.copy(made.path, tmp_path / "house/generic")
    return tmp_path / "house"


def test_for_people(cli: Cli, house: Path) -> None:
    done = cli("provenance", "demo", "--root", house, "--arch", "generic")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        str(house / "generic" / NEW),
        f"    built from: https://example.org/demo-1.0.tar.gz (sha256 {'a' * 64})",
        f"    recipe: demo.toml (sha256 {'b' * 64})",
        "    for: Python 3.11, avx2, gentoo, glibc 2.36",
        "    modules: zlib/1.3 gcc/12.3",
        "    flags: CFLAGS=-O2 -march=haswell",
        "    environ: DEMO=two words",
        "    tools: cc gcc 12.3, python 3.11.4",
        "    packages: cython 3.0, setuptools 80.9.0",
        "    loads: libc.so.6, not found",
        "    loads: libz.so.1, /sw/zlib/lib/libz.so.1 (module zlib/1.3)",
        "    note: first",
        "    note: second",
        "    by: wheelhouse-resolver 1.2",
    ]


def test_what_is_meant(cli: Cli, house: Path, tmp_path: Path) -> None:
    """A requirement, all of a pattern, a name in the tree, a file; JSON names each."""
    where = ("--json", "--root", house, "--arch", "generic")
    for asked, code, names in (
        (["demo<2"], 1, [OLD]),
        (["d*", "--all"], 1, [NEW, OLD]),
        ([NEW], 0, [NEW]),
        ([str(house / "generic" / NEW), OLD], 1, [NEW, OLD]),
        (["gone", NEW], 1, [NEW]),
    ):
        done = cli("provenance", *asked, *where)
        found = json.loads(done.out)
        assert done.err == ("not available: gone\n" if "gone" in asked else "")
        assert (done.code, [Path(each["path"]).name for each in found]) == (code, names)
        for each in found:
            said = MADE.to_dict() if each["path"].endswith(NEW) else None
            assert (each["provenance"], each["problem"]) == (said, "")


def test_a_file_needs_no_site(cli: Cli, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    done = cli("provenance", wheel)
    assert (done.code, done.out) == (1, f"{wheel}\n    does not say what it was made from\n")
    wheel.write_bytes(b"x")
    assert cli("provenance", wheel).out.startswith(f"{wheel}\n    invalid wheel: ")
    assert "gone.whl: no such file" in cli("provenance", tmp_path / "gone.whl").error


def test_nothing_is_built_without_what_writes_it(
    cli: Cli, house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sbom, "find_spec", lambda _: None)
    done = cli("build", "demo==1.0", "--root", house, "--output", tmp_path / "out")
    assert "error: the SBOM in each wheel needs cyclonedx-python-lib, which is not installed" in done.error
    assert "'cyclonedx-python-lib>=11.0'" in done.error
