"""Checks of pip: its release, what configures it, and which settings in force fight the wheelhouse."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.checks.links import config_file_is_ours, finds_wheelhouse
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, DiagnosticSeverity, check
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.utils.text import is_true

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import EnvironmentFacts
    from wheelhouse_resolver.doctor.pip_settings import PipSetting

#: The first release whose choice among equal wheels the build tag decides.
_OBEYS_BUILD_TAGS = (19, 3)


@check("pip-missing", "nothing can be installed")
def _missing(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if facts.python is not None and facts.pip.version is None:
        yield Diagnostic(
            ERROR,
            f"{facts.python.executable} has no pip that works: {facts.pip.problem}",
            shlex.join([facts.python.executable, "-m", "ensurepip", "--upgrade"]),
            {"python": facts.python.executable},
        )


def _numbers(version: str) -> tuple[int, int]:
    found = [int(each) for each in re.findall(r"\d+", version)[:2]]
    return (found[0] if found else 0, found[1] if len(found) > 1 else 0)


@check(
    "pip-too-old", "it ignores build tags, or takes the wrong one of two, and so the wrong build of a wheel"
)
def _too_old(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    version = facts.pip.version
    if version is not None and _numbers(version) < _OBEYS_BUILD_TAGS:
        yield Diagnostic(
            ERROR,
            f"pip {version} is too old: build tags decide from 19.3 on",
            fixes.pip_of_target(facts, "install", "--upgrade", "pip"),
            {"version": version},
        )


@check("other-pip", "what it installs, the target does not see; and it may choose wheels for another version")
def _other_pip(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    pip, python = facts.pip, facts.python
    if python is not None and pip.command_python is not None and pip.command_is_other:
        theirs, own = pip.command_python, python.executable
        yield Diagnostic(
            WARNING,
            f"`pip` on PATH is {pip.command} and installs for {theirs}, not for {own}",
            facts.command("doctor", "--python", theirs),
            {"command": pip.command, "its_python": theirs, "target": own},
        )


@check("config-file", "pip ignores it silently, and with it the wheelhouse")
def _config_file(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    path, problem = facts.pip.config_file, facts.pip.config_file_problem
    if not problem or path is None:
        return
    if problem == "Permission denied":
        fix = shlex.join(["chmod", "a+r", path])
    elif problem == "No such file or directory":
        above = os.path.dirname(path)
        make = f"{shlex.join(['mkdir', '-p', above])} && " if above else ""
        fix = make + facts.command("pip-conf", *facts.host_options, "--output", path)
    else:
        fix = fixes.unset(facts, "PIP_CONFIG_FILE")
    yield Diagnostic(
        ERROR,
        f"PIP_CONFIG_FILE names {path}, which pip cannot use: {problem}",
        fix,
        {"path": path, "problem": problem},
    )


@check("config-broken", "it refuses to run any command")
def _broken_config(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    pip = facts.pip
    if pip.version is None or not pip.problem:
        return
    path = pip.config_file or ""
    named = re.search(r"(?:file:|reading from) ?'([^']+)'", pip.problem)
    path = named[1] if named else path
    yield Diagnostic(
        ERROR,
        f"pip refuses its configuration: {pip.problem}",
        fixes.edit(path) if path else fixes.pip_of_target(facts, "config", "edit"),
        {"problem": pip.problem, "file": path or None},
    )


@check("config-unread", "settings in files that conflict with the wheelhouse stay unseen")
def _unread_config(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    pip = facts.pip
    if pip.version is None or pip.asked == "config debug" or pip.problem:
        return
    lacks = "does not say which file a setting is from" if pip.asked else "cannot say what its files set"
    yield Diagnostic(
        NOTE,
        f"pip {pip.version} {lacks}: only {'their outcome' if pip.asked else 'PIP_* variables'} and "
        "PIP_CONFIG_FILE were looked at",
        fixes.pip_of_target(facts, "install", "--upgrade", "pip"),
        {"version": pip.version, "asked": pip.asked or None},
    )


@check("ignored-config", "PIP_CONFIG_FILE takes its place, so what it says has no effect")
def _ignored_files(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for path in facts.pip.ignored:
        yield Diagnostic(
            NOTE,
            f"pip does not read {path}, because PIP_CONFIG_FILE names {facts.pip.config_file}",
            "" if config_file_is_ours(facts) else fixes.unset(facts, "PIP_CONFIG_FILE"),
            {"path": path},
        )


def _words(value: object) -> frozenset[str]:
    items = value if isinstance(value, tuple) else (value,)
    return frozenset(word for each in items for word in re.split(r"[\s,]+", str(each).lower()) if word)


def _is_wanted(facts: EnvironmentFacts, setting: PipSetting) -> bool:
    """Whether the site itself asks for this *setting* in its `[pip]` table."""
    tables = [facts.site.site.pip, facts.site.site.pip.get("install", {})]
    return any(
        name.replace("_", "-") == setting.option and _words(value) == _words(setting.value)
        for table in tables
        if isinstance(table, Mapping)
        for name, value in table.items()
    )


def _fighting(facts: EnvironmentFacts, *options: str) -> Iterator[PipSetting]:
    """Those of *options* that are in force, switched on, and not what the site wants."""
    found = facts.pip.in_force
    for option in options:
        setting = found.get(option)
        if setting is not None and not _is_wanted(facts, setting):
            yield setting


def _about(
    facts: EnvironmentFacts, setting: PipSetting, severity: DiagnosticSeverity, message: str, more: str = ""
) -> Diagnostic:
    """What is wrong with a *setting*; *more* comes after the place where it was made. The fix unsets it."""
    message = f"{message} ({setting.where}){more}"
    return Diagnostic(severity, message, fixes.unset_setting(facts, setting), to_plain(setting))


@check("no-binary", "pip builds from source what the wheelhouse has as a wheel")
def _no_binary(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in _fighting(facts, "no-binary"):
        everything = ":all:" in _words(each.value)
        if everything or _words(each.value) - {":none:"}:
            severity, which = (ERROR, "at all") if everything else (WARNING, f"of {each.value}")
            yield _about(facts, each, severity, f"pip takes no wheel {which}")


@check(
    "selection",
    "pip then refuses, or chooses otherwise than the site means: a hash, for one, fits one build only",
)
def _selection(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    words = {
        "require-hashes": (WARNING, "pip wants a hash for every requirement"),
        "only-binary": (NOTE, "pip builds nothing from source of {value}"),
        "prefer-binary": (NOTE, "pip prefers an older wheel to a newer source distribution"),
    }
    for each in _fighting(facts, *words):
        severity, what = words[each.option]
        if each.option == "only-binary" or is_true(each.value):
            yield _about(facts, each, severity, what.format(value=each.value))


@check(
    "index", "from an index a newer version wins over the wheelhouse; without one only the wheelhouse counts"
)
def _index(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    settings = facts.pip.in_force
    offline = settings.get("no-index")
    if offline is not None and is_true(offline.value):
        links = settings.get("find-links")
        # In the file that PIP_CONFIG_FILE names it is what `pip-conf --offline` writes.
        together = offline.origin == "env" or (links is not None and links.file == offline.file)
        if not together and not _is_wanted(facts, offline):
            yield _about(facts, offline, NOTE, "pip asks no index", ": it finds only what `find-links` names")
        return
    users = list(_fighting(facts, "index-url", "extra-index-url"))
    limits = settings.get("constraint")
    limited = limits is not None and _is_wanted(facts, limits)  # by the site, so that this does not happen
    if users or (finds_wheelhouse(facts) and facts.indexes and not limited):
        asked = facts.indexes or [(value, each.where) for each in users for value in each.values]
        yield Diagnostic(
            NOTE,
            f"pip also asks {' and '.join(f'{url} ({where})' for url, where in asked)}: a newer version "
            "there wins over the wheelhouse's; avail and pick show only what the wheelhouse has",
            fixes.unset_setting(facts, users[0]) if users else fixes.load_settings(facts, "--offline"),
            {"indexes": [{"url": url, "where": where} for url, where in asked]},
        )


@check("index-unreachable", "it tries again and again before it goes on, for each project")
def _unreachable_index(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if facts.index is not None and facts.index.problem:
        yield Diagnostic(
            WARNING,
            f"pip will ask {facts.index.url}, which cannot be reached: {facts.index.problem}",
            fixes.export(facts, "PIP_NO_INDEX", "1"),
            {"url": facts.index.url, "problem": facts.index.problem},
        )


@check("install-place", "pip installs elsewhere than into the target Python, or refuses to")
def _places(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in _fighting(facts, "user", "target", "prefix", "root"):
        if each.option == "user" and not is_true(each.value):
            continue
        fails = each.option == "user" and facts.python is not None and facts.python.in_venv
        where = "the user's own site-packages" if each.option == "user" else each.value
        so = ", which it refuses in a virtual environment" if fails else ", not into the target Python"
        yield _about(facts, each, ERROR if fails else WARNING, f"pip installs into {where}", so)


@check(
    "overridden-setting",
    "[install] of any file beats [global] of every file, and PIP_* variables beat all files",
)
def _overridden(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    settings = facts.pip.in_force
    for each in facts.pip.settings:
        winner = settings.get(each.option)
        if (
            each.origin == "env"
            and each.section in ("global", "install")
            and each.option != "find-links"
            and winner is not None
            and winner.origin != "env"
            and _words(winner.value) != _words(each.value)
        ):
            yield Diagnostic(
                WARNING,
                f"{winner.where} = {winner.value} beats {each.where} = {each.value}",
                fixes.unset_setting(facts, winner),
                {"beaten": to_plain(each), "in_force": to_plain(winner)},
            )


@check("environment-config", "it beats the machine's and the user's files, and stays when modules change")
def _venv_config(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    found: dict[str, list[str]] = {}
    for each in facts.pip.in_force.values():
        if each.origin == "site":
            found.setdefault(each.file, []).append(each.option)
    for path, options in found.items():
        yield Diagnostic(
            NOTE,
            f"{path}, of the target Python's own environment, sets {', '.join(sorted(options))}",
            fixes.edit(path),
            {"file": path, "options": sorted(options)},
        )


@check("uv", "uv reads no pip.conf and no PIP_* variable")
def _uv(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if facts.uv is None or facts.site.root_problem or "UV_CONFIG_FILE" in facts.environ:
        return
    if not facts.environ.get("UV_FIND_LINKS"):
        yield Diagnostic(
            NOTE,
            f"{facts.uv} knows no wheelhouse: UV_FIND_LINKS and UV_CONFIG_FILE are not set",
            fixes.load_settings(facts),
            {"uv": facts.uv},
        )
