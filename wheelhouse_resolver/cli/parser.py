"""The parser of command lines: argparse's, which also says which arguments it has.

argparse keeps those for itself; here each is kept when it is added, by the public methods that add it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NoReturn

from wheelhouse_resolver.cli.options import UsageError

#: How arguments are called that are paths: none can be empty.
_PATHS = frozenset({"DIR", "FILE", "FILE|none", "PATH|X.Y", "WHEEL"})


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: a message, and a hint that names the help of the command.

    arguments: those that were added to it and its groups, in this order.
    """

    def __init__(self, **options: Any) -> None:
        self.arguments: list[argparse.Action] = []
        super().__init__(**options)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """As always; and it is kept."""
        self.arguments.append(super().add_argument(*names, **options))
        return self.arguments[-1]

    def add_subparsers(self, **options: Any) -> Any:
        """As always; and they are kept, as the argument that chooses one of them."""
        self.arguments.append(super().add_subparsers(**options))
        return self.arguments[-1]

    def add_argument_group(self, *names: Any, **options: Any) -> Any:
        """As always; and what is added to it is kept."""
        return self._keeping(super().add_argument_group(*names, **options))

    def add_mutually_exclusive_group(self, **options: Any) -> Any:
        """As always; and what is added to it is kept."""
        return self._keeping(super().add_mutually_exclusive_group(**options))

    def _keeping(self, group: Any) -> Any:
        add, add_group = group.add_argument, group.add_mutually_exclusive_group

        def add_argument(*names: Any, **options: Any) -> argparse.Action:
            self.arguments.append(add(*names, **options))
            return self.arguments[-1]

        group.add_argument = add_argument
        group.add_mutually_exclusive_group = lambda **options: self._keeping(add_group(**options))
        return group

    def all_arguments(self) -> Iterator[argparse.Action]:
        """Its arguments and those of the parsers of its commands."""
        for action in self.arguments:
            yield action
            if isinstance(action.choices, dict):
                for below in action.choices.values():
                    yield from below.all_arguments()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As always; but what a command does not know is an error of its own, not of the program."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and " " in self.prog:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        for action in self.arguments:
            value = getattr(found, action.dest, None)
            if action.metavar in _PATHS and "" in (value if isinstance(value, (list, tuple)) else [value]):
                self.error(f"argument {'/'.join(action.option_strings) or action.metavar}: an empty path")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        raise UsageError(message).with_hint(f"see {self.prog} --help")
