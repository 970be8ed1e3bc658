"""Two builds of one source on one host give the same bytes, wherever, whenever and by whomever."""

from __future__ import annotations

import difflib
import os
import shlex
import time
import zipfile
from pathlib import Path

import pytest

from tests.builder.extensions import gcc, source
from tests.builder.sources import pack_source
from tests.builder.test_environment_modules import profile
from tests.builder.workshop import Workshop
from tests.factories import make_wheel
from tests.modules.engines import engine_of
from tests.requires import compiles
from wheelhouse_resolver.wheelfile.provenance import ExternalLibrary, Provenance

#: A header that a package to build with has, as numpy and pybind11 do: its path gets into what is compiled.
HEADER = """\
#undef NDEBUG
#include <assert.h>
static inline int checked(int value) { assert(value != 7); return value + 1; }
"""

PROJECT = '[build-system]\nrequires = ["setuptools", "headers"]\nbuild-backend = "setuptools.build_meta"\n'

#: What depends on the order of a set, and on when and where it is built, unless that is kept away.
SETUP = """\
import os, time, headers
from setuptools import Extension, setup

include = os.path.dirname(headers.__file__)
with open("said.py", "w") as file:
    stamp = os.environ["SOURCE_DATE_EPOCH"]
    print(set("abcdefgh"), stamp, time.tzname, os.environ["LC_ALL"], file=file)
setup(
    name="{name}", version="1.0", py_modules=["said"],
    ext_modules=[Extension("fast", ["fast.c"], include_dirs=[include], {more})] if {compiled} else [],
)
"""


def make_source(shop: Workshop, name: str, *, compiled: bool, more: str = "", before: str = "") -> None:
    files = {
        "pyproject.toml": PROJECT,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        "setup.py": SETUP.format(name=name, compiled=compiled, more=more),
        "fast.c": source(
            "fast", before='#include "checked.h"\n' + before + "int used(int i) { return checked(i); }\n"
        ),
    }
    pack_source(shop.sources / f"{name}-1.0.tar.gz", files, top=f"{name}-1.0")
    make_wheel(
        shop.sources,
        "headers-1.0-py3-none-any.whl",
        files={"headers/__init__.py": "", "headers/checked.h": HEADER},
    )


def differences(first: Path, second: Path) -> list[str]:
    """Which files differ, and the first text that does, for whoever has to find out why."""
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as other:
        found = [name for name in one.namelist() if one.read(name) != other.read(name)]
        texts = [
            [archive.read(name).decode("latin-1").splitlines() for archive in (one, other)]
            for name in found[:1]
        ]
        return [*found, *(line for a, b in texts for line in list(difflib.unified_diff(a, b, n=0))[:20])]


@pytest.mark.slow
@compiles
@pytest.mark.parametrize("compiled", [True, False], ids=["extension", "pure"])
def test_twice(compiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Workshop(tmp_path)
    make_source(shop, "demo", compiled=compiled)
    job = shop.plan("demo")
    made: list[Path] = []
    began = time.time()
    for number, user in enumerate(
        ({"TZ": "Asia/Tokyo", "LC_ALL": "C"}, {"TZ": "UTC", "PYTHONHASHSEED": "7"})
    ):
        for name, value in user.items():
            monkeypatch.setenv(name, value)
        mask = os.umask((0o022, 0o077)[number])
        try:
            output = tmp_path / f"output{number}"
            record = shop.build(job, work=str(tmp_path / ("longer" * number + "work")), output=str(output))
        finally:
            os.umask(mask)
        assert (record.result, record.problem) == ("built", ""), shop.log(record)
        made.append(output / record.wheel)
        time.sleep(max(0.0, began + 2.1 - time.time()))  # a zip file has times to 2 seconds
    assert differences(*made) == []
    assert made[0].read_bytes() == made[1].read_bytes()
    said = Provenance.of(str(made[0]))
    assert said is not None
    assert (said.source, said.origin) == ("demo-1.0.tar.gz", "source-distribution")
    assert {"setuptools", "headers"} <= set(said.packages)
    assert ("-g" in said.flags.get("CFLAGS", "").split(), bool(said.python)) == (compiled, compiled)
    if compiled:
        assert ("libc.so.6" in {each.name for each in said.libraries}, "pip" in said.packages) == (
            True,
            False,
        )
        assert b"/build/tmp/pip-build-env-" in _binary(made[0])


def _binary(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".so"))
        return archive.read(name)


@pytest.mark.slow
@compiles
def test_the_module_that_gives_a_library(tmp_path: Path) -> None:
    engine = engine_of("lmod")
    shop = Workshop(tmp_path)
    lib = tmp_path / "sw/site/lib"
    lib.mkdir(parents=True)
    (tmp_path / "site.c").write_text("int site_answer(void) { return 42; }\n")
    os.system(shlex.join([gcc(), "-shared", "-o", str(lib / "libsite.so"), str(tmp_path / "site.c")]))
    engine.path_of(tmp_path / "modulefiles", "site/2.1").write_text(
        f'prepend_path("LIBRARY_PATH", "{lib}")\nprepend_path("LD_LIBRARY_PATH", "{lib}")\n'
    )
    command = shlex.join(engine.command)
    profile(f'module() {{ eval "$({command} bash "$@")"; }}\nexport MODULEPATH={tmp_path}/modulefiles\n')
    before = "extern int site_answer(void);\nint asked(void) { return site_answer(); }\n"
    make_source(shop, "demo", compiled=True, more='libraries=["site"]', before=before)
    shop.recipe("demo", '[modules]\nbuild = ["site"]\n')
    record = shop.build("demo")
    assert (record.result, record.problem) == ("built", ""), shop.log(record)
    said = Provenance.of(str(shop.output / record.wheel))
    assert said is not None
    assert said.modules == ("site",)
    assert said.recipe == "demo.toml"
    wanted = ExternalLibrary(name="libsite.so", path=str(lib / "libsite.so"), module="site/2.1")
    assert wanted in said.libraries
