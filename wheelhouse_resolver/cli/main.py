"""The command line: one module per command parses, calls the library and prints. No policy here.

Only the module of the command that runs is imported: `pip-conf` is run at every module load.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib import import_module
from typing import Any, NoReturn

from wheelhouse_resolver.cli import output
from wheelhouse_resolver.cli.options import UsageError
from wheelhouse_resolver.cli.parser import Parser
from wheelhouse_resolver.errors import WheelhouseError, printable, reason_of
from wheelhouse_resolver.utils.text import suggest_name

PROGRAM = "wheelhouse-resolver"

#: Command -> what it does, in the order of `--help`. The module has its name, with `_` for `-`.
COMMANDS = {
    "init": "make the empty tree of a wheelhouse and a commented site.toml",
    "detect": "show this host's arch, layer and Python, and the evidence for each",
    "path": "print the directories that this host searches, most specific first",
    "pip-conf": "write the configuration that makes pip and uv search them",
    "pick": "show which wheel a requirement gets, and why no other",
    "avail": "list what this host can install, newest first",
    "why-not": "explain why pip finds no wheel, or takes that one, and what would help",
    "lock": "resolve requirements and all they need, and write a lock file for stock installers",
    "doctor": "find what is wrong with this environment, with the command that fixes it",
    "publish": "check wheels, stamp them, and place them into the wheelhouse",
    "withdraw": "take a wheel out of every search path, so that it can be restored",
    "restore": "bring a withdrawn wheel back",
    "audit": "find where an installer's order would differ from policy",
    "restamp": "fix the stamps of an existing tree in place",
    "index": "write static pages for every kind of host, from which pip and uv get what policy chooses",
    "catalogue": "write a static site for people: a page of all projects with a filter, and one of each",
    "view": "make a tree of links that carry the stamps, changing no wheel",
    "outdated": "compare what is here with what is newest in the index, as input for build",
    "gaps": "list what this host has no wheel of, though others have, as input for build",
    "build": "build wheels from source with recipes, verify and publish them",
    "fetch": "take wheels from the index, adapt them to the layer, verify and publish them",
    "verify": "test wheels in fresh environments",
    "classify": "show which directory of the wheelhouse a wheel belongs to, and why",
    "provenance": "show what a wheel was made from, and with what",
    "relabel": "print or edit the requirements, local label and tags of finished wheels",
    "recipe": "check recipes of builds, show which one applies, and take over shell recipes",
    "modulefile": "write a module file for Lmod or Environment Modules",
    "shell-hook": "print settings for a shell's start file, for people without modules",
    "policy-module": "write the _manylinux.py that makes Python refuse manylinux wheels",
    "completion": "print a shell completion script",
}

#: The commands that may run for long, over whole trees. (Not `lock`: a search of 8,000 rounds needs as little
#: memory without looking for garbage.)
_LONG = frozenset({"publish", "audit", "restamp", "index", "catalogue", "view", "build", "fetch", "verify"})


class InternalError(WheelhouseError, RuntimeError):
    """An error that this program did not expect; with WHEELHOUSE_DEBUG, its traceback is shown."""

    _message = "{problem}"
    problem: str


def build_parser(command: str | None = None, *, width: int | None = None) -> Parser:
    """The parser of all commands, or of the one named *command* only (the others unread).

    *width* of the help's lines, in characters; None: the terminal's.
    """
    # A class where it can be: only of one the generated reference keeps the examples' lines.
    formatter: Any = argparse.RawDescriptionHelpFormatter
    if width is not None:
        formatter = partial(formatter, width=width)
    parser = Parser(
        formatter_class=formatter,
        prog=PROGRAM,
        description="Makes stock pip and uv choose the right wheel from an HPC site's wheelhouse.",
        epilog=f"See `{PROGRAM} COMMAND --help` for a command's options, which come after the command.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    # Given the program's name, argparse need not render a usage line (and import shutil) to find it.
    subparsers = parser.add_subparsers(prog=PROGRAM, title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        if command in (None, name):
            subparser = subparsers.add_parser(
                name,
                help=summary,
                description=summary[0].upper() + summary[1:] + ".",
                formatter_class=formatter,
            )
            module = import_module(f"wheelhouse_resolver.cli.commands.{name.replace('-', '_')}")
            module.add_arguments(subparser)
            subparser.add_argument(
                "-v",
                "--verbose",
                action=getattr(module, "VERBOSE", "count"),
                default=0,
                help="report on stderr what decided; -vv: also what was looked at",
            )
            # `completion` needs the parser of all commands, and may not import what imports it.
            subparser.set_defaults(run=module.run, build_parser=build_parser)
    return parser


class _Version(argparse.Action):
    """`--version`, which looks the version up only when asked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from wheelhouse_resolver import __version__

        print(f"{PROGRAM} {__version__}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* (`sys.argv[1:]` by default) spells out; returns the exit code.

    0: done. 1: done, and the answer is negative. 2: bad input or a failure, reported on stderr: `error: ...`
    and, where one helps, `hint: ...`; with `--json`, the same as one line of JSON.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    named = arguments[0] if arguments and arguments[0] in COMMANDS else None
    try:
        if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
            # A file name need not be valid in the locale's encoding: pass its bytes through.
            sys.stdout.reconfigure(errors="surrogateescape")
        if named is None and arguments and not arguments[0].startswith("-"):
            problem = suggest_name("command", printable(arguments[0]), COMMANDS, most=12)
            raise UsageError(problem).with_hint(f"see {PROGRAM} --help")
        # argparse asks for the terminal's width (and imports shutil for it) at every option, help or not.
        helping = not arguments or not {"-h", "--help"}.isdisjoint(arguments)
        options = build_parser(named, width=None if helping else 80).parse_args(arguments)
        with _verbose(options.verbose):
            code: int = options.run(options)
        return code
    except KeyboardInterrupt as error:
        output.close_bars()
        return 128 + getattr(error, "number", 2)  # as a shell has it: Ctrl-C is signal 2
    except SystemExit as stop:  # argparse, after --help
        return stop.code if isinstance(stop.code, int) else 2
    except Exception as error:  # noqa: BLE001  # all of them are reported
        return _failed(error, named or PROGRAM, as_json="--json" in arguments)


def _failed(error: Exception, doing: str, *, as_json: bool) -> int:
    """Report that *error* has stopped the command *doing*; returns the exit code."""
    output.close_bars()
    found = error if isinstance(error, WheelhouseError) else _explained(error, doing)
    if isinstance(found, InternalError) and os.environ.get("WHEELHOUSE_DEBUG"):
        import traceback

        traceback.print_exception(error)
    if as_json:
        print(json.dumps({**found.to_dict(), "error": type(error).__name__}), file=sys.stderr)
    else:
        output.report(found)
    return 2


def _explained(error: Exception, doing: str) -> WheelhouseError:
    """What to say of an error that is none of ours."""
    if not isinstance(error, OSError):
        problem = f"{type(error).__name__}: {printable(error)}"
        return InternalError(f"internal error (set WHEELHOUSE_DEBUG=1 for a traceback): {problem}")
    if isinstance(error.filename, (str, bytes)):
        return WheelhouseError(f"{os.fsdecode(error.filename)}: {reason_of(error)}")
    found = InternalError(f"cannot finish {doing}: {reason_of(error)}")
    return found.with_hint("set WHEELHOUSE_DEBUG=1 for a traceback")


@contextmanager
def _verbose(level: int) -> Iterator[None]:
    """Show on stderr what is logged: with 1 what decided, with 2 also what was looked at."""
    if not level:
        yield
        return
    import logging

    logger = logging.getLogger("wheelhouse_resolver")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    former = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if level == 1 else logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(former)


def _interruptible() -> AbstractContextManager[None]:
    """Where much may have been begun, a batch system's signals end it as Ctrl-C does: cleaned up."""
    if sys.argv[1:2] and sys.argv[1] not in _LONG:
        return nullcontext()
    import signal

    from wheelhouse_resolver.utils.process import interrupted_by

    return interrupted_by(signal.SIGTERM, signal.SIGHUP)


def entry_point() -> NoReturn:
    """What the installed `wheelhouse-resolver` and `python -m wheelhouse_resolver` run."""
    if sys.argv[1:2] and sys.argv[1] not in _LONG:
        # Most commands live for milliseconds: looking for garbage takes a twelfth of that and finds none.
        gc.disable()
    sys.stdout, stream = output.guarded(sys.stdout, "standard output")
    sys.stderr, _ = output.guarded(sys.stderr, "standard error")
    with _interruptible():
        code = main()
    if sys.stdout is not None:
        sys.stdout.flush()
    if stream is not None and stream.problem is not None:
        code = _failed(stream.problem, PROGRAM, as_json="--json" in sys.argv)
    sys.exit(code)
