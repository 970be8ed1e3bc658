"""Checks of pip: its release, what configures it, and which settings in force fight the wheelhouse."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from typing import Any

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.checks.links import (
    config_file_is_ours,
    finds_wheelhouse,
    is_of_the_site,
    names_wheelhouse,
)
from wheelhouse_resolver.doctor.checks.meaning import is_wanted, meaning, words_in
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, check
from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.doctor.pip_settings import PipSetting, emptied_by
from wheelhouse_resolver.host.target_pip import release_of
from wheelhouse_resolver.selection.constraints import Trouble
from wheelhouse_resolver.selection.policy import GOES_ON, KNOWS_RELEASES
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.utils.text import is_true

#: The first release whose choice among equal wheels the build tag decides.
_OBEYS_BUILD_TAGS = (19, 3)

#: The first release that obeys EXTERNALLY-MANAGED (PEP 668).
_OBEYS_MANAGERS = (23, 0)

_USERS = "the user's own site-packages"

#: The first release with `config debug`, which names the file of every setting.
_NAMES_FILES = (20, 2)


@check("pip-missing", "nothing can be installed")
def _missing(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    pip, python = facts.pip, facts.python
    if python is None or not (pip.version is None or pip.broken):
        return
    data = {"python": python.executable, "problem": pip.problem, "path": pip.path or None}
    if not pip.path and facts.made_by_uv:
        what, why = f"{python.executable} has no pip: uv made its environment", "`uv pip` installs into it"
        yield Diagnostic(NOTE, what, "" if facts.uv else fixes.repair_pip(facts), data, why)
        return
    fix = fixes.repair_pip(facts)
    if pip.path in facts.environ.get("PYTHONPATH", "").split(os.pathsep) and pip.path:
        fix = fixes.unset(facts, "PYTHONPATH")
    elif pip.path and pip.path == python.user_site:
        fix = fixes.export(facts, "PYTHONNOUSERSITE", "1")
    elif not fix:
        fix = fixes.venv_like_target(facts)
    where = f" in {pip.path}" if pip.path else ""
    what = f"{python.executable} has no pip that works{where}: {pip.problem}"
    yield Diagnostic(ERROR, what, fix, data)


def _upgraded(facts: EnvironmentFacts, what: str, least: tuple[int, int]) -> tuple[str, str]:
    """*what* is wrong with pip, and the command that installs one of the release *least* or later."""
    if fix := fixes.upgrade_pip(facts, least):
        return what, fix
    return f"{what}; no newer one that runs here can be installed into this environment", ""


@check(
    "pip-too-old", "it ignores build tags, or takes the wrong one of two, and so the wrong build of a wheel"
)
def _too_old(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    version = facts.pip.version
    if version is not None and release_of(version) < _OBEYS_BUILD_TAGS:
        what = f"pip {version} is too old: build tags decide from 19.3 on"
        what, fix = _upgraded(facts, what, _OBEYS_BUILD_TAGS)
        yield Diagnostic(ERROR, what, fix, {"version": version})


@check("older-pip", "it installs otherwise than avail, pick and why-not say, which go by newer ones")
def _older(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    version = facts.pip.version
    if version is None:
        return
    if _OBEYS_BUILD_TAGS <= release_of(version) < GOES_ON:
        what = (
            f"pip {version} fails where Requires-Python bars the newest version; pip 20.3 and later go on to "
            "older ones"
        )
        what, fix = _upgraded(facts, what, GOES_ON)
        yield Diagnostic(WARNING, what, fix, {"version": version})
    ignored = [name for name in ("all-releases", "only-final") if name in facts.pip.in_force]
    if ignored and release_of(version) < KNOWS_RELEASES:
        what = f"pip {version} ignores {' and '.join(ignored)}, which pip 26.0 and later obey"
        what, fix = _upgraded(facts, what, KNOWS_RELEASES)
        yield Diagnostic(WARNING, what, fix, {"version": version, "ignored": ignored})


@check("other-pip", "what it installs, the target does not see; and it may choose wheels for another version")
def _other_pip(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    pip, python = facts.pip, facts.python
    if python is not None and pip.command_python is not None and pip.command_is_other and pip.version:
        theirs, own = pip.command_python, python.executable
        what = f"`pip` on PATH is {pip.command} and installs for {theirs}, not for {own}"
        data = {"command": pip.command, "its_python": theirs, "target": own}
        if not any(each.scripts == theirs for each in facts.venvs):  # that is a finding of its own
            yield Diagnostic(WARNING, what, facts.command("doctor", "--python", theirs), data)


@check("config-file", "pip ignores it silently, and with it the wheelhouse")
def _config_file(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for _, unread, _, why in (each for each in facts.pip.files if each.problem):
        fix = fixes.owners(facts, unread, "chmod", "a+r", unread)
        yield Diagnostic(ERROR, f"pip passes over {unread}: {why}", fix, {"path": unread, "problem": why})
    path, problem = facts.pip.config_file, facts.pip.config_file_problem
    if not problem or path is None:
        return
    fix = fixes.unset(facts, "PIP_CONFIG_FILE")
    if problem == "Permission denied":
        fix = fixes.owners(facts, path, "chmod", "a+r", path) or fix
    elif problem == "No such file or directory" and facts.usable and path not in facts.unchangeable:
        fix = facts.command("pip-conf", *facts.host_options, "--output", path)
        if above := os.path.dirname(path):
            fix = f"{shlex.join(['mkdir', '-p', above])} && {fix}"
    what = f"PIP_CONFIG_FILE names {path}, which pip cannot use: {problem}"
    yield Diagnostic(ERROR, what, fix, {"path": path, "problem": problem})


@check("config-broken", "it refuses to run any command")
def _broken_config(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    pip = facts.pip
    if pip.version is not None and pip.problem and not pip.broken:
        named = re.search(r"(?:file:|reading from) ?'([^']+)'", pip.problem)
        path = named[1] if named else pip.config_file
        fix = fixes.edit(facts, path) if path else ""
        if path and not fix and path == pip.config_file:
            fix = fixes.unset(facts, "PIP_CONFIG_FILE")
        data = {"problem": pip.problem, "file": path or None}
        yield Diagnostic(ERROR, f"pip refuses its configuration: {pip.problem}", fix, data)


@check("config-unread", "settings in files that conflict with the wheelhouse stay unseen")
def _unread_config(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    pip = facts.pip
    if pip.version is None or pip.asked == "config debug" or pip.problem:
        return
    if pip.asked:
        lacks, seen = "does not say which file a setting is from", "their outcome"
    else:
        lacks, seen = "cannot say what its files set", "PIP_* variables"
    what = f"pip {pip.version} {lacks}: only {seen} and PIP_CONFIG_FILE were looked at"
    data = {"version": pip.version, "asked": pip.asked or None}
    yield Diagnostic(NOTE, what, fixes.upgrade_pip(facts, _NAMES_FILES), data)


@check("ignored-config", "PIP_CONFIG_FILE takes its place, so what it says has no effect")
def _ignored_files(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for path in facts.pip.ignored:
        what = f"pip does not read {path}, because PIP_CONFIG_FILE names {facts.pip.config_file}"
        fix = "" if config_file_is_ours(facts) else fixes.unset(facts, "PIP_CONFIG_FILE")
        yield Diagnostic(NOTE, what, fix, {"path": path})


#: Options whose values are names or files: any value counts.
_LISTS = frozenset({"all-releases", "constraint", "only-binary", "only-final"})


def _release(facts: EnvironmentFacts) -> tuple[int, ...]:
    """The release of the target's pip; where that is not known, that of a new one."""
    return release_of(facts.pip.version or "99.0")


def _fighting(facts: EnvironmentFacts, *options: str) -> Iterator[PipSetting]:
    """Those of *options* that are in force, switched on, and not what the site wants."""
    found = (facts.pip.in_force.get(option) for option in options)
    return (each for each in found if each is not None and not is_wanted(facts, each.option, each.value))


def _about(facts: EnvironmentFacts, setting: PipSetting, what: str, more: str = "") -> tuple[str, str, Any]:
    """What is wrong with a *setting*, *more* after the place where it was made; the fix unsets it; data."""
    return f"{what} ({setting.where}){more}", fixes.unset_setting(facts, setting), to_plain(setting)


@check("no-binary", "pip builds from source what the wheelhouse has as a wheel")
def _no_binary(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in _fighting(facts, "no-binary"):
        if ":all:" in words_in(each.value):
            yield Diagnostic(ERROR, *_about(facts, each, "pip takes no wheel at all"))
        elif words_in(each.value) - {":none:"}:
            yield Diagnostic(WARNING, *_about(facts, each, f"pip takes no wheel of {each.value}"))


@check(
    "selection",
    "pip then refuses, or chooses otherwise than the site means: a hash, for one, fits one build only",
)
def _selection(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    words = {
        "require-hashes": (WARNING, "pip wants a hash for every requirement"),
        "ignore-requires-python": (WARNING, "pip installs what is for other Pythons"),
        "no-deps": (WARNING, "pip installs nothing of what a project needs"),
        "no-dependencies": (WARNING, "pip installs nothing of what a project needs"),
        "constraint": (NOTE, "pip obeys {value}, which avail, pick and why-not do not know"),
        "pre": (NOTE, "pip takes pre-releases"),
        "all-releases": (NOTE, "pip takes pre-releases of {value}"),
        "only-final": (NOTE, "pip takes no pre-releases of {value}"),
        "only-binary": (NOTE, "pip builds nothing from source of {value}"),
        "prefer-binary": (NOTE, "pip prefers an older wheel to a newer source distribution"),
    }
    for each in _fighting(facts, *words):
        severity, what = words[each.option]
        if each.option in _LISTS or is_true(each.value):
            yield Diagnostic(severity, *_about(facts, each, what.format(value=each.value)))
    settings = facts.pip.in_force
    control = settings.get("all-releases") or settings.get("only-final")
    if control and (pre := settings.get("pre")) and is_true(pre.value) and _release(facts) >= KNOWS_RELEASES:
        what = f"pip refuses every install: pre does not go with {control.option} ({control.where})"
        yield Diagnostic(ERROR, *_about(facts, pre, what))


@check("constraints", "pip reads constraints at every install, whatever is installed")
def _constraints(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    unhashed = facts.pip.in_force.get("no-require-hashes")
    for path, setting, problem in facts.pip.constraints:
        if not problem.concerns(_release(facts)):
            continue
        if problem.trouble is Trouble.HASHES and unhashed and is_true(unhashed.value):
            continue
        severity = WARNING if problem.trouble is Trouble.REQUIREMENTS else ERROR
        option = "build-constraint" if problem.trouble is Trouble.BUILD else "constraint"
        fix, where = fixes.edit(facts, path), f"[pip] {option} of the site"
        if setting is not None:
            where = setting.where
            fix = (
                fix
                if is_wanted(facts, setting.option, setting.value)
                else fixes.unset_setting(facts, setting)
            )
        data = {"path": path, "trouble": problem.trouble.value, "what": problem.what, "where": where}
        yield Diagnostic(severity, f"{problem} ({where})", fix, data)


@check(
    "index", "from an index a newer version wins over the wheelhouse; without one only the wheelhouse counts"
)
def _index(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    settings = facts.pip.in_force
    offline = settings.get("no-index")
    if offline is not None and is_true(offline.value):
        links = settings.get("find-links")
        # In the site's file it is what `pip-conf --offline` writes.
        together = is_of_the_site(facts, offline) or (links is not None and links.file == offline.file)
        if not together and not is_wanted(facts, offline.option, offline.value):
            so = ": it finds only what `find-links` names"
            yield Diagnostic(NOTE, *_about(facts, offline, "pip asks no index", so))
        return
    fighting = _fighting(facts, "index-url", "extra-index-url")
    users = [each for each in fighting if not names_wheelhouse(facts, *each.values)]
    indexes = [each for each in facts.indexes if not names_wheelhouse(facts, each[0])]
    limits = settings.get("constraint")
    limited = limits is not None and is_wanted(
        facts, limits.option, limits.value
    )  # by the site, so that this does not happen
    if users or (finds_wheelhouse(facts) and indexes and not limited):
        asked = indexes or [(value, each.where) for each in users for value in each.values]
        what = (
            f"pip also asks {' and '.join(f'{url} ({where})' for url, where in asked)}: a newer version "
            "there wins over the wheelhouse's; avail and pick show only what the wheelhouse has"
        )
        fix = fixes.unset_setting(facts, users[0]) if users else fixes.load_settings(facts, "--offline")
        yield Diagnostic(NOTE, what, fix, {"indexes": [{"url": url, "where": where} for url, where in asked]})


@check("index-unreachable", "it tries again and again before it goes on, for each project")
def _unreachable_index(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if (index := facts.index) and index.problem:
        what = f"pip will ask {index.url}, which cannot be reached: {index.problem}"
        yield Diagnostic(WARNING, what, fixes.export(facts, "PIP_NO_INDEX", "1"), to_plain(index))


@check("outside-environment", "pip refuses to install there, or installs for this user and not into it")
def _outside(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    python, settings = facts.python, facts.pip.in_force
    if python is None or facts.pip.version is None or any(each.problem for each in facts.venvs):
        return  # or a broken environment is meant, not the Python that is looked at instead
    required, anyway = settings.get("require-virtualenv"), settings.get("break-system-packages")
    elsewhere = any(option in settings for option in ("target", "prefix", "root"))
    fix, data = (
        fixes.venv_like_target(facts),
        {"python": python.executable, "site_packages": python.site_packages},
    )
    if python.in_venv:
        if python.read_only and not elsewhere:
            what = f"pip cannot install into the virtual environment {python.prefix}: {python.read_only}"
            yield Diagnostic(WARNING, what, fix, data)
    elif required is not None and is_true(required.value):
        what = f"{python.executable} is in no virtual environment, and pip wants one ({required.where})"
        yield Diagnostic(ERROR, what, fix, data)
    elif python.managed and not elsewhere and not (anyway and is_true(anyway.value)):
        if _release(facts) >= _OBEYS_MANAGERS:
            what = (
                f"{python.executable} is externally managed: pip installs into its virtual environments only"
            )
            yield Diagnostic(ERROR, what, fix, data)
    elif python.read_only and not elsewhere:
        what = f"{python.read_only}: pip installs for {python.executable} into {_USERS} instead"
        yield Diagnostic(NOTE, what, fix, data)


@check("install-place", "pip installs elsewhere than into the target Python, or refuses to")
def _places(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in _fighting(facts, "user", "target", "prefix", "root"):
        severity, place, so = WARNING, each.value, ", not into the target Python"
        if each.option == "user":
            if not is_true(each.value):
                continue
            place = _USERS
            if facts.python is not None and facts.python.in_venv:
                severity, so = ERROR, ", which it refuses in a virtual environment"
        yield Diagnostic(severity, *_about(facts, each, f"pip installs into {place}", so))


@check(
    "overridden-setting",
    "PIP_* variables beat all files, [install] beats [global] of every file, and a user's file the machine's",
)
def _overridden(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    settings = facts.pip.in_force
    for each in facts.pip.settings:
        if each.section not in ("global", "install") or each.option == "find-links":
            continue
        if not each.value or not is_of_the_site(facts, each):
            continue
        winner = settings.get(each.option) or emptied_by(facts.pip.settings, each)
        if winner is None or is_of_the_site(facts, winner):
            continue
        if meaning(facts, winner.value) != meaning(facts, each.value):
            what = f"{winner.where} = {winner.value} beats {each.where} = {each.value}"
            if not winner.value:
                what = f"{winner.where} is empty, which takes {each.where} = {each.value} away"
            data = {"beaten": to_plain(each), "in_force": to_plain(winner)}
            # Where the site's settings are the machine's, users may have their own.
            meant = each.origin == "global" and winner.value and winner.origin != "env_var"
            fix = fixes.unset_setting(facts, winner)
            yield Diagnostic(NOTE if meant else WARNING, what, fix, data)


@check("environment-config", "it beats the machine's and the user's files, and stays when modules change")
def _venv_config(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    found = [each for each in facts.pip.in_force.values() if each.origin == "site"]
    for path in dict.fromkeys(each.file for each in found):
        options = sorted(each.option for each in found if each.file == path)
        what = f"{path}, of the target Python's own environment, sets {', '.join(options)}"
        yield Diagnostic(NOTE, what, fixes.edit(facts, path), {"file": path, "options": options})
