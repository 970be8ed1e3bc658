"""Asking the target Python and its pip, in one run of it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import Any

from packaging.utils import canonicalize_name

from wheelhouse_resolver.doctor.facts import PipFacts
from wheelhouse_resolver.doctor.pip_settings import parse_debug, parse_list, where_stated
from wheelhouse_resolver.doctor.python_facts import Added, PolicyModuleState, PythonFacts, Shadowed
from wheelhouse_resolver.errors import PythonError, reason_of
from wheelhouse_resolver.installers.manylinux_policy import FILENAME, POLICY_MODULE
from wheelhouse_resolver.utils.process import run
from wheelhouse_resolver.utils.redact import redact

#: How long it may take (s): Python, pip and its configuration, on a cold network filesystem.
_TIMEOUT = 120

#: In the last line of a traceback of a pip that cannot read its configuration, rather than find its files.
_ABOUT_CONFIGURATION = re.compile(r"(?i)config|section|option|codec")

_MARK = "wheelhouse-resolver doctor: "

#: Run by the target with `-c`; must be understood by every Python since 2.7. Last comes pip itself, as
#: `python -m pip` would start it, with the question that its release understands.
_QUESTIONS = r"""
import sys
if sys.path[:1] == [""]:  # there is none under PYTHONSAFEPATH
    del sys.path[0]
import json, os, platform, site, sysconfig
try:
    import pip
    version = str(getattr(pip, "__version__", "")) or None
    problem = ""
except ImportError as error:
    version = None
    problem = str(error)
except Exception as error:
    version = None
    problem = "%s: %s" % (type(error).__name__, error)
policy = None
try:
    import _manylinux
    policy = {"path": getattr(_manylinux, "__file__", None) or "", "refuses": None, "problem": ""}
    if hasattr(_manylinux, "manylinux_compatible"):
        verdict = _manylinux.manylinux_compatible(2, 17, platform.machine())
    else:
        verdict = getattr(_manylinux, "manylinux2014_compatible", None)
    policy["refuses"] = None if verdict is None else not verdict
except ImportError:
    pass
except (Exception, SystemExit) as error:
    policy = policy or {"path": "", "refuses": None}
    policy["problem"] = "%s: %s" % (type(error).__name__, error)
minor = "python%d.%d" % sys.version_info[:2]
base_prefix = getattr(sys, "real_prefix", None) or getattr(sys, "base_prefix", sys.prefix)
base = [getattr(sys, "_base_executable", None) or sys.executable]
base += [os.path.join(base_prefix, "bin", each) for each in (minor, "python3", "python")]
base = [each for each in base if each and os.access(each, os.X_OK) and (
    sys.prefix == base_prefix or not each.startswith(sys.prefix + os.sep))]
standard = sysconfig.get_path("stdlib")
bundled = ""
for place in (os.path.join(standard, "ensurepip", "_bundled"), "/usr/share/python-wheels"):
    if not bundled and os.path.isdir(place):
        found = sorted(each for each in os.listdir(place) if each[:4] + each[-4:] == "pip-.whl")
        bundled = os.path.join(place, found[-1]) if found else ""
where = [each for each in sys.path if os.path.isdir(os.path.join(each, "pip"))]
asked = ""
if version:
    numbers = [int(part) if part.isdigit() else 0 for part in version.split(".")[:2]]
    asked = "config debug" if numbers >= [20, 2] else "config list" if numbers >= [10] else ""
print("\n@MARK@" + json.dumps({
    "python": {
        "executable": sys.executable,
        "version": platform.python_version(),
        "prefix": sys.prefix,
        "base_prefix": base_prefix,
        "base_executable": base[0] if base else "",
        "managed": os.path.isfile(os.path.join(standard, "EXTERNALLY-MANAGED")),
        "user_site": site.getusersitepackages() if getattr(site, "ENABLE_USER_SITE", None) else None,
    },
    "path": [each for each in sys.path if each],
    "site_packages": [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")],
    "policy": policy,
    "pip": {
        "version": version, "problem": problem, "asked": asked,
        "path": where[0] if where else "", "bundled": bundled,
    },
}))
sys.stdout.flush()
if asked:
    import runpy
    sys.argv = ["pip"] + asked.split()
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
""".replace("@MARK@", _MARK)


def ask_target(
    python: str, environ: Mapping[str, str], *, timeout: float = _TIMEOUT
) -> tuple[PythonFacts, PipFacts]:
    """Ask the Python at the path *python* about itself and its pip. Raises `PythonError`. *timeout* in s."""
    try:
        done = run([python, "-c", _QUESTIONS], environ=talkative(environ), timeout=timeout)
    except TimeoutExpired as error:
        raise PythonError(python, f"did not answer within {timeout:g} s") from error
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise PythonError(python, f"cannot be run: {reason}") from error
    before, _, answer = done.stdout.partition(_MARK)
    line, _, rest = answer.partition("\n")
    try:
        said: dict[str, Any] = json.loads(line or "{}")
    except ValueError:
        said = {}
    if "python" not in said:
        last = (done.stderr.strip() or before.strip()).splitlines()[-1:]
        problem = f"not a Python that works (exit code {done.returncode}) {redact(''.join(last))}"
        raise PythonError(python, problem)
    pip = PipFacts(**said["pip"])
    pip = replace(pip, recorded=any(Path(pip.path or "/dev/null").glob("pip-*.dist-info/RECORD")))
    return _python_facts(said, environ), _asked(pip, rest, done)


def talkative(environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* for a pip that must answer: what would silence or stop it, also in files, is beaten."""
    loud = {"PIP_QUIET": "0", "PIP_VERBOSE": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_LOG": ""}
    # With PIP_ISOLATED `pip config` does not show the user's file, which `pip install` reads all the same.
    loud["PIP_ISOLATED"] = "0"
    return {**environ, **loud, "PYTHONIOENCODING": "utf-8:surrogateescape"}


def _asked(pip: PipFacts, answer: str, done: CompletedProcess[str]) -> PipFacts:
    """*pip* with the settings in its *answer*, or why it refuses to give one."""
    if pip.asked and done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        broken = "Traceback " in done.stderr and not _ABOUT_CONFIGURATION.search(lines[-1])
        words = [each.strip() for each in lines[-1 if broken else -3 :]]
        problem = redact(" ".join(words)) or f"exit code {done.returncode}"
        return replace(pip, problem=problem, broken=broken)
    if pip.asked == "config debug":
        files, settings = parse_debug(answer)
        return replace(pip, files=files, settings=where_stated(settings))
    return replace(pip, settings=parse_list(answer))


def _python_facts(said: Mapping[str, Any], environ: Mapping[str, str]) -> PythonFacts:
    python = PythonFacts(**said["python"], site_packages=tuple(dict.fromkeys(said["site_packages"])))
    policy = None
    if said["policy"] is not None:
        # One that fails while it is imported does not say where it is.
        path = said["policy"].pop("path")
        path = path or shutil.which(FILENAME, os.F_OK, os.pathsep.join(said["path"])) or ""
        source, text = path[:-1] if path.endswith(".pyc") else path, ""
        with suppress(OSError, ValueError):
            text = Path(source).read_text(encoding="utf-8")
        policy = PolicyModuleState(path=source, ours=text == POLICY_MODULE, **said["policy"])
    prefixes = (python.prefix, python.base_prefix)
    named = environ.get("PYTHONPATH", "").split(os.pathsep)
    own = {*said["site_packages"], python.user_site}
    added = [each for each in dict.fromkeys(named) if each in said["path"] and each not in own]
    front = [*named, python.user_site]
    return replace(
        python,
        in_venv=len(set(map(os.path.realpath, prefixes))) > 1,
        conda=next((each for each in prefixes if os.path.isdir(os.path.join(each, "conda-meta"))), None),
        policy_module=policy,
        read_only=_read_only(python.site_packages),
        foreign_home=_foreign_home(python, environ.get("PYTHONHOME", "")),
        shadowed=shadowed(list(filter(None, front)), said["site_packages"], said["path"]),
        added=tuple(Added(*each, by) for by in added for each in projects_in(by).items()),
    )


def _foreign_home(python: PythonFacts, named: str) -> str:
    """The place of *python*'s own modules, where the place *named* by PYTHONHOME is another."""
    real = os.path.realpath(python.base_executable)
    above = os.path.dirname(os.path.dirname(real))
    if not named or not os.path.isdir(os.path.join(above, "lib")):
        return ""
    return "" if above in (os.path.realpath(each) for each in named.split(os.pathsep)) else above


def _read_only(directories: Sequence[str]) -> str:
    """Why nothing can be installed into *directories*; empty when it can."""
    for path in directories:
        there = next((each for each in (path, *map(str, Path(path).parents)) if os.path.isdir(each)), path)
        if not os.access(there, os.W_OK):
            read_only = os.statvfs(there).f_flag & os.ST_RDONLY
            return f"{there} is {'on a read-only filesystem' if read_only else 'not writable for you'}"
    return ""


def shadowed(front: Sequence[str], behind: Sequence[str], path: Sequence[str]) -> tuple[Shadowed, ...]:
    """The projects in the directories *front* that hide one of *behind*.

    Only directories on the target's *path* count, and which hides which is decided by its order.
    """
    place = {each: number for number, each in reversed(list(enumerate(path)))}
    found: list[Shadowed] = []
    for by in dict.fromkeys(each for each in front if each in place):
        ours = projects_in(by)
        for hidden in dict.fromkeys(each for each in behind if place.get(each, -1) > place[by]):
            theirs = projects_in(hidden)
            both = sorted(ours.keys() & theirs.keys())
            found += [Shadowed(name, ours[name], by, theirs[name], hidden) for name in both]
    return tuple(found)


def projects_in(directory: str) -> dict[str, str]:
    """The projects installed in *directory* and their versions, by the names of their metadata."""
    return {
        canonicalize_name(name): version.partition("-")[0]
        for entry in sorted(Path(directory).glob("*-*.*-info"))
        for name, _, version in [entry.stem.partition("-")]
        if entry.suffix in (".dist-info", ".egg-info") and not name.startswith("~")
    }
