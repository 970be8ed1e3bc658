"""The command line: one module per command parses, calls the library and prints. No policy here.

Only the module of the command that runs is imported: `pip-conf` is run at every module load.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any, NoReturn

from wheelhouse_resolver.cli.options import report
from wheelhouse_resolver.errors import WheelhouseError, printable, reason_of
from wheelhouse_resolver.utils.text import suggest_name

__all__ = ["COMMANDS", "build_parser", "entry_point", "main"]

PROGRAM = "wheelhouse-resolver"

#: Command -> what it does, in the order of `--help`. The module has its name, with `_` for `-`.
COMMANDS = {
    "init": "make the empty tree of a wheelhouse and a commented site.toml",
    "detect": "show this host's arch and layer, and the evidence for each",
    "path": "print the directories that this host searches, most specific first",
    "pip-conf": "write the configuration that makes pip and uv search them",
    "pick": "say which wheel a requirement gets, and why no other",
    "avail": "list what this host can install, newest first",
    "why-not": "say why pip finds no wheel, or took that one, and what would help",
    "lock": "resolve requirements and all they need, and write a lock file for stock installers",
    "doctor": "find what is wrong with this environment, with the command that fixes it",
    "publish": "check wheels, stamp them, and place them into the wheelhouse",
    "withdraw": "take a wheel out of every search path, restorably",
    "restore": "bring a withdrawn wheel back",
    "audit": "find where an installer's order would differ from policy",
    "restamp": "fix the stamps of an existing tree in place",
    "view": "make a tree of links that carry the stamps, touching no wheel",
    "build": "build wheels from source with recipes, verify and publish them",
    "verify": "try wheels out in fresh environments",
    "classify": "say which directory of the wheelhouse a wheel belongs to, and why",
    "relabel": "print or edit the requirements, local label and tags of finished wheels",
    "recipe": "check recipes of builds, and show which one applies",
    "modulefile": "write a module file for Lmod or Environment Modules",
    "shell-hook": "print settings for a shell's start file, for people without modules",
    "policy-module": "write the _manylinux.py that makes Python refuse manylinux wheels",
    "completion": "print the script that completes our command lines in a shell",
}

#: The commands that may run for long, over whole trees. (Not `lock`: a search of 8,000 rounds needs as little
#: memory without looking for garbage.)
_LONG = frozenset({"publish", "audit", "restamp", "view", "build", "verify"})


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all of ours are."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As always; but what a command does not know is an error of its own, not of the program."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self.prog != PROGRAM:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see `{self.prog} --help`)\n")


def build_parser(command: str | None = None, *, width: int | None = None) -> argparse.ArgumentParser:
    """The parser of all commands, or of the one named *command* only (the others unread).

    *width* of the help's lines, in characters; None: the terminal's.
    """
    formatter = partial(argparse.RawDescriptionHelpFormatter, width=width)
    parser = _Parser(
        formatter_class=formatter,
        prog=PROGRAM,
        description="Makes stock pip and uv choose the right wheel from an HPC site's wheelhouse.",
        epilog=f"See `{PROGRAM} COMMAND --help` for a command's options, which stand after the command.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    # Told the program's name, argparse need not render a usage line (and import shutil) to find it.
    subparsers = parser.add_subparsers(prog=PROGRAM, title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        if command in (None, name):
            subparser = subparsers.add_parser(
                name,
                help=summary,
                description=summary[0].upper() + summary[1:] + ".",
                formatter_class=formatter,
            )
            module = _module(name)
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


class _Version(argparse.Action):
    """`--version`, which looks the version up only when asked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from wheelhouse_resolver import __version__

        print(f"{PROGRAM} {__version__}")
        parser.exit()


def _module(command: str) -> Any:
    return import_module(f"wheelhouse_resolver.cli.commands.{command.replace('-', '_')}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* (`sys.argv[1:]` by default) spells out; returns the exit code.

    0: done. 1: done, and the answer is negative. 2: bad input, told in one line on stderr.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    named = arguments[0] if arguments and arguments[0] in COMMANDS else None
    if named is None and arguments and not arguments[0].startswith("-"):
        told = suggest_name("command", printable(arguments[0]), COMMANDS, most=12)
        return _failed(f"{told} (see `{PROGRAM} --help`)")
    try:
        if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
            # A file name need not be valid in the locale's encoding: pass its bytes through.
            sys.stdout.reconfigure(errors="surrogateescape")
        # argparse asks for the terminal's width (and imports shutil for it) at every option, help or not.
        helping = not arguments or not {"-h", "--help"}.isdisjoint(arguments)
        options = build_parser(named, width=None if helping else 80).parse_args(arguments)
        code: int = options.run(options)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except WheelhouseError as error:
        report(error)
        return 2
    except BrokenPipeError:
        # The reader has seen enough (`| head`). Python flushes stdout once more at exit: give it somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except SystemExit as stop:  # argparse, after --help or an error
        return stop.code if isinstance(stop.code, int) else 2
    except OSError as error:
        where = (
            f" {printable(os.fsdecode(error.filename))}" if isinstance(error.filename, (str, bytes)) else ""
        )
        return _failed(f"{reason_of(error)}{where}")
    except Exception as error:
        if os.environ.get("WHEELHOUSE_DEBUG"):
            raise
        told = f"{type(error).__name__}: {printable(error)}"
        return _failed(f"this is a fault in {PROGRAM}: {told} (WHEELHOUSE_DEBUG=1 shows where)")


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def entry_point() -> NoReturn:
    """What the installed `wheelhouse-resolver` and `python -m wheelhouse_resolver` run."""
    if sys.argv[1:2] and sys.argv[1] not in _LONG:
        # Most commands live for milliseconds: looking for garbage takes a twelfth of that and finds none.
        gc.disable()
    sys.exit(main())
