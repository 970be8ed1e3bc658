"""The probes of pip: what configures it besides what it says itself, and where `find-links` leads."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

from wheelhouse_resolver.doctor.facts import ConstraintState, LinkState, PipFacts, UvFacts
from wheelhouse_resolver.doctor.pip_settings import (
    PLACES,
    PipFile,
    PipSetting,
    environment_settings,
    in_force,
)
from wheelhouse_resolver.doctor.probes.environments import interpreter_of
from wheelhouse_resolver.doctor.python_facts import PythonFacts
from wheelhouse_resolver.errors import UnsafeValueError, reason_of
from wheelhouse_resolver.selection.constraints import build_problems, problems_of
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.site.pip_table import constraint_files, install_settings, values_of
from wheelhouse_resolver.static_index.location import LOCK_NAME, classes
from wheelhouse_resolver.utils.redact import redact
from wheelhouse_resolver.utils.urls import local_path

#: How many names of a directory are looked at to find out whether it is a view.
_SOME = 50


def starts(path: str, target: PythonFacts) -> bool:
    """Whether *path* starts the *target*.

    The link in a virtual environment leads to the Python below it: so the places must be the same, too.
    """
    pairs = ((path, target.executable), (os.path.dirname(path), os.path.dirname(target.executable)))
    return all(os.path.realpath(one) == os.path.realpath(other) for one, other in pairs)


def with_surroundings(
    pip: PipFacts, python: PythonFacts | None, uv: UvFacts | None, site: Site, environ: Mapping[str, str]
) -> PipFacts:
    """*pip*, the target *python*'s, with what else bears on it, and where its and *uv*'s settings lead."""
    settings = (*pip.settings, *environment_settings(environ))
    config_file = environ.get("PIP_CONFIG_FILE") or None
    command = shutil.which("pip", path=environ.get("PATH"))
    theirs = interpreter_of(command) if command else None
    return replace(
        pip,
        settings=settings,
        files=tuple(_with_problem(each) for each in pip.files),
        links=_links(settings, site),
        places=_places(settings, uv, site),
        constraints=_constraints(settings, site, environ),
        config_file=config_file,
        config_file_problem=_unreadable(config_file) if config_file else "",
        ignored=_ignored(config_file, environ),
        command=command,
        command_python=theirs,
        command_is_other=theirs is not None and python is not None and not starts(theirs, python),
    )


#: Options whose values are files, directories or URLs.
_PLACED = frozenset(
    {
        *(
            "build-constraint",
            "cache-dir",
            "cert",
            "client-cert",
            "constraint",
            "extra-index-url",
            "find-links",
        ),
        *("index-url", "log", "prefix", "root", "src", "target"),
    }
)


def place_of(value: str) -> str:
    """What *value*, a path or URL, names: the same for all spellings of one place."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return value
    if parts.scheme and parts.scheme != "file":
        path = unquote(parts.path).rstrip("/")
        return parts._replace(netloc=parts.netloc.lower(), path=re.sub("/+", "/", path)).geturl()
    path = unquote(parts.path, errors="surrogateescape") if parts.scheme else os.path.expanduser(value)
    return os.path.realpath(path)


def _places(settings: Sequence[PipSetting], uv: UvFacts | None, site: Site) -> Mapping[str, str]:
    named = [(each.option, each.value) for each in settings]
    named += [(each.option, value) for each in (uv.settings if uv else ()) for value in each.values]
    named += [
        (option, redact(text)) for _, option, value in install_settings(site.pip) for text in values_of(value)
    ]
    words = (word for option, text in named if option in _PLACED for word in (text, *text.split()))
    return MappingProxyType({word: place_of(word) for word in words})


def _constraints(
    settings: Sequence[PipSetting], site: Site, environ: Mapping[str, str]
) -> tuple[ConstraintState, ...]:
    setting = in_force(settings).get("constraint")
    named: dict[str, PipSetting | None] = dict.fromkeys(map(local_path, constraint_files(site.pip)))
    named.update(dict.fromkeys(map(local_path, setting.values), setting) if setting else {})
    found = [(path, by, each) for path, by in named.items() for each in problems_of(path, environ)]
    found += [(path, None, each) for path, each in build_problems(site)]
    return tuple(ConstraintState(*each) for each in found)


def _unreadable(path: str) -> str:
    """Why pip reads nothing from the file at *path*: it says so of none of these."""
    if path == os.devnull:
        return "it is the null device: pip then reads no file at all"
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        return reason_of(error)
    return ""


def _with_problem(file: PipFile) -> PipFile:
    """*file*, and why pip passes over it; of the one that PIP_CONFIG_FILE names that is said elsewhere."""
    if file.origin == "env" or not file.exists:
        return file
    return file._replace(problem=_unreadable(file.path))


def _ignored(config_file: str | None, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The user's own files, where PIP_CONFIG_FILE names one that exists: pip does not read them then."""
    if not config_file or not os.path.exists(config_file):
        return ()
    home = environ.get("HOME", "")
    above = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    paths = [os.path.join(home, ".pip", "pip.conf"), os.path.join(above, "pip", "pip.conf")]
    real = os.path.realpath(config_file)
    return tuple(each for each in paths if os.path.isfile(each) and os.path.realpath(each) != real)


def _links(settings: Sequence[PipSetting], site: Site) -> tuple[LinkState, ...]:
    return link_states([value for s in settings if s.option in PLACES for value in s.values], site)


def link_states(values: Sequence[str], site: Site) -> tuple[LinkState, ...]:
    """Where each of *values*, of some `find-links`, leads."""
    return tuple(_link(value, site) for value in dict.fromkeys(values))


def _link(value: str, site: Site) -> LinkState:
    try:
        parts = urlsplit(value)
    except ValueError:  # `http://[`: pip cannot read it either
        return LinkState(value=value, real=None, exists=False)
    if parts.scheme not in ("", "file"):
        return LinkState(value=value, real=None, exists=True)
    path = place_of(value)
    return LinkState(value, path, os.path.exists(path), _is_view(path, site), _lists(path, site))


def _lists(path: str, site: Site) -> tuple[str, ...]:
    """The labels of the directories whose wheels it lists, if it is for a kind of host, in an index."""
    if not os.path.lexists(os.path.join(os.path.dirname(path), LOCK_NAME)):
        return ()
    try:
        kind = classes(site).get(os.path.basename(path))
    except UnsafeValueError:
        return ()
    return tuple(each.label for each in kind.search_path) if kind else ()


def _is_view(path: str, site: Site) -> bool:
    """Whether the directory holds symbolic links into the wheelhouse, as those that `view` makes do."""
    roots = tuple(root.rstrip("/") + "/" for root in (site.root, *(base.root for base in site.bases)))
    try:
        with os.scandir(path) as entries:
            some = [entry for entry, _ in zip(entries, range(_SOME), strict=False)]
            return any(each.is_symlink() and os.readlink(each.path).startswith(roots) for each in some)
    except OSError:
        return False
