"""Checks of uv: whether it looks where this host should, and which of its settings fight the wheelhouse."""

from __future__ import annotations

from collections.abc import Iterator

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.checks.links import below_root, reading, what_is_stale
from wheelhouse_resolver.doctor.checks.meaning import is_wanted
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, check
from wheelhouse_resolver.doctor.facts import EnvironmentFacts, LinkState, UvSetting
from wheelhouse_resolver.utils.serialise import to_plain


def _fix(facts: EnvironmentFacts, setting: UvSetting) -> str:
    return fixes.unset(facts, setting.variable) if setting.variable else fixes.edit(facts, setting.file)


def _links(facts: EnvironmentFacts, *options: str) -> list[LinkState]:
    settings = facts.uv.settings if facts.uv else ()
    named = {value for each in settings if each.option in options for value in each.values}
    return [each for each in (facts.uv.links if facts.uv else ()) if each.value in named]


def _as_pip_says(setting: UvSetting) -> str:
    everything = setting.option == "no-binary" and setting.values == ("true",)
    return ":all:" if everything else " ".join(setting.values)


@check("uv", "uv reads no pip.conf and no PIP_* variable")
def _uv(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    uv = facts.uv
    if uv is None or not facts.usable or uv.problem:
        return
    found = reading(facts, _links(facts, "find-links", "index"))
    if found.is_ours or below_root(facts, found):
        return
    severity = NOTE
    if facts.pip.version is None and facts.made_by_uv:
        severity = WARNING  # it is what installs here
    named = [each.where for each in uv.settings if each.option in ("find-links", "index")]
    so = (
        f"{', '.join(named)} {'name' if len(named) > 1 else 'names'} none of its directories" if named else ""
    )
    what = f"{uv.path} knows no wheelhouse: {so or 'neither UV_FIND_LINKS nor a uv.toml names one'}"
    yield Diagnostic(severity, what, fixes.load_settings(facts), {"uv": uv.path})


@check(
    "uv-find-links",
    "uv stops at a directory that does not exist, and takes wheels that crash or are slow here",
)
def _uv_links(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    uv = facts.uv
    settings = [each for each in uv.settings if each.option == "find-links"] if uv is not None else []
    if uv is None or not settings:
        return
    states = _links(facts, "find-links")
    where = " and ".join(each.where for each in settings)
    found = reading(facts, states)
    says, data = what_is_stale(facts, found) if facts.directories else ([], {})
    missing = [each.value for each in states if each.real is not None and not each.exists]
    if missing and not any("does not exist" in each for each in says):
        says.append(f"names what does not exist, at which uv stops: {', '.join(missing)}")
    if says:
        ours = all(each.variable for each in settings) and (found.is_ours or not missing)
        fix = fixes.load_settings(facts) if ours else _fix(facts, settings[0])
        yield Diagnostic(ERROR, f"{where} {'; it '.join(says)}", fix, {**data, "missing": missing})


@check("uv-settings", "uv then refuses, or chooses otherwise than the site means")
def _uv_settings(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    uv = facts.uv
    if uv is None:
        return
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
        elif each.option in words and not is_wanted(facts, each.option, _as_pip_says(each)):
            severity, what = words[each.option]
            what = what.format(value=", ".join(each.values))
            yield Diagnostic(severity, f"{what} ({each.where})", _fix(facts, each), to_plain(each))
