"""The comparisons of the static index. Wheels are published for some: so they use copies of the tree."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import tree
from measure import Comparison, Group, Work, check

#: A project that no tree has: each run publishes another version of it.
_PUBLISHED = "published"

_INSTALL = ("install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-")


class Commands(Protocol):
    """The commands on any tree; `Tools` has them."""

    uv: str | None

    def ours(self, command: str, *arguments: str, root: Path | None = None, **more: object) -> Work:
        """Our own command."""

    def pip(self, *arguments: str, configuration: Path | None = None, name: str | None = None) -> Work:
        """pip with that configuration."""

    def listing(self) -> Work:
        """The script that only lists the search path."""

    def uv_install(self) -> Work:
        """uv through the directories."""


class Indexed:
    """A tree with its index, and what is asked of both."""

    def __init__(self, tools: Commands, root: Path, scratch: Path) -> None:
        self.tools = tools
        self.root = root
        self.scratch = scratch
        self.scratch.mkdir()
        self.output = self.scratch / "index"
        self.site = self.scratch / "site.toml"
        self.site.write_text(f'root = "{root}"\n[index]\ndirectory = "{self.output}"\n')
        self.configurations = {form: self.scratch / f"{form}.conf" for form in ("ini", "uv")}
        check(self.index())
        for form, path in self.configurations.items():
            words = ["--format", form, "--offline", "--output", str(path)]
            check(self.with_index("pip-conf", *words))

    def with_index(self, command: str, *arguments: str, name: str | None = None) -> Work:
        """Our own command, for the site with the index."""
        words = [*arguments, "--config", str(self.site)]
        return self.tools.ours(command, *words, root=self.root, name=name or command)

    def index(self) -> Work:
        """The index written again, with nothing changed."""
        return self._staff("index with nothing changed", "index", "--config", str(self.site))

    def _staff(self, name: str, *words: str) -> Work:
        """A command of those who keep the wheelhouse."""
        return Work(name=name, command=[sys.executable, "-m", "wheelhouse_resolver", *words])

    def pick(self, name: str) -> Work:
        """One pick through the index."""
        return self.with_index("pick", tree.ASKED_FOR, name=name)

    def pip(self, name: str) -> Work:
        """One installation with pip through the index."""
        return self.tools.pip(*_INSTALL, tree.ASKED_FOR, configuration=self.configurations["ini"], name=name)

    def uv_install(self, name: str) -> Work:
        """One installation with uv through the index."""
        words = ["--dry-run", "--target", str(self.scratch / "target"), tree.ASKED_FOR]
        return Work(
            name=name,
            command=[str(self.tools.uv), "pip", "install", *words],
            environ={
                "UV_CACHE_DIR": str(self.scratch / "uv"),
                "UV_CONFIG_FILE": str(self.configurations["uv"]),
            },
        )

    def publish(self, name: str, *, current: bool, site: Path | None = None) -> Work:
        """One more build of a wheel published; *current*: what *site* names (the index) is kept current."""
        given = self.scratch / f"{_PUBLISHED}-1.0-py3-none-any.whl"
        contents = (f"build {number}" for number in itertools.count())

        def another() -> None:
            content = f"{next(contents)} {name}"
            given.write_bytes(tree.wheel(_PUBLISHED, "1.0", "py3-none-any", None, content))

        another()
        tree_of = ("--config", str(site or self.site)) if current else ("--root", str(self.root))
        work = self._staff(name, "publish", "--to", "generic", "--rebuild", str(given), *tree_of)
        return replace(work, prepare=another)


def groups(tools: Commands, large: Indexed, small: Indexed, rounds: int) -> Sequence[Group]:
    """The rows about *large*, some of them against *small*, which has ten wheels."""
    pip, pick = large.pip("pip install --dry-run through the index"), large.pick("pick through the index")
    of_ten = small.pip("pip install --dry-run through the index of 10 wheels")
    picked = small.pick("pick through the index of 10 wheels")
    everything = tools.ours("avail", name="avail of everything")
    with_index = large.publish("publish of one wheel, the index kept current", current=True)
    uv = []
    if tools.uv:
        through = large.uv_install("uv pip install --dry-run through the index")
        uv = [
            Group(
                rounds=rounds, comparisons=[Comparison(ours=through, other=tools.uv_install(), at_most=0.12)]
            )
        ]
    return [
        Group(rounds=2 * rounds, comparisons=[Comparison(ours=pip, other=of_ten, at_most=1.1)]),
        *uv,
        Group(rounds=4 * rounds, comparisons=[Comparison(ours=pick, other=tools.listing(), at_most=0.8)]),
        Group(rounds=rounds, comparisons=[Comparison(ours=large.index(), other=everything, at_most=3)]),
        # Last: what is published without it makes the index stale.
        Group(
            rounds=rounds,
            comparisons=[
                Comparison(ours=pick, other=picked, at_most=1.1, measure="peak memory"),
                Comparison(ours=pip, other=of_ten, at_most=1.1, measure="peak memory"),
            ],
        ),
        Group(
            rounds=2 * rounds,
            comparisons=[
                Comparison(
                    ours=with_index,
                    other=large.publish("publish of one wheel, without an index", current=False),
                    at_most=1.3,
                )
            ],
        ),
    ]
