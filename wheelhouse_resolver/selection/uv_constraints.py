"""Constraints files as uv's configuration file says them: `constraint-dependencies` and the like.

uv refuses a whole configuration file, and so to do anything, for one line that it cannot read (measured with
uv 0.6.17 and 0.13.9).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wheelhouse_resolver.errors import InvalidRequirementError, RequirementsFileError
from wheelhouse_resolver.selection.requirements import Requirement
from wheelhouse_resolver.selection.requirements_file import read_requirements
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.site.pip_table import Constraints, constraint_files
from wheelhouse_resolver.utils.redact import presentable, redact
from wheelhouse_resolver.utils.urls import local_path

#: An absolute path or a URL.
_PLACE = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*:/")

#: What uv takes behind `===`, and a number that is too large for it.
_VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9.]+)?")
_HUGE = re.compile(r"\d{20}")


def constraints_for_uv(site: Site) -> Constraints:
    """What the constraints files of *site* say, as far as a configuration file of uv can.

    No variable of the environment gets into it: its value may be a secret.
    """
    lost: list[str] = []
    stated, build = (
        tuple(dict.fromkeys(line for path in constraint_files(site.pip, each) for line in _lines(path, lost)))
        for each in ("constraint", "build-constraint")
    )
    return Constraints(stated, build, tuple(lost))


def _lines(path: str, lost: list[str]) -> Iterator[str]:
    """The lines for one file; what none can say goes to *lost*."""
    path = local_path(path)
    if ":/" in path:
        lost.append(f"the constraints of {presentable(path)}: only files are read for uv")
        return
    try:
        file = read_requirements(path, {}, constraints=True)
    except (RequirementsFileError, InvalidRequirementError) as error:
        lost.append(f"all constraints of {presentable(path)}: {error}")
        return
    for each in (*file.requirements, *file.direct):
        lost.append(f"{each.stated}: uv installs nothing that it was not asked for")
    for each in file.constraints:
        if problem := _problem(each):
            lost.append(f"{each.stated}: {problem}")
            continue
        if each.hashes:
            lost.append(f"the hash of {each.stated}: a uv.toml has no place for it")
        marker = f" ; {each.marker}" if each.marker else ""
        yield f"{each.name} @ {each.url}{marker}" if each.url else each.text


def _problem(constraint: Requirement) -> str:
    """Why *constraint* cannot be in a configuration file of uv; empty: it can."""
    if problem := constraint.refused_as_constraint:
        return problem
    if url := constraint.url:
        if "${" in url or redact(url) != url:
            return "it has a variable or a password, which does not belong into a file"
        return "" if _PLACE.match(url) else "a relative path"
    if any(each.operator == "===" and not _VERSION.fullmatch(each.version) for each in constraint.specifier):
        return "uv compares no versions as text"
    return "uv knows no numbers above 64 bits" if _HUGE.search(str(constraint.specifier)) else ""
