from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories import make_wheel
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.imports import import_names


@pytest.mark.parametrize(
    ("files", "names"),
    [
        pytest.param(["a.py", "b/__init__.py", "b/c.py"], ["a", "b"], id="modules-and-packages"),
        pytest.param(
            ["ns/one/__init__.py", "ns/two.py", "ns/d/e/x.py"], ["ns.d.e.x", "ns.one", "ns.two"], id="ns"
        ),
        pytest.param(
            ["x.cpython-311-x86_64-linux-gnu.so", "y.abi3.so", "z.so"], ["x", "y", "z"], id="extensions"
        ),
        pytest.param(["p/__init__.cpython-311-x86_64-linux-gnu.so"], ["p"], id="compiled-package"),
        pytest.param(
            ["d-1.0.data/purelib/a.py", "d-1.0.data/platlib/b.so", "d-1.0.data/scripts/c.py"],
            ["a", "b"],
            id="data",
        ),
        pytest.param(
            ["d.libs/x.so", "d-stubs/__init__.pyi", "class/__init__.py", "a b.py"], [], id="nothing"
        ),
        pytest.param(
            ["a/__init__.py", "tests/__init__.py", "docs/conf.py", "setup.py", "conftest.py"],
            ["a"],
            id="by-the-way",
        ),
        pytest.param(["tests/__init__.py", "tests/x.py"], ["tests"], id="nothing-but-tests"),
        pytest.param(["a/__init__.py", "__main__.py", "n/__main__.py"], ["a"], id="programs"),
        pytest.param(["lib/libx.so", "libx.so", "libreal.abi3.so"], ["libreal"], id="plain-libraries"),
        pytest.param(
            ["google/cloud/storage/__init__.py", "google/api/__init__.py", "google/cloud/py.typed"],
            ["google.api", "google.cloud.storage"],
            id="nested-namespaces",
        ),
        pytest.param(["p/data/x.txt", "p/data.json"], [], id="only-data"),
    ],
)
def test_what_a_wheel_lets_one_import(files: list[str], names: list[str], tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "d-1.0-py3-none-any.whl", files=dict.fromkeys(files, ""))
    assert import_names(str(wheel)) == names


def test_names_without_end_are_bad_input_at_most(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "d-1.0-py3-none-any.whl", files={"a/" * 30_000 + "b.py": ""})
    with pytest.raises(BAD_ZIP, match="nested too deeply"):
        import_names(str(wheel))
