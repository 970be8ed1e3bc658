"""Compares the speed of this program with that of other tools, on a wheelhouse of 50,000 wheels.

python benchmarks/run.py [--quick] [--format markdown]     (or: make bench BENCH_ARGS=...)

What is compared runs in turns (A B C A B C ...), each time as a new process, so that a slow moment of the
machine meets all alike; a table shows medians and their ratio. Claims are about ratios, and a claim that
does not hold is reported and no error: the exit code is 0 unless something failed to run or answered wrongly.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import catalogued
import indexed
import tree
from measure import Comparison, Failed, Group, Row, Work, check, measured, report, table

import wheelhouse_resolver

HERE = Path(__file__).resolve().parent
TREES = HERE / ".trees"
ARCH, LAYER = "avx512", "gentoo"

#: As after `module load python`: its Python is first on PATH. A version manager's shim there may stand for
#: another Python each time, so it would be started each time.
PATH = os.pathsep.join([os.path.dirname(os.path.realpath(sys.executable)), os.defpath])

#: Our commands that answer for many requirements at once.
COMMANDS_OF_MANY = ("avail", "pick", "why-not")


class Tools:
    """The commands, on the trees below *trees*."""

    def __init__(self, trees: Path, size: int) -> None:
        self.trees = trees
        self.root = self._tree(size)
        self.small = self._tree(size // 10)
        self.ten = self._tree(10)
        self.wide = trees / f"{size}-more-outside"
        tree.make_with_more_outside(self.wide, self.root, tree.Recipe(size=size))
        self.stack = trees / f"{size}-stack"
        tree.make_with_stack(self.stack, self.root, tree.Recipe(size=size))
        self._scratch = trees / "scratch"
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        self.configuration = self._scratch / "pip.conf"
        check(self.ours("pip-conf", "--offline", "--output", str(self.configuration)))
        self.of_stack = self._scratch / "stack.conf"
        check(self.ours("pip-conf", "--offline", "--output", str(self.of_stack), root=self.stack))
        self.uv = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")

    def _tree(self, size: int) -> Path:
        root = self.trees / str(size)
        start = time.perf_counter()
        if tree.make(root, tree.Recipe(size=size)):
            report(f"made {root} in {time.perf_counter() - start:.0f} s")
        return root

    def ours(self, command: str, *arguments: str, root: Path | None = None, **more: Any) -> Work:
        """Our own command on the tree (at *root*), for the host whose search path holds most of it."""
        line = [command, *arguments, "--root", str(root or self.root), "--arch", ARCH, "--layer", LAYER]
        name = str(more.pop("name", command))
        environ = {"PATH": PATH, **more.pop("environ", {})}
        command_line = [sys.executable, "-m", "wheelhouse_resolver", *line]
        return Work(name=name, command=command_line, environ=environ, **more)

    def of_many(self, command: str, *options: str) -> Work:
        """Our *command* for a file of many requirements, about projects from all over the alphabet."""
        file = self._scratch / "many.txt"
        if not file.exists():
            names = sorted({each["name"] for each in json.loads(check(self.ours("avail", "--json")))})
            file.write_text("\n".join(names[:: len(names) // tree.MANY][: tree.MANY]) + "\n")
        return self.ours(command, "-r", str(file), *options, name=f"{command} of {tree.MANY} requirements")

    def gaps(self) -> Work:
        """What a Python newer than all wheels has none of: most projects; their METADATA is remembered."""
        return self.ours("gaps", "--python", "3.99", name="gaps of a new Python")

    def outdated(self) -> Work:
        """What the index has of everything, from what is kept of its pages."""
        environ = {
            "XDG_CACHE_HOME": str(self._scratch / "cache-of-pages"),
            "PIP_CONFIG_FILE": os.devnull,
            "PATH": PATH,
        }
        fill = [sys.executable, str(HERE / "pages.py"), str(self.root)]
        check(Work(name="pages", command=fill, environ=environ))
        name = "outdated --offline of everything"
        return self.ours("outdated", "--offline", name=name, environ=environ)

    def bare(self) -> Work:
        """The least that any Python program takes."""
        return Work(name="python -I -c pass", command=[sys.executable, "-I", "-c", "pass"])

    def listing(self) -> Work:
        """The least that any Python program which looks at the wheels takes."""
        found = json.loads(check(self.ours("path", "--json")))
        script = [sys.executable, str(HERE / "listing.py"), *(each["path"] for each in found)]
        return Work(name="a script that only lists the search path", command=script)

    def pip(self, *arguments: str, configuration: Path | None = None, name: str | None = None) -> Work:
        """pip, with the *configuration* that ours wrote; by default that of the usual tree."""
        return Work(
            name=name or f"pip {' '.join(arguments)}",
            command=[sys.executable, "-m", "pip", *arguments],
            environ={
                "PIP_CONFIG_FILE": str(configuration or self.configuration),
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            },
        )

    def uv_install(self) -> Work:
        """uv, with the same directories, into an empty place; its cache is warm."""
        target = ["--dry-run", "--target", str(self._scratch / "target")]
        return self._uv("install --dry-run", ["install", *target, tree.ASKED_FOR], self.configuration)

    def _uv(self, name: str, arguments: Sequence[str], configuration: Path) -> Work:
        places = [each for each in configuration.read_text().split() if each.startswith("file:")]
        links = [part for place in places for part in ("--find-links", place)]
        options = ["--no-index", "--offline", "--python", sys.executable]
        return Work(
            name=f"uv pip {name}",
            command=[str(self.uv), "pip", *arguments, *options, *links],
            environ={"UV_CACHE_DIR": str(self._scratch / "uv"), "UV_NO_CONFIG": "1"},
        )

    def lock(self, *, again: bool) -> Work:
        """Our lock of the scientific stack: for the first time, or *again*."""
        cache = self._scratch / ("cache-of-lock" if again else "cache-of-first-lock")
        return self.ours(
            "lock",
            *tree.STACK_ASKED_FOR,
            root=self.stack,
            name=f"lock of the stack, {'again' if again else 'the first time (nothing remembered)'}",
            environ={"XDG_CACHE_HOME": str(cache)},
            prepare=None if again else lambda: shutil.rmtree(cache, ignore_errors=True),
        )

    def pip_lock(self) -> Work:
        """What pip would install for the stack, as a report."""
        options = ["install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
        return self.pip(
            *options, *tree.STACK_ASKED_FOR, configuration=self.of_stack, name="pip install --dry-run"
        )

    def uv_lock(self) -> Work:
        """uv's lock of the stack; its cache is warm."""
        asked = self._scratch / "stack.in"
        asked.write_text("\n".join(tree.STACK_ASKED_FOR))
        return self._uv("compile", ["compile", "--quiet", str(asked)], self.of_stack)

    def lock_of_needing(self) -> Work:
        """Our lock of all that need each other."""
        return self.ours(
            "lock", "-r", str(self._needing()), root=self.stack, name=f"lock of {len(tree.NEEDING)}"
        )

    def uv_lock_of_needing(self) -> Work:
        """uv's lock of them in the same format, with hashes; its cache is warm."""
        words = ["compile", "--quiet", "--format", "pylock.toml", str(self._needing())]
        return self._uv(f"compile of {len(tree.NEEDING)}", words, self.of_stack)

    def _needing(self) -> Path:
        file = self._scratch / "needing.in"
        file.write_text("\n".join(tree.NEEDING))
        return file

    def indexed(self, original: Path) -> indexed.Indexed:
        """A copy of the tree at *original*, with an index."""
        copy = self._scratch / f"copy-of-{original.name}"
        tree.make_copy(copy, original)
        return indexed.Indexed(self, copy, self._scratch / f"index-of-{original.name}")

    def first_run(self) -> Work:
        """Our slowest start: on a node where the user has no cache directory yet."""
        cache = self._scratch / "cache"
        return self.ours(
            "pip-conf",
            name="pip-conf, the first time (nothing remembered)",
            environ={"XDG_CACHE_HOME": str(cache)},
            prepare=lambda: shutil.rmtree(cache, ignore_errors=True),
        )


def groups(tools: Tools, rounds: int) -> list[Group]:
    """All comparisons. Add a row here."""
    pip_conf = tools.ours("pip-conf")
    pick = tools.ours("pick", tree.ASKED_FOR, name="pick of one project")
    small = tools.ours("pick", tree.ASKED_FOR, root=tools.small, name="pick in a tree of a tenth")
    wide = tools.ours(
        "pick", tree.ASKED_FOR, root=tools.wide, name="pick with 10 times the wheels outside the search path"
    )
    avail = tools.ours("avail", tree.ASKED_FOR, name="avail of one project")
    everything = tools.ours("avail", name="avail of everything")
    listed, picked, explained = map(tools.of_many, COMMANDS_OF_MANY)
    against = [Comparison(ours=pick, other=tools.pip("index", "versions", tree.ASKED_FOR), at_most=1 / 10)]
    large: list[Comparison] = []
    of_lock = [Comparison(ours=tools.lock(again=False), other=tools.pip_lock(), at_most=1)]
    if tools.uv:
        against.append(Comparison(ours=pick, other=tools.uv_install(), at_most=1))
        of_lock.append(Comparison(ours=tools.lock(again=True), other=tools.uv_lock(), at_most=1))
        large = [Comparison(ours=tools.lock_of_needing(), other=tools.uv_lock_of_needing(), at_most=2)]
    else:
        report("uv is not here: its rows are left out")
    indexed_tree = tools.indexed(tools.root)
    return [
        Group(
            rounds=4 * rounds,
            comparisons=[
                Comparison(ours=pip_conf, other=tools.bare(), at_most=4),
                Comparison(ours=pip_conf, other=tools.pip("config", "list"), at_most=1),
                Comparison(ours=tools.first_run(), other=tools.bare(), at_most=None),
            ],
        ),
        # Apart from the slow tools: these push others' directories and byte code out of the CPU's caches.
        Group(
            rounds=4 * rounds,
            comparisons=[
                Comparison(ours=pick, other=tools.listing(), at_most=3),
                Comparison(ours=avail, other=tools.listing(), at_most=3),
                Comparison(ours=everything, other=tools.listing(), at_most=6),
            ],
        ),
        Group(
            rounds=2 * rounds,
            comparisons=[
                Comparison(ours=picked, other=listed, at_most=1.3),
                Comparison(ours=explained, other=listed, at_most=1.3),
            ],
        ),
        Group(
            rounds=2 * rounds,
            comparisons=[
                Comparison(ours=work, other=everything, at_most=2)
                for work in (tools.gaps(), tools.outdated())
            ],
        ),
        Group(rounds=rounds, comparisons=against),
        Group(rounds=2 * rounds, comparisons=of_lock),
        *([Group(rounds=rounds, comparisons=large)] if large else []),
        Group(rounds=4 * rounds, comparisons=[Comparison(ours=wide, other=pick, at_most=1.1)]),
        Group(
            rounds=rounds,
            comparisons=[Comparison(ours=pick, other=small, at_most=1.1, measure="peak memory")],
        ),
        *indexed.groups(tools, indexed_tree, tools.indexed(tools.ten), rounds),
        *catalogued.groups(indexed_tree, everything, rounds),
    ]


def same_answer(tools: Tools) -> str:
    """The version that all tools choose. Raises `Failed` when they differ."""
    ours = tools.ours("pick", tree.ASKED_FOR, "--json")
    answers = {"pick": json.loads(check(ours))[0]["best"]["version"]}
    patterns = {"pip": rf"^{tree.ASKED_FOR} \((\S+)\)", "uv": rf"^ \+ {tree.ASKED_FOR}==(\S+)"}
    asked = {"pip": tools.pip("index", "versions", tree.ASKED_FOR)}
    if tools.uv:
        asked["uv"] = tools.uv_install()
    for name, work in asked.items():
        found = re.search(patterns[name], check(work), re.MULTILINE)
        answers[name] = found[1] if found else None
    if len({*answers.values()}) != 1:
        raise Failed(f"the tools chose different versions of {tree.ASKED_FOR}: {answers}")
    return f"{tree.ASKED_FOR} {answers['pick']} ({', '.join(answers)})"


def same_picks(tools: Tools) -> str:
    """How many wheels all of our commands choose for many requirements. Raises `Failed` when they differ."""
    answers = {command: json.loads(check(tools.of_many(command, "--json"))) for command in COMMANDS_OF_MANY}
    rows: dict[str, str] = {}
    for row in answers["avail"]:
        rows.setdefault(row["name"], row["path"])
    chosen = {"avail": [*rows.values()]}
    for command in ("pick", "why-not"):
        chosen[command] = sorted(each["best"]["path"] for each in answers[command])
    if any(paths != sorted(chosen["avail"]) for paths in (chosen["pick"], chosen["why-not"])):
        raise Failed(f"avail, pick and why-not chose different wheels: {chosen}")
    return f"{len(rows)} wheels for {tree.MANY} requirements ({', '.join(answers)})"


def same_stack(tools: Tools) -> str:
    """How many wheels all tools choose for the stack. Raises `Failed` when they are not the same."""
    packages = json.loads(check(tools.ours("lock", "--json", *tree.STACK_ASKED_FOR, root=tools.stack)))[
        "packages"
    ]
    answers = {"lock": {each["name"]: each["version"] for each in packages}}
    installed = [each["metadata"] for each in json.loads(check(tools.pip_lock()))["install"]]
    answers["pip"] = {each["name"].lower().replace("_", "-"): each["version"] for each in installed}
    if tools.uv:
        pins = re.findall(r"^([a-z0-9-]+)==(\S+)", check(tools.uv_lock()), re.MULTILINE)
        answers["uv"] = dict(pins)
    for name, found in answers.items():
        if found != answers["lock"]:
            differing = sorted({*found.items()} ^ {*answers["lock"].items()})
            raise Failed(f"lock and {name} chose differently: {differing}")
    return f"{len(packages)} wheels for {' '.join(tree.STACK_ASKED_FOR)} ({', '.join(answers)})"


def versions(tools: Tools) -> str:
    """What the answers depend on: the machine and the versions of the tools."""
    pip = check(tools.pip("--version")).split()[1]
    uv = check(Work(name="uv", command=[tools.uv, "--version"])).split()[1] if tools.uv else "none"
    return (
        f"Python {platform.python_version()}, pip {pip}, uv {uv}, {os.cpu_count()} CPUs {os.uname().machine}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small tree and few rounds: does it run?")
    parser.add_argument("--format", choices=("text", "markdown"), default="text")
    parser.add_argument("--trees", type=Path, default=TREES, help="where the trees are kept")
    parser.add_argument("--size", type=int, help="wheels in the tree (default: 50,000)")
    parser.add_argument("--rounds", type=int, help="runs of the slow commands; the fast ones run more often")
    options = parser.parse_args()
    size = options.size or (5_000 if options.quick else 50_000)
    rounds = options.rounds or (3 if options.quick else 11)

    # A user's installation is compiled; without byte code, every start would be measured with compilation.
    compileall.compile_dir(os.path.dirname(wheelhouse_resolver.__file__), quiet=1)
    try:
        tools = Tools(options.trees.absolute(), size)
        report(versions(tools))
        report(f"all tools chose {same_answer(tools)}")
        report(f"all tools chose {same_stack(tools)}")
        report(f"all commands chose {same_picks(tools)}")
        rows: list[Row] = []
        for group in groups(tools, rounds):
            names = {work.name: None for each in group.comparisons for work in (each.ours, each.other)}
            report(f"measuring {group.rounds} times each: {', '.join(names)}")
            rows += measured(group)
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table(rows, options.format))
    return 0


if __name__ == "__main__":
    sys.exit(main())
