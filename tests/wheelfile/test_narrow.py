from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from wheelhouse_resolver.wheelfile.narrow import narrowed


@pytest.mark.parametrize(
    ("own", "evidence", "expected"),
    [
        ("", ">=1.23", ">=1.23"),
        (">=1.20,<3", ">=1.23", "<3,>=1.23"),
        (">1.22", "<2", ">1.22,<2"),
        (">=1.26", ">=1.23", ">=1.26"),
        (">1.23,<=1.26", ">=1.23,<2", ">1.23,<=1.26"),
        (">=1.20,!=1.24.0,<2.5", ">=1.24,<2", "!=1.24.0,>=1.24,<2"),
        ("==1.26.4", ">=1.24,<2", "==1.26.4"),
        ("==1.*", "<2", "==1.*,<2"),
        (">=2.1,<3", "~=2.10.0", "~=2.10.0"),
        ("~=2.1", "~=2.10.0", "~=2.1,~=2.10.0"),
        (">=2.10.1", "~=2.10.0", ">=2.10.1,~=2.10.0"),
    ],
)
def test_the_narrower_bounds_stay(own: str, evidence: str, expected: str) -> None:
    found = narrowed(SpecifierSet(own), SpecifierSet(evidence))
    assert found == SpecifierSet(expected)
    for text in ("1.20", "1.23", "1.24", "1.26.4", "1.99", "2.0", "2.1", "2.10.0", "2.10.1", "2.11", "3.0"):
        both = Version(text) in SpecifierSet(own) and Version(text) in SpecifierSet(evidence)
        assert (Version(text) in found) is both


@pytest.mark.parametrize(
    ("own", "evidence"),
    [
        (">=2", "<2"),
        (">2.1", "<2"),
        ("<1.23", ">=1.23"),
        ("<=1.22", ">=1.23"),
        ("==2.0", "<2"),
        ("===1.0", ">=1.23"),
        (">=2.11", "~=2.10.0"),
        ("<2.10", "~=2.10.0"),
    ],
)
def test_what_no_version_can_satisfy(own: str, evidence: str) -> None:
    with pytest.raises(ValueError, match="no version is"):
        narrowed(SpecifierSet(own), SpecifierSet(evidence))
