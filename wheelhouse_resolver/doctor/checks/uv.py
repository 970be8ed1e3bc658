"""Checks of uv: whether it looks where this host should, and which of its settings fight the wheelhouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.checks.links import below_root, reading, what_is_stale
from wheelhouse_resolver.doctor.checks.meaning import is_wanted
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, check
from wheelhouse_resolver.doctor.facts import EnvironmentFacts, LinkState
from wheelhouse_resolver.doctor.uv_settings import (
    AskedIndex,
    UvSetting,
    asked_indexes,
    hidden_indexes,
    uv_setting,
)
from wheelhouse_resolver.utils.serialise import to_plain

#: The strategy with which uv takes the newest version of all directories, and of equals the first.
_BEST = "unsafe-best-match"

#: uv refuses to run when one of these is set to nothing.
_NEED_A_VALUE = (
    *("UV_CONFIG_FILE", "UV_NO_CONFIG", "UV_INDEX_STRATEGY", "UV_EXCLUDE_NEWER", "UV_LINK_MODE"),
    "UV_CACHE_DIR",
)


def _fix(facts: EnvironmentFacts, setting: UvSetting) -> str:
    return fixes.unset(facts, setting.variable) if setting.variable else fixes.edit(facts, setting.file)


def _states(facts: EnvironmentFacts, urls: Sequence[str]) -> list[LinkState]:
    return [each for each in (facts.uv.links if facts.uv else ()) if each.value in urls]


def _asked(facts: EnvironmentFacts) -> list[AskedIndex]:
    return asked_indexes(facts.uv.settings) if facts.uv else []


def _is_ours(facts: EnvironmentFacts, setting: UvSetting) -> bool:
    """Whether a *setting* of places names directories of the wheelhouse."""
    return reading(facts, _states(facts, setting.values)).is_ours


def _is_sites(facts: EnvironmentFacts, setting: UvSetting) -> bool:
    """Whether a *setting* is in a file that names the wheelhouse, and is not the user's or a project's."""
    kinds = {each.path: each.kind for each in (facts.uv.files if facts.uv else ())}
    if kinds.get(setting.file) not in ("machine", "UV_CONFIG_FILE"):
        return False
    places = [each for each in (facts.uv.settings if facts.uv else ()) if each.file == setting.file]
    return any(_is_ours(facts, each) for each in places if each.option in ("find-links", "index"))


def _of_ours(facts: EnvironmentFacts) -> list[AskedIndex]:
    """The indexes that uv asks which are directories of the wheelhouse, or its static index."""
    return [each for each in _asked(facts) if reading(facts, _states(facts, [each.entry.url])).is_ours]


def _flat_of_ours(facts: EnvironmentFacts) -> list[AskedIndex]:
    """Those which are directories."""
    return [each for each in _of_ours(facts) if each.entry.flat]


def _as_pip_says(setting: UvSetting) -> str:
    everything = setting.option == "no-binary" and setting.values == ("true",)
    return ":all:" if everything else " ".join(setting.values)


@check("uv", "uv reads no pip.conf and no PIP_* variable")
def _uv(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    uv = facts.uv
    if uv is None or not facts.usable or uv.problem:
        return
    named = [each for each in uv.settings if each.option in ("find-links", "index")]
    found = reading(facts, _states(facts, [value for each in named for value in each.values]))
    if found.is_ours or below_root(facts, found):
        return
    severity, fix = NOTE, fixes.load_settings(facts)
    if facts.pip.version is None and facts.made_by_uv:
        severity = WARNING  # it is what installs here
    so = ", ".join(each.where for each in named)
    so += f" {'name' if len(named) > 1 else 'names'} none of its directories" if so else ""
    what = f"{uv.path} knows no wheelhouse: {so or 'neither UV_FIND_LINKS nor a uv.toml names one'}"
    if unread := next((each for each in uv.unread if _is_ours(facts, each)), None):
        variable = next((each for each in ("UV_CONFIG_FILE", "UV_NO_CONFIG") if facts.environ.get(each)), "")
        instead = variable or f"{uv.files[-1].path}, which comes first in XDG_CONFIG_DIRS"
        severity = WARNING
        what = f"{uv.path} does not read {unread.file}, which names the wheelhouse, because of {instead}"
        fix = fixes.unset(facts, variable) if variable else fixes.first_of_configuration(facts, unread.file)
    yield Diagnostic(severity, what, fix, {"uv": uv.path, "unread": unread.file if unread else None})


@check(
    "uv-find-links",
    "uv stops at a directory that does not exist, and takes wheels that crash or are slow here",
)
def _uv_links(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    uv = facts.uv
    if uv is None:
        return
    of_ours = _of_ours(facts)
    flat = [each for each in _asked(facts) if each.entry.flat or each in of_ours]
    lists = [each for each in uv.settings if each.option == "find-links"]
    settings = [*dict.fromkeys([*lists, *(each.setting for each in flat)])]
    urls = [*(value for each in lists for value in each.values), *(each.entry.url for each in flat)]
    states = _states(facts, urls)
    if not settings:
        return
    hidden = [
        (index, by)
        for index, by in hidden_indexes(uv.settings)
        if reading(facts, _states(facts, [index.url])).is_ours and index.url != by.entry.url
    ]
    for index, (entry, setting) in hidden:
        what = f"{entry.url} has the name of {index.url}, {index.name}: uv leaves that out ({setting.where})"
        data = {"index": entry.url, "hidden": index.url, "where": setting.where}
        yield Diagnostic(
            ERROR, what, _fix(facts, setting), data, "of two indexes with one name uv asks the first"
        )
    if hidden:
        return
    ours = [each for each in settings if _is_ours(facts, each)] or settings
    where = " and ".join(each.where for each in ours)
    found = reading(facts, states)
    says, lists_of = what_is_stale(facts, found) if facts.directories else ([], {})
    missing = [each.value for each in states if each.real is not None and not each.exists]
    if missing and not any("does not exist" in each for each in says):
        where = " and ".join(each.where for each in settings)
        says.append(f"names what does not exist, at which uv stops: {', '.join(missing)}")
    if says:
        variables = all(each.variable for each in settings) and (found.is_ours or not missing)
        wrong = next((each for each in settings if {*each.values} & {*missing}), ours[0])
        fix = fixes.load_settings(facts) if variables else _fix(facts, wrong)
        if _is_sites(facts, wrong):  # the file is right for the hosts that it is for
            fix = fixes.load_settings_of_uv(facts)
        yield Diagnostic(ERROR, f"{where} {'; it '.join(says)}", fix, {**lists_of, "missing": missing})
    if any(each.entry.flat for each in of_ours):
        why = "uv adds find-links only to what an index has that is not flat, as the wheelhouse's are"
        for each in lists:
            if not _is_ours(facts, each):
                values = ", ".join(each.values)
                what = f"uv passes over {values} for what only flat indexes have, or none: name it as one"
                about = {"links": each.values, "where": each.where}
                yield Diagnostic(WARNING, f"{what} ({each.where})", _fix(facts, each), about, why)


@check("uv-index", "of equal wheels uv takes that of the index that it asks first, whatever the build tags")
def _uv_index(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    ours, asked = _of_ours(facts), _asked(facts)
    if not ours:
        return
    before = [each for each in asked[: asked.index(ours[0])] if not _is_sites(facts, each.setting)]
    for setting in dict.fromkeys(each.setting for each in before):
        urls = [each.entry.url for each in before if each.setting == setting]
        what = f"uv asks {', '.join(urls)} before the wheelhouse ({setting.where})"
        data = {"indexes": urls, "where": setting.where}
        yield Diagnostic(WARNING, what, _fix(facts, setting), data)
    entry, setting = asked[-1]
    if entry.default and asked[-1] not in ours and _names_no_index(facts) and _is_there(facts, entry.url):
        what = f"uv also asks {entry.url}, though the site names no index ({setting.where})"
        data = {"indexes": [entry.url], "where": setting.where}
        yield Diagnostic(NOTE, what, _fix(facts, setting), data, "a newer version there wins")


def _names_no_index(facts: EnvironmentFacts) -> bool:
    """Whether the site's file has a directory in place of the public index, so that uv asks none."""
    settings = facts.uv.settings if facts.uv else ()
    flat = [each for each in settings if any(one.flat and one.default for one in each.indexes)]
    return any(_is_sites(facts, each) for each in flat)


def _is_there(facts: EnvironmentFacts, url: str) -> bool:
    """Whether there may be an index at *url*: `pip-conf --offline` names a place that is not there."""
    return any(each.exists for each in _states(facts, [url]))


@check("uv-strategy", "uv then takes an older version than pick says, or nothing of the wheelhouse")
def _uv_strategy(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    settings = facts.uv.settings if facts.uv else ()
    ours = _flat_of_ours(facts)
    strategy = uv_setting(settings, "index-strategy")
    value = strategy.values[0] if strategy else "first-index"
    if value != _BEST and len(ours) > 1:
        where = strategy.where if strategy else "uv's default"
        what = f"uv looks no further than the first directory that has a project: {value} ({where})"
        fix = fixes.export(facts, "UV_INDEX_STRATEGY", _BEST)
        if strategy and strategy.variable:
            fix = fixes.unset(facts, strategy.variable)
        yield Diagnostic(ERROR, what, fix, {"value": value, "where": where})
    no_index = uv_setting(settings, "no-index")
    if no_index and no_index.values == ("true",) and _of_ours(facts):
        what = f"uv looks into no directory of the wheelhouse, as they are indexes to it ({no_index.where})"
        yield Diagnostic(ERROR, what, _fix(facts, no_index), to_plain(no_index, "option", "where"))


@check("uv-exclude-newer", "uv goes by the date at which an index got a file, and takes no file without one")
def _uv_exclude_newer(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    newer = uv_setting(facts.uv.settings if facts.uv else (), "exclude-newer")
    if newer is None or _is_sites(facts, newer):
        return
    dated = [each.entry.url for each in _asked(facts) if each.entry.dated and not each.entry.flat]
    dateless = [each.value for each in _states(facts, dated) if each.real is not None and each.exists]
    severity, what = NOTE, "; it does not ask when the wheelhouse's directories got one"
    if dateless:
        severity, what = ERROR, f", and nothing at all from {', '.join(dateless)}, where no file has a date"
    what = f"uv takes nothing that an index got after {newer.values[0]} ({newer.where}){what}"
    data = {**to_plain(newer, "values", "where"), "indexes": dateless}
    yield Diagnostic(severity, what, _fix(facts, newer), data)


@check("uv-settings", "uv then refuses, or chooses otherwise than the site means")
def _uv_settings(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    uv = facts.uv
    if uv is None:
        return
    for variable in _NEED_A_VALUE:
        if facts.environ.get(variable) == "":
            what = f"uv refuses to run: {variable} is set to nothing"
            yield Diagnostic(ERROR, what, fixes.unset(facts, variable), {"variable": variable})
    if uv.problem:
        named = uv.problem_file == facts.environ.get("UV_CONFIG_FILE")
        fix = fixes.unset(facts, "UV_CONFIG_FILE") if named else fixes.edit(facts, uv.problem_file)
        what = f"uv refuses {uv.problem_file}: {uv.problem}"
        yield Diagnostic(ERROR, what, fix, {"file": uv.problem_file})
    words = {
        "constraint": (
            NOTE,
            "uv obeys the constraints of {value}, which avail, pick and why-not do not know",
        ),
        "constraint-dependencies": (NOTE, "uv obeys {value}, which avail, pick and why-not do not know"),
        "no-binary": (WARNING, "uv takes no wheel: {value}"),
        "require-hashes": (WARNING, "uv wants a hash for every requirement"),
    }
    for each in uv.settings:
        missing = [value for value in each.values if value in uv.missing]
        if each.option == "constraint" and missing:
            what = f"uv refuses to run: {', '.join(missing)} does not exist ({each.where})"
            yield Diagnostic(ERROR, what, _fix(facts, each), to_plain(each))
        elif each.option in words and not (
            is_wanted(facts, each.option, _as_pip_says(each)) or _is_sites(facts, each)
        ):
            severity, what = words[each.option]
            what = what.format(value=", ".join(each.values))
            yield Diagnostic(severity, f"{what} ({each.where})", _fix(facts, each), to_plain(each))


@check(
    "uv-cache", "uv cannot link what it has there, copies it instead, which takes time and room, and warns"
)
def _uv_cache(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    cache = facts.uv.cache if facts.uv else None
    if cache is not None and cache.elsewhere and cache.link_mode not in ("copy", "symlink"):
        what = f"the cache of uv, {cache.path}, is on another file system than the target Python's packages"
        yield Diagnostic(NOTE, what, fixes.export(facts, "UV_LINK_MODE", "copy"), to_plain(cache))


@check("uv-python-path", "uv installs it once more, and the target imports what PYTHONPATH leads to")
def _uv_python_path(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    added = facts.python.added if facts.python else ()
    if facts.uv is None or not added:
        return
    shown = ", ".join(f"{each.name} {each.version} ({each.by})" for each in added[:5])
    more = f" and {len(added) - 5} more" if len(added) > 5 else ""
    what = f"uv does not see what PYTHONPATH adds to the target Python, as pip does: {shown}{more}"
    yield Diagnostic(NOTE, what, "", {"count": len(added), "projects": [to_plain(each) for each in added]})
