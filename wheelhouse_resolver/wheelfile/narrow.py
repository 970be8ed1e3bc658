"""Narrowing version specifiers. Pure."""

from __future__ import annotations

from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

#: The operators of bounds below and above.
_BELOW, _ABOVE = (">=", ">"), ("<", "<=")


def narrowed(own: SpecifierSet, evidence: SpecifierSet) -> SpecifierSet:
    """*own* and *evidence* in one, without bounds of *own* that say less.

    evidence: bounds (`>=`, `<`) or one compatible release (`~=`). Raises `ValueError` if no version satisfies
    both.
    """
    low, high = _range(evidence)
    kept = []
    for each in own:
        if each.operator in ("==", "===") and "*" not in each.version:
            if not evidence.contains(each.version, prereleases=True):
                raise ValueError(f"no version is {own} and {evidence}")
            return own  # nothing is narrower
        if each.operator in _BELOW:
            version = Version(each.version)
            if high is not None and version >= high:
                raise ValueError(f"no version is {own} and {evidence}")
            if low is not None and (version < low or (version == low and each.operator == ">=")):
                continue
        elif each.operator in _ABOVE:
            version = Version(each.version)
            if low is not None and (version < low or (version == low and each.operator == "<")):
                raise ValueError(f"no version is {own} and {evidence}")
            if high is not None and version >= high:
                continue
        kept.append(each)
    stated = [each for each in kept if each.operator in (*_BELOW, *_ABOVE)]
    bounds = [each for each in evidence if not any(_implies(one, each) for one in stated)]
    return SpecifierSet(",".join(map(str, dict.fromkeys([*kept, *bounds]))))


def _implies(one: Specifier, other: Specifier) -> bool:
    """Whether what satisfies the bound *one* satisfies the bound *other* as well."""
    first, second = Version(one.version), Version(other.version)
    if one.operator in _BELOW and other.operator in _BELOW:
        return first >= second
    return one.operator in _ABOVE and other.operator in _ABOVE and first <= second


def _range(evidence: SpecifierSet) -> tuple[Version | None, Version | None]:
    """The bounds below and above of *evidence*."""
    low = high = None
    for each in evidence:
        version = Version(each.version)
        if each.operator == "~=":
            *first, last = version.release[:-1]
            return version, Version(".".join(map(str, [*first, last + 1])))
        if each.operator in _BELOW:
            low = version
        elif each.operator in _ABOVE:
            high = version
    return low, high
