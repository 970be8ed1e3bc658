from __future__ import annotations

from pathlib import Path

import pytest

from wheelhouse_resolver.builder.planning.compiled import missing_compiler, sign_of_compiled_code


@pytest.mark.parametrize(
    ("name", "text", "sign"),
    [
        ("setup.py", "setup(ext_modules=[Extension('a', ['a.c'])])", "setup.py has ext_modules"),
        ("setup.py", "m = CUDAExtension('a', [])", "setup.py has CUDAExtension"),
        ("setup.py", "setup(name='extension', ext='x')", ""),
        ("pyproject.toml", '[build-system]\nbuild-backend = "mesonpy"', "its build backend is mesonpy"),
        (
            "pyproject.toml",
            '[build-system]\nbuild-backend = "scikit_build_core.build"',
            "its build backend is scikit_build_core.build",
        ),
        ("pyproject.toml", '[[tool.setuptools.ext-modules]]\nname = "a"', "pyproject.toml has ext-modules"),
        ("pyproject.toml", '[build-system]\nbuild-backend = "hatchling.build"', ""),
        ("pyproject.toml", "tool = 1\n", ""),
        ("pyproject.toml", "[", ""),
        ("a.c", "int a;", ""),
    ],
)
def test_what_says_that_a_build_compiles(name: str, text: str, sign: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert sign_of_compiled_code(str(tmp_path)) == sign


def test_any_compiler_will_do_but_the_one_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("ext_modules")
    nothing = {"PATH": str(tmp_path)}
    assert "no compiler on PATH (cc, gcc, clang)" in missing_compiler(str(tmp_path), nothing)
    (tmp_path / "clang").touch(mode=0o755)
    assert missing_compiler(str(tmp_path), nothing) == ""
    assert "(icx)" in missing_compiler(str(tmp_path), {**nothing, "CC": "icx -O2"})
    (tmp_path / "setup.py").unlink()
    assert missing_compiler(str(tmp_path), {**nothing, "CC": "icx"}) == ""
