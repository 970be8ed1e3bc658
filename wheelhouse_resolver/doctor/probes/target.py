"""Asking the target Python and its pip, in one run of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from subprocess import TimeoutExpired
from typing import Any

from packaging.utils import canonicalize_name

from wheelhouse_resolver.doctor.facts import PipFacts, PolicyModuleState, PythonFacts, Shadowed
from wheelhouse_resolver.doctor.pip_settings import PipFile, PipSetting, parse_debug, parse_list
from wheelhouse_resolver.errors import PythonError, reason_of
from wheelhouse_resolver.installers.manylinux_policy import FILENAME, POLICY_MODULE
from wheelhouse_resolver.utils.process import run
from wheelhouse_resolver.utils.redact import redact

#: How long it may take (s): Python, pip and its configuration, on a cold network filesystem.
_TIMEOUT = 120

_MARK = "wheelhouse-resolver doctor: "

#: Run by the target with `-c`; must be understood by every Python since 2.7. Last comes pip itself, as
#: `python -m pip` would start it, with the question that its release understands.
_QUESTIONS = r"""
import sys
if sys.path[:1] == [""]:  # there is none under PYTHONSAFEPATH
    del sys.path[0]
import json, platform, site, sysconfig
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
asked = ""
if version:
    numbers = [int(part) if part.isdigit() else 0 for part in version.split(".")[:2]]
    asked = "debug" if numbers >= [20, 2] else "list" if numbers >= [10] else ""
print("\n@MARK@" + json.dumps({
    "executable": sys.executable,
    "version": platform.python_version(),
    "prefix": sys.prefix,
    "base_prefix": getattr(sys, "real_prefix", None) or getattr(sys, "base_prefix", sys.prefix),
    "path": [each for each in sys.path if each],
    "site_packages": [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")],
    "user_site": site.getusersitepackages() if getattr(site, "ENABLE_USER_SITE", None) else None,
    "policy": policy,
    "pip": version,
    "pip_problem": problem,
    "asked": asked,
}))
sys.stdout.flush()
if asked:
    import runpy
    sys.argv = ["pip", "config", asked]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
""".replace("@MARK@", _MARK)


def ask_target(
    python: str, environ: Mapping[str, str], *, timeout: float = _TIMEOUT
) -> tuple[PythonFacts, PipFacts]:
    """Ask the Python at the path *python* about itself and its pip. Raises `PythonError`. *timeout* in s."""
    # A PIP_QUIET or `quiet = 1` would silence the answer; a variable beats the files.
    asking = {**environ, "PIP_QUIET": "0", "PIP_VERBOSE": "0", "PYTHONIOENCODING": "utf-8:surrogateescape"}
    try:
        done = run([python, "-c", _QUESTIONS], environ=asking, timeout=timeout)
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
    if "executable" not in said:
        last = (done.stderr.strip() or before.strip()).splitlines()[-1:]
        raise PythonError(
            python, f"not a Python that works (exit code {done.returncode}) {redact(''.join(last))}"
        )
    return _python_facts(said, environ), _pip_facts(said, rest, done.returncode, done.stderr)


def _pip_facts(said: Mapping[str, Any], answer: str, code: int, complaint: str) -> PipFacts:
    asked, problem = str(said["asked"]), str(said["pip_problem"])
    files: tuple[PipFile, ...] = ()
    settings: tuple[PipSetting, ...] = ()
    if asked and code != 0:
        words = [each.strip() for each in complaint.strip().splitlines()[-3:]]
        problem = redact(" ".join(words)) or f"exit code {code}"
    elif asked == "debug":
        files, settings = parse_debug(answer)
    elif asked == "list":
        settings = parse_list(answer)
    return PipFacts(
        version=said["pip"],
        problem=problem,
        asked=asked and f"config {asked}",
        files=files,
        settings=settings,
    )


def _python_facts(said: Mapping[str, Any], environ: Mapping[str, str]) -> PythonFacts:
    policy = said["policy"]
    state = None
    if policy is not None:
        # One that fails while it is imported does not say where it is.
        path = str(policy["path"]) or _on_path(FILENAME, said["path"])
        source = path[:-1] if path.endswith(".pyc") else path
        state = PolicyModuleState(
            path=source,
            refuses=policy["refuses"],
            problem=str(policy["problem"]),
            ours=_text_of(source) == POLICY_MODULE,
        )
    prefix, base = str(said["prefix"]), str(said["base_prefix"])
    front = [each for each in environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    front += [said["user_site"]] if said["user_site"] else []
    return PythonFacts(
        executable=str(said["executable"]),
        version=str(said["version"]),
        prefix=prefix,
        base_prefix=base,
        in_venv=os.path.realpath(prefix) != os.path.realpath(base),
        conda=next(
            (each for each in (prefix, base) if os.path.isdir(os.path.join(each, "conda-meta"))), None
        ),
        user_site=said["user_site"],
        policy_module=state,
        shadowed=shadowed(front, said["site_packages"], said["path"]),
    )


def _on_path(filename: str, path: Sequence[str]) -> str:
    places = (os.path.join(each, filename) for each in path)
    return next((each for each in places if os.path.isfile(each)), "")


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(1 << 16)
    except (OSError, ValueError):
        return ""


def shadowed(front: Sequence[str], behind: Sequence[str], path: Sequence[str]) -> tuple[Shadowed, ...]:
    """The projects in the directories *front* that hide one of *behind*.

    Only directories on the target's *path* count, and which hides which is decided by its order.
    """
    place = {each: number for number, each in reversed(list(enumerate(path)))}
    found: list[Shadowed] = []
    for by in dict.fromkeys(each for each in front if each in place):
        ours = _installed(by)
        for hidden in dict.fromkeys(each for each in behind if place.get(each, -1) > place[by]):
            theirs = _installed(hidden)
            found += [
                Shadowed(name=name, version=ours[name], by=by, hidden_version=theirs[name], hidden=hidden)
                for name in sorted(ours.keys() & theirs.keys())
            ]
    return tuple(found)


def _installed(directory: str) -> dict[str, str]:
    """The projects installed in *directory* and their versions, by the names of their metadata."""
    found: dict[str, str] = {}
    try:
        names = os.listdir(directory)
    except OSError:
        return found
    for entry in sorted(names):
        stem, end = os.path.splitext(entry)
        name, dash, version = stem.partition("-")
        if end in (".dist-info", ".egg-info") and dash:
            found[canonicalize_name(name)] = version.partition("-")[0]
    return found
