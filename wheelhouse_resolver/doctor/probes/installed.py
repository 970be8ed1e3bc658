"""The probe of what is installed: stamps of other CPUs, what uninstalling left, and what `pip check` says.

Of each project its WHEEL is read, and nothing is imported; number and time are bounded.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Set
from email.parser import HeaderParser
from subprocess import TimeoutExpired

from packaging.utils import canonicalize_name

from wheelhouse_resolver.doctor.probes.target import talkative
from wheelhouse_resolver.doctor.python_facts import AboveCpu, Conflict, InstalledFacts, Leftover, PythonFacts
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.host.cpu import archs_of
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.filesystem import read_head
from wheelhouse_resolver.utils.process import run
from wheelhouse_resolver.utils.redact import presentable
from wheelhouse_resolver.wheelfile.build_tag import stamped_arch

#: At most so many projects are looked at, for so long (s), and as much of a file is read (bytes).
_MOST, _PATIENCE, _HEAD = 5000, 5.0, 16384

#: How long `pip check` may take (s); with a thousand projects it takes 3.
_CHECKING = 20

#: What an environment holds from its beginning, and fits together.
_SEEDS = frozenset({"pip", "setuptools", "wheel"})

_BUILD = re.compile(r"^Build: *(\d{1,18})(\S*)", re.MULTILINE)

#: What pip puts in the place of each of the first letters of what it moves, as many as make a free name.
_REPLACED = "~-.=%0123456789"

#: What `pip check` and `uv pip check` say, a line each.
_LINES = (
    re.compile(r"(?P<name>\S+) (?P<version>\S+) (?:requires \S+, which is not|has requirement ).*"),
    re.compile(r"(?P<name>\S+) (?P<version>\S+) is not (?P<misfit>supported) on this platform\.?"),
    re.compile(r"Error (?P<misfit>parsing) (?:dependencies of|requirements for) (?P<name>[^\s:]+): .*"),
    re.compile(
        r"The package `(?P<name>[^`]+)` (?:requires `.*|was built for a different (?P<misfit>platform))"
    ),
)


def installed(
    python: PythonFacts, checking: list[str], host: Host, site: Site | None, environ: Mapping[str, str]
) -> InstalledFacts:
    """What is installed where *python*'s pip installs.

    checking: the command that finds what does not fit together; empty for none. site: whose stamps count;
    None: nobody's are known.
    """
    able = None
    if site is not None and host.machine is not None and host.machine.cpu_source:
        able = {GENERIC, *archs_of(host.machine.cpu, site.ladder)}
    until = time.monotonic() + _PATIENCE
    versions: dict[str, str] = {}
    above: list[AboveCpu] = []
    left: list[str] = []
    invalid: list[str] = []
    names: set[str] = set()
    complete = True
    for entry in _entries(python.site_packages):
        if time.monotonic() > until or len(versions) + len(invalid) >= _MOST:
            complete = False
            break
        names.add(entry.name)
        if entry.name.startswith("~") and entry.name.strip(_REPLACED):
            left.append(entry.path)
        elif entry.name.endswith(".dist-info"):
            name, _, version = entry.name.removesuffix(".dist-info").partition("-")
            if not os.path.isfile(os.path.join(entry.path, "METADATA")):
                invalid.append(entry.path)
                continue
            versions[canonicalize_name(name)] = version
            build = _BUILD.search(_head(os.path.join(entry.path, "WHEEL"))) if able is not None else None
            arch = stamped_arch((int(build[1]), build[2]), site) if build and site else None
            if able is not None and arch is not None and arch not in able:
                above.append(AboveCpu(canonicalize_name(name), version, arch))
    conflicts: tuple[Conflict, ...] = ()
    unchecked = ""
    if checking and not _SEEDS.issuperset(versions):
        conflicts, unchecked = _checked(checking, versions, environ)
    return InstalledFacts(
        projects=len(versions),
        complete=complete,
        above_cpu=tuple(above),
        leftovers=tuple(_leftover(path, versions, names) for path in left),
        invalid=tuple(invalid),
        conflicts=conflicts,
        unchecked=unchecked,
    )


def _entries(directories: tuple[str, ...]) -> Iterator[os.DirEntry[str]]:
    """What is in *directories*, each by name."""
    for directory in {os.path.realpath(each): each for each in directories}.values():
        try:
            with os.scandir(directory) as entries:
                yield from sorted(entries, key=lambda entry: entry.name)
        except OSError:  # not there, or not readable: then it is another finding
            continue


def _head(path: str) -> str:
    return read_head(path, _HEAD).decode("utf-8", "replace")


def _leftover(path: str, versions: Mapping[str, str], names: Set[str]) -> Leftover:
    headers = HeaderParser().parsestr(_head(os.path.join(path, "METADATA")))
    name = presentable(str(headers.get("Name", "")).strip())
    version = presentable(str(headers.get("Version", "")).strip())
    if name:
        return Leftover(path, name, version, canonicalize_name(name) in versions)
    own = os.path.basename(path)
    end = own.lstrip(_REPLACED)
    return Leftover(
        path, installed=any(len(each) == len(own) and each.endswith(end) for each in names - {own})
    )


def _checked(
    command: list[str], versions: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[tuple[Conflict, ...], str]:
    """What *command* says does not fit together, and why it cannot say, a line."""
    try:
        done = run(command, environ=talkative(environ), timeout=_CHECKING)
    except TimeoutExpired:
        return (), f"no answer within {_CHECKING} s"
    except OSError as error:
        return (), reason_of(error)
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    found = [each for each in map(_conflict, lines) if each is not None]
    if not found and done.returncode != 0:
        said = [each for each in lines if each.startswith(("ERROR", "WARNING"))] or lines[-1:]
        return (), presentable(said[0]) if said else f"exit code {done.returncode}"
    named = (
        each._replace(version=each.version or versions.get(canonicalize_name(each.name), ""))
        for each in found
    )
    return tuple(named), ""


def _conflict(line: str) -> Conflict | None:
    line = line.strip().removeprefix("WARNING: ")
    found = next(filter(None, (each.fullmatch(line) for each in _LINES)), None)
    if found is None:
        return None
    parts = found.groupdict()
    text = presentable(line.rstrip("."))
    return Conflict(text, parts["name"], parts.get("version") or "", bool(parts.get("misfit")))
