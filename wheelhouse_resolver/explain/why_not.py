"""Why a requirement gets the wheel that it gets, or none: what excludes each file anywhere in the tree.

The rules are those of `pick`, and so is what excludes each file. What would help is worked out in
`suggestions`.
"""

from __future__ import annotations

import shlex
from functools import lru_cache, partial

from packaging.utils import NormalizedName

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.explain.answer import Answer, Verdict
from wheelhouse_resolver.explain.scenario import Scenario
from wheelhouse_resolver.explain.suggestions import suggestions
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.pick import ProjectFiles
from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.selection.requirements import Requirement, RequirementsFile
from wheelhouse_resolver.selection.together import contradictory, together, trouble
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.utils import cache


def why_not_each(wheelhouse: Tree, files: RequirementsFile, host: Host) -> list[Answer]:
    """Why each requirement in *files* gets what it gets on *host*; the tree is listed once for all of them.

    The constraints and the `--pre` in *files* count. Raises what `Wheelhouse.pick` raises.
    """
    site = wheelhouse.site
    host = host.for_site(site)
    policy = Policy.of(site, host, files)
    found = ProjectFiles(wheelhouse, host, [each.name for each in files.requirements])
    everything = lru_cache(None)(lambda: wheelhouse.catalogue(site.directories()))
    make = partial(Answer, site=site, host=host, python=policy.python_name)

    def answer(asked: Requirement) -> Answer:
        picked = found.decide(asked, policy)
        if picked.ignored:
            return make(asked=asked, verdict=Verdict.IGNORED, problem=picked.ignored)
        if asked.url is not None:
            return make(asked=asked, verdict=Verdict.DIRECT, problem=picked.problem)
        now = Scenario(site, host, asked, policy, tuple(found.all(asked.name)))
        best, broken, warnings = picked.best, picked.broken, list(picked.warnings)
        verdict, problem = Verdict.NOTHING, ""
        close: list[NormalizedName] = []
        if best is not None:
            verdict = Verdict.PICKED
            warnings += [*_damages(best), *_needs_pre(asked, best, policy)]
        elif broken is not None and isinstance(broken.file, Candidate):
            verdict, best, problem = Verdict.BROKEN, broken.file, broken.exclusions[0].about[0]
        elif picked.source is not None:
            verdict, problem = Verdict.SOURCE, picked.because
        elif contradictory(asked.specifier):
            problem = trouble(asked)
        elif not now.files:
            verdict = Verdict.UNKNOWN
            close = everything().close_to(asked.name)
        else:
            problem = trouble(asked)
        others = [
            now._replace(files=tuple(everything().files(each))).asking(asked.specifier, each)
            for each in close
        ]
        return make(
            asked=asked,
            verdict=verdict,
            best=best,
            source=picked.source,
            problem=problem,
            files=tuple(each for each in picked.rejected if each != broken),
            suggestions=() if verdict is Verdict.PICKED else tuple(suggestions(now, others)),
            close=tuple(close),
            warnings=(*policy.warnings, *warnings),
        )

    return list(map(answer, (*together(files.requirements, policy.marker_applies), *files.direct)))


def _needs_pre(asked: Requirement, best: Candidate, policy: Policy) -> list[str]:
    """A warning when older releases of pip do not take the pre-release that newer ones take.

    Before pip 26 a specifier that names no pre-release lets none in, even if there is nothing else; and what
    follows `<`, `>` or `!=` does not count.
    """
    named = any(each.prereleases for each in asked.specifier if each.operator not in ("<", ">", "!="))
    if policy.prereleases_of(asked.name) or named or not asked.specifier or not best.version.is_prerelease:
        return []
    command = shlex.join(["pip", "install", "--pre", str(asked)])
    return [f"only a pre-release meets {asked}: pip older than 26 takes it by `{command}` only"]


def _damages(best: Candidate) -> list[str]:
    """A warning when the file that pip would choose is damaged where pip looks only when it unpacks."""
    try:
        cache.get_for_file("sound-wheel", best.path, partial(_check, best.path))
    except WheelhouseError as error:
        findings = "; ".join(getattr(error, "findings", [str(error)]))
        return [f"{best.path} is damaged, installing it may fail: {findings}"]
    return []


def _check(path: str) -> bool:
    from wheelhouse_resolver.wheelfile.validate import check_wheel  # and what opens wheels, if it must be

    check_wheel(path)
    return True
