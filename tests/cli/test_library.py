"""The library as its users import it."""

from __future__ import annotations

import ast
import builtins
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pytest

import wheelhouse_resolver
from tests.factories import clean_environ, make_tree, make_wheel
from wheelhouse_resolver.tree.reader import Tree

#: All but `__main__` and the rooms themselves, whose `__init__` is empty.
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(wheelhouse_resolver.__path__, "wheelhouse_resolver.")
    if not (module.ispkg or module.name.endswith("__main__"))
)


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], env=clean_environ(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_public_names() -> None:
    """Each is on the page that says what is stable, and none else is."""
    page = (Path(__file__).parents[2] / "docs/reference/api.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\.\. auto\w+:: wheelhouse_resolver\.(\w+)$", page, re.MULTILINE)
    assert sorted(documented) == sorted(wheelhouse_resolver.__all__)


@pytest.mark.parametrize("name", wheelhouse_resolver.__all__)
def test_a_public_name_can_be_imported_first_of_all(name: str) -> None:
    assert run_python(f"from wheelhouse_resolver import {name}; print({name}.__name__)") == f"{name}\n"


def test_a_star_import_gives_exactly_them() -> None:
    code = "before = {*dir(), 'before'}; from wheelhouse_resolver import *; print(*sorted({*dir()} - before))"
    assert run_python(code).split() == sorted(wheelhouse_resolver.__all__)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'bogus'"):
        wheelhouse_resolver.bogus  # type: ignore[attr-defined]  # noqa: B018  # is tested


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
        assert [each.file.filename for each in result.rejected] == ["demo-0.9-py3-none-any.whl"]
        assert f"file://{tmp_path}/gentoo/generic\n" in pip_config(site, host).render("ini")


def test_one_text_where_several_may_be_given_is_one_of_them(tmp_path: Path) -> None:
    from wheelhouse_resolver import Host, Wheelhouse

    site = make_tree(tmp_path / "tree", {"generic": ["pure-1.0-py3-none-any.whl"]})
    make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    house, host = Wheelhouse(site), Host()
    (placed,) = house.publish(f"{tmp_path}/demo-1.0-py3-none-any.whl").changes
    assert [each.name for each in house.available(host, "demo").rows] == ["demo"]
    assert [each.candidate.name for each in house.lock("pure", host).packages] == ["pure"]
    name = placed.path.rpartition("/")[2]
    assert house.withdraw(name).ok
    assert house.restore(name).ok


# -- what the public names hand out ------------------------------------------------------------------------


def namespace(module: str) -> dict[str, Any]:
    """The names that annotations in *module* are written in, those for type checkers included."""
    found = dict(vars(import_module(module)))
    for node in ast.walk(ast.parse(inspect.getsource(import_module(module)))):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            lines = [each for each in node.body if isinstance(each, ast.ImportFrom)]
            with suppress(ImportError):  # typing_extensions is for type checkers alone
                exec(compile(ast.Module([*lines], []), module, "exec"), found)
    return found


def annotations_of(value: Any) -> Iterator[tuple[str, str]]:
    """(annotation, module that it is written in) of all that *value*, a class or a function, hands out."""
    if inspect.isfunction(value):
        yield from ((str(each), value.__module__) for each in value.__annotations__.values())
    if not inspect.isclass(value):
        return
    for kind in value.__mro__:
        if kind is Tree or not kind.__module__.startswith("wheelhouse_resolver"):
            continue  # of what `Wheelhouse` inherits, only its documented methods are public
        for name, annotation in vars(kind).get("__annotations__", {}).items():
            if not name.startswith("_"):
                text = getattr(annotation, "__forward_arg__", annotation)
                yield str(text), kind.__module__
        for name, member in vars(kind).items():
            function = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
            if not name.startswith("_") and inspect.isfunction(function):
                yield from annotations_of(function)


def classes(annotation: Any) -> Iterator[type]:
    """The classes of this package in *annotation*."""
    if inspect.isclass(annotation) and annotation.__module__.startswith("wheelhouse_resolver"):
        yield annotation
    for part in annotation if isinstance(annotation, (list, tuple)) else get_args(annotation):
        yield from classes(part)


def reachable() -> dict[type, str]:
    """Every class that the public names hand out or take, however deep, with what leads to it."""
    found: dict[type, str] = {}
    todo = [(getattr(wheelhouse_resolver, name), name) for name in wheelhouse_resolver.__all__]
    while todo:
        value, way = todo.pop()
        for text, module in annotations_of(value):
            with suppress(NameError):  # Self, under TYPE_CHECKING
                for each in classes(eval(text, namespace(module))):
                    if each not in found:
                        found[each] = f"{way} -> {each.__name__}"
                        todo.append((each, found[each]))
    return found


@pytest.mark.slow
def test_all_that_they_hand_out_is_public_too() -> None:
    private = [
        way
        for each, way in reachable().items()
        if each.__name__ not in wheelhouse_resolver.__all__ and not each.__name__.startswith("_")
    ]
    assert not private, "\n".join(["", *private])


def test_every_error_that_they_may_raise_is_public() -> None:
    texts = [
        inspect.getdoc(member) or ""
        for name in wheelhouse_resolver.__all__
        for value in [getattr(wheelhouse_resolver, name)]
        for member in [value, *(vars(value).values() if inspect.isclass(value) else ())]
    ]
    named = {name for text in texts for name in re.findall(r"`(\w+Error)`", text)}
    assert "NoWheelhouseError" in named
    assert named - set(wheelhouse_resolver.__all__) - set(dir(builtins)) == set()


def test_the_table_of_modules_is_that_of_the_type_checkers() -> None:
    """Type checkers read `__init__.pyi`, the program the table in `__init__.py`."""
    tree = ast.parse(files("wheelhouse_resolver").joinpath("__init__.pyi").read_text(encoding="utf-8"))
    imported = {
        alias.name: str(node.module).removeprefix("wheelhouse_resolver.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("wheelhouse_resolver")
        for alias in node.names
    }
    assert imported == wheelhouse_resolver._MODULE_OF
    (listed,) = [ast.literal_eval(each.value) for each in tree.body if isinstance(each, ast.Assign)]
    assert listed == wheelhouse_resolver.__all__ == sorted(imported)


@pytest.mark.parametrize("name", MODULES)
class TestModule:
    def test_it_says_what_it_is_and_only_the_top_level_has_a_list_of_stable_names(self, name: str) -> None:
        module = import_module(name)
        assert module.__doc__
        assert not hasattr(module, "__all__")

    def test_what_it_offers_is_documented(self, name: str) -> None:
        module = import_module(name)
        for each, value in vars(module).items():
            defined = getattr(value, "__module__", None) == name and not each.startswith("_")
            if not defined or not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            assert inspect.getdoc(value), each
            if not inspect.isclass(value):
                continue
            for attribute, member in vars(value).items():
                if attribute.startswith("_") or not (
                    inspect.isfunction(member) or isinstance(member, (property, staticmethod, classmethod))
                ):
                    continue
                assert inspect.getdoc(getattr(value, attribute)), f"{each}.{attribute}"
