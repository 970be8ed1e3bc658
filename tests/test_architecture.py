"""The architecture that `docs/architecture.md` describes: who may import whom, and how long things may get.

Every import counts, wherever it is written: at run time, in a function, or for type checkers only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import wheelhouse_resolver
from wheelhouse_resolver.cli.main import COMMANDS

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "wheelhouse_resolver"
PAGE = PROJECT / "docs/architecture.md"

#: The rooms of the package, lowest first; a room imports from lower levels only.
LEVELS = (
    ("errors",),
    ("utils",),
    ("site",),
    ("host", "wheelfile"),
    ("tree",),
    ("selection", "installers"),
    ("resolution", "explain", "static_index"),
    ("catalogue",),
    ("publishing",),
    ("audit", "builder", "doctor"),
    ("upkeep",),
    ("__init__", "wheelhouse"),
    ("cli",),
    ("__main__",),
)

#: The same within `builder`.
BUILDER_LEVELS = (
    ("resources", "process", "records"),
    ("recipes", "executors", "config", "fetch_config"),
    ("toolchain", "shell_recipes"),
    ("sources", "verification", "classification"),
    ("planning", "pipeline"),
    ("worker", "publish"),
    ("run",),
    ("fetch",),
)

#: Parts whose imports within the package are limited to these.
LIMITED: Mapping[str, Sequence[str]] = {
    "builder.executors": ["errors", "utils", "builder.executors", "builder.process", "builder.resources"],
    "doctor.checks": [
        *("errors", "utils", "site", "host", "wheelfile", "tree", "selection", "installers"),
        *(
            "doctor.checks",
            "doctor.facts",
            "doctor.python_facts",
            "doctor.diagnostics",
            "doctor.fixes",
            "doctor.pip_settings",
            "doctor.uv_settings",
        ),
    ],
    "doctor.probes": [
        *("errors", "utils", "site", "host", "wheelfile", "tree", "selection", "installers"),
        *(
            "doctor.probes",
            "doctor.facts",
            "doctor.python_facts",
            "doctor.pip_settings",
            "doctor.uv_settings",
            "static_index.location",
        ),
    ],
}

#: The greatest length of a function, of a module and of the package, in lines; and the most parameters.
FUNCTION_LINES, MODULE_LINES, PACKAGE_LINES, PARAMETERS = 60, 400, 46_200, 6


class Module(NamedTuple):
    """A module of the package: its dotted *name* within it, and what it holds."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.path.read_text(encoding="utf-8").splitlines())


@cache
def modules() -> dict[str, Module]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8")))
    return found


def named(module: Module, node: ast.AST) -> Iterator[str]:
    """The full dotted names that *node* imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = (
            ["wheelhouse_resolver", *module.name.split(".")][: -node.level or None] if node.level else []
        )
        base = ".".join([*package, *([node.module] if node.module else [])])
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        if node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)
        else:
            yield from (f"wheelhouse_resolver.{each}" for each in BY_NAME.get(module.name, ()))


#: What is imported by a name that the program works out.
BY_NAME: Mapping[str, Sequence[str]] = {
    "__init__": [wheelhouse_resolver._MODULE_OF[name] for name in wheelhouse_resolver.__all__],
    "cli.main": [f"cli.commands.{command.replace('-', '_')}" for command in COMMANDS],
}


@cache
def imports() -> dict[str, dict[str, int]]:
    """Module -> the modules of the package that it imports, each with a line that does."""
    found: dict[str, dict[str, int]] = {}
    for module in modules().values():
        here = found.setdefault(module.name, {})
        for node in ast.walk(module.tree):
            for name in named(module, node):
                first, _, rest = name.partition(".")
                if first != "wheelhouse_resolver":
                    continue
                while rest and rest not in modules():
                    rest = rest.rpartition(".")[0]
                here.setdefault(rest or "__init__", getattr(node, "lineno", 0))
    return found


def edges() -> Iterator[tuple[str, str, str]]:
    """(importing module, imported module, where) of every import within the package."""
    for name, targets in imports().items():
        for target, line in targets.items():
            yield name, target, f"{modules()[name].path.relative_to(PROJECT)}:{line}"


def assert_none(offenders: Iterable[str]) -> None:
    """Fail with all *offenders*, one a line."""
    found = sorted(offenders)
    assert not found, "\n".join(["", *found])


def level(levels: Sequence[Sequence[str]], room: str) -> int:
    return next(number for number, rooms in enumerate(levels) if room in rooms)


def test_every_room_has_a_level() -> None:
    assert {name.partition(".")[0] for name in modules()} == {room for rooms in LEVELS for room in rooms}
    within = {name.split(".")[1] for name in modules() if name.startswith("builder.")}
    assert within == {room for rooms in BUILDER_LEVELS for room in rooms}


def test_a_room_imports_from_lower_levels_only() -> None:
    upward = []
    for name, target, where in edges():
        room, other = name.partition(".")[0], target.partition(".")[0]
        if room == other or (name, target) == ("__init__", "wheelhouse"):
            continue
        if level(LEVELS, other) >= level(LEVELS, room):
            upward.append(f"{where}: {name} imports {target}")
    assert_none(upward)


def test_the_same_within_the_builder() -> None:
    upward = []
    for name, target, where in edges():
        if not (name.startswith("builder.") and target.startswith("builder.")):
            continue
        part, other = name.split(".")[1], target.split(".")[1]
        if part != other and level(BUILDER_LEVELS, other) >= level(BUILDER_LEVELS, part):
            upward.append(f"{where}: {name} imports {target}")
    assert_none(upward)


@pytest.mark.parametrize("part", LIMITED)
def test_a_part_that_knows_nothing_of_the_rest(part: str) -> None:
    """Executors know nothing of wheels; checks of the doctor and its probes know nothing of each other."""
    assert any(name.startswith(part) for name in modules())
    beyond = [
        f"{where}: {name} imports {target}"
        for name, target, where in edges()
        if f"{name}.".startswith(f"{part}.")
        and not any(f"{target}.".startswith(f"{allowed}.") for allowed in LIMITED[part])
    ]
    assert_none(beyond)


def circles() -> list[list[str]]:
    """The circles of modules that import each other (Tarjan: strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in imports()[name]:
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            part = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(part) > 1 or name in imports()[name]:
                found.append(sorted(part))

    for name in modules():
        if name not in index:
            visit(name)
    return found


def test_no_modules_import_each_other() -> None:
    assert_none(" <-> ".join(circle) for circle in circles())


def test_what_is_imported_by_name_is_known() -> None:
    """So that no import escapes the tests above."""
    worked_out = {
        module.name
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("import_module", "__import__")
        and not (node.args and isinstance(node.args[0], ast.Constant))
    }
    assert worked_out == set(BY_NAME)
    for module, targets in BY_NAME.items():
        assert set(targets) <= set(imports()[module])


def test_the_init_of_a_room_is_empty() -> None:
    """So that the start of a command does not read what it has no use for."""
    rooms = [path for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    assert_none(str(path.relative_to(PROJECT)) for path in rooms if path.read_text().strip())


# -- sizes -------------------------------------------------------------------------------------------------

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[Function, str]]:
    """Every function, with where it is."""
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node, f"{module.path.relative_to(PROJECT)}:{node.lineno} {node.name}"


def test_no_function_is_long() -> None:
    lengths = {where: (node.end_lineno or 0) - node.lineno + 1 for node, where in functions()}
    assert_none(f"{where}: {length} lines" for where, length in lengths.items() if length > FUNCTION_LINES)


def test_no_function_has_many_parameters() -> None:
    counts = {}
    for node, where in functions():
        given = node.args
        names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        names += [each.arg for each in (given.vararg, given.kwarg) if each is not None]
        counts[where] = len(names) - (names[:1] in (["self"], ["cls"]))
    assert_none(f"{where}: {count} parameters" for where, count in counts.items() if count > PARAMETERS)


def test_no_module_is_long() -> None:
    lengths = {str(each.path.relative_to(PROJECT)): each.lines for each in modules().values()}
    assert_none(f"{path}: {length} lines" for path, length in lengths.items() if length > MODULE_LINES)


def test_the_package_is_not_long() -> None:
    assert sum(each.lines for each in modules().values()) <= PACKAGE_LINES


# -- the values, and the page ------------------------------------------------------------------------------


def test_every_public_dataclass_is_frozen() -> None:
    thawed = [
        f"{module.path.relative_to(PROJECT)}:{node.lineno} {node.name}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        for decorator in node.decorator_list
        if ast.unparse(decorator).partition("(")[0].endswith("dataclass")
        and "frozen=True" not in ast.unparse(decorator)
    ]
    assert_none(thawed)


def test_the_checks_of_the_doctor_ask_the_machine_nothing() -> None:
    probing = {"subprocess", "socket", "urllib", "shutil", "utils.process", "utils.filesystem"}
    found = [
        f"{module.name} imports {name}"
        for module in modules().values()
        if module.name.startswith("doctor.checks")
        for node in ast.walk(module.tree)
        for name in named(module, node)
        if not probing.isdisjoint({name.partition(".")[0], name.removeprefix("wheelhouse_resolver.")})
    ]
    assert_none(found)


def page_table(heading: str) -> list[tuple[str, ...]]:
    """The cells of the table below that *heading* of the page."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)[2:]
    return [tuple(cell.strip() for cell in row.split("|")) for row in rows]


@pytest.mark.parametrize(
    ("heading", "levels", "base"),
    [("The rooms", LEVELS, PACKAGE), ("The builder", BUILDER_LEVELS, PACKAGE / "builder")],
    ids=["rooms", "builder"],
)
def test_the_page_has_the_levels(heading: str, levels: Sequence[Sequence[str]], base: Path) -> None:
    table = {int(row[0]): set(re.findall(r"`(\w+)[./]?\w*`", row[1])) for row in page_table(heading)}
    assert table == {number: set(rooms) for number, rooms in enumerate(levels)}
    for room in (room for rooms in levels for room in rooms):
        assert (base / room).is_dir() or (base / f"{room}.py").is_file()


def test_the_page_names_what_is_there() -> None:
    """Every dotted name on the page is a module, or a name in one."""
    text = PAGE.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:\w+\.)+\w+)`", text):
        module = name
        while module and module not in modules():
            module = module.rpartition(".")[0]
        if not module and name.rpartition(".")[2] in ("py", "md"):
            assert (PROJECT / name).exists() or list(PROJECT.glob(f"*/{name}")), name
            continue
        assert module, f"no module {name}"
        attribute = name.removeprefix(module).lstrip(".")
        defined = {
            getattr(node, "name", None) or getattr(node, "id", None)
            for node in ast.walk(modules()[module].tree)
        }
        assert not attribute or attribute.partition(".")[0] in defined, f"{module} has no {attribute}"
