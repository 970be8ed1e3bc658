"""The library as its users import it."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest

import wheelhouse_resolver
from tests.factories import clean_environ, make_tree

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(wheelhouse_resolver.__path__, "wheelhouse_resolver.")
    if not module.name.endswith("__main__")
)

PUBLIC = [
    "Arch",
    "Candidate",
    "Directory",
    "Host",
    "Layer",
    "Pick",
    "PipConfig",
    "SearchPath",
    "Site",
    "Wheelhouse",
    "WheelhouseError",
    "detect_host",
    "pip_config",
]


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], env=clean_environ(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_public_names() -> None:
    assert list(wheelhouse_resolver.__all__) == PUBLIC


@pytest.mark.parametrize("name", wheelhouse_resolver.__all__)
def test_a_public_name_can_be_imported_first_of_all(name: str) -> None:
    assert run_python(f"from wheelhouse_resolver import {name}; print({name}.__name__)") == f"{name}\n"


def test_a_star_import_gives_exactly_them() -> None:
    code = "before = {*dir(), 'before'}; from wheelhouse_resolver import *; print(*sorted({*dir()} - before))"
    assert run_python(code).split() == sorted(wheelhouse_resolver.__all__)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'bogus'"):
        wheelhouse_resolver.bogus  # noqa: B018  # the access is what is tested


def test_importing_it_imports_nothing_that_is_not_used() -> None:
    code = (
        "import sys; before = set(sys.modules); import wheelhouse_resolver;"
        "print(*sorted(name for name in set(sys.modules) - before))"
    )
    imported = set(run_python(code).split())
    others = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
    assert others == {"wheelhouse_resolver"}


def test_pip_config_is_the_function_even_after_all_modules_were_imported() -> None:
    code = "\n".join(f"import {module}" for module in MODULES)
    code += "\nfrom wheelhouse_resolver import pip_config\nprint(pip_config.__module__, callable(pip_config))"
    assert run_python(code) == "wheelhouse_resolver.installers.pip_config True\n"


def test_the_version() -> None:
    assert wheelhouse_resolver.__version__ == version("wheelhouse-resolver")


def test_it_says_that_it_is_typed() -> None:
    assert files("wheelhouse_resolver").joinpath("py.typed").is_file()


def test_the_calls_of_its_documentation(tmp_path: Path) -> None:
    from wheelhouse_resolver import Site, Wheelhouse, detect_host, pip_config

    make_tree(tmp_path, {"generic": ["demo-1.0-py3-none-any.whl", "demo-0.9-py3-none-any.whl"]})
    (tmp_path / "site.toml").write_text(f'root = "{tmp_path}"\n')
    for site in (Site.load(tmp_path / "site.toml"), Site.default(tmp_path)):
        host = detect_host(environ={"WHEELHOUSE_LAYER": "gentoo", "WHEELHOUSE_ARCH": "generic"})
        search_path = site.search_path(host)
        assert [directory.label for directory in search_path] == ["gentoo/generic", "generic"]
        assert [str(each.version) for each in Wheelhouse(site).candidates("demo", host)] == ["0.9", "1.0"]
        result = Wheelhouse(site).pick("demo>=0.1", host)
        assert result.best is not None
        assert result.best.filename == "demo-1.0-py3-none-any.whl"
        assert [each.filename for each in result.rejected] == ["demo-0.9-py3-none-any.whl"]
        assert f"file://{tmp_path}/gentoo/generic\n" in pip_config(site, host).render("ini")


@pytest.mark.parametrize("name", MODULES)
class TestModule:
    def test_it_says_what_it_offers(self, name: str) -> None:
        module = import_module(name)
        assert module.__doc__
        names = list(module.__all__)
        assert len(names) == len(set(names))
        for each in names:
            assert hasattr(module, each)

    def test_what_it_offers_is_documented(self, name: str) -> None:
        module = import_module(name)
        for each in module.__all__:
            value = getattr(module, each)
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            assert inspect.getdoc(value), each
            if not inspect.isclass(value) or value.__module__ != name:
                continue
            for attribute, member in vars(value).items():
                if attribute.startswith("_") or not (
                    inspect.isfunction(member) or isinstance(member, (property, staticmethod, classmethod))
                ):
                    continue
                assert inspect.getdoc(getattr(value, attribute)), f"{each}.{attribute}"
