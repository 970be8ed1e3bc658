"""The SBOM in a wheel: valid by the strict schema of CycloneDX, and what is read is what was written."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.factories import make_wheel
from tests.whole import assert_whole
from wheelhouse_resolver.errors import MissingExtraError, UnreadableWheelError
from wheelhouse_resolver.wheelfile import sbom
from wheelhouse_resolver.wheelfile.edit import Addition, Edits, relabel
from wheelhouse_resolver.wheelfile.provenance import ExternalLibrary, Provenance, parsed, read
from wheelhouse_resolver.wheelfile.sbom import sbom_text

NAME = "demo-1.0-py3-none-any.whl"

MADE = Provenance(
    project="demo",
    version="1.0+site",
    origin="source-distribution",
    source="https://example.org/demo-1.0.tar.gz",
    source_sha256="a" * 64,
    recipe="demo.toml",
    recipe_sha256="b" * 64,
    python="3.11",
    arch="avx2",
    layer="gentoo",
    libc="glibc 2.36",
    modules=("zlib/1.3", "gcc/12.3"),  # in the order of loading
    flags={"CFLAGS": "-O2 -march=haswell"},
    environ={"DEMO": "two words"},
    tools={"cc": "gcc 12.3", "python": "3.11.4"},
    packages={"cython": "3.0", "setuptools": "80.9.0"},
    libraries=(
        ExternalLibrary(name="libc.so.6"),
        ExternalLibrary(name="libz.so.1", path="/sw/zlib/lib/libz.so.1", module="zlib/1.3"),
    ),
    notes=("first", "second"),
    program="1.2",
)


def validator() -> JsonStrictValidator:
    return JsonStrictValidator(SchemaVersion.V1_6)


@pytest.mark.parametrize(
    "made",
    [
        MADE,
        Provenance(project="demo", version="1.0"),
        replace(MADE, origin="vcs", source="git+https://example.org/a/b.git@0123abc", source_sha256=""),
        replace(MADE, origin="vcs", source="git+git@example.org:a/b c.git@0123abc", source_sha256=""),
        replace(MADE, origin="vcs", source="git+/home/a b/demo@0123abc", source_sha256=""),
        replace(MADE, source="file:///home/é/[demo]"),
        replace(MADE, origin="distribution", source="placeholder"),
    ],
    ids=lambda made: made.source or "little",
)
def test_it_is_valid_and_says_what_it_was_given(made: Provenance) -> None:
    text = sbom_text(made)
    assert validator().validate_str(text.decode()) is None
    assert parsed(json.loads(text)) == made
    assert sbom_text(replace(made)) == text


def test_what_no_document_can_hold_is_escaped() -> None:
    odd = replace(MADE, environ={"DEMO": "a\x1b[31m\udc80"}, source="http://a b/\x07<>")
    text = sbom_text(odd).decode()
    assert validator().validate_str(text) is None
    assert parsed(json.loads(text)).environ == {"DEMO": r"a\x1b[31m\udc80"}


def test_its_serial_number_is_of_its_content_and_it_has_no_time() -> None:
    documents: list[Any] = [json.loads(sbom_text(each)) for each in (MADE, replace(MADE, arch="avx"))]
    assert documents[0]["serialNumber"] != documents[1]["serialNumber"]
    assert "timestamp" not in documents[0]["metadata"]


def test_a_purl_and_what_it_loads(tmp_path: Path) -> None:
    document = json.loads(sbom_text(MADE))
    component = document["metadata"]["component"]
    assert component["purl"] == "pkg:pypi/demo@1.0%2Bsite"
    assert component["externalReferences"][0]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    loads = {each["ref"]: each.get("dependsOn") for each in document["dependencies"]}[component["bom-ref"]]
    assert loads == ["library:libc.so.6:", "library:libz.so.1:/sw/zlib/lib/libz.so.1"]
    scopes = {each["name"]: each["scope"] for each in document["components"]}
    assert (scopes["libz.so.1"], scopes["setuptools"], scopes["cc"]) == ("required", "excluded", "excluded")


def test_it_is_in_the_wheel_beside_those_that_the_wheel_brings_and_stays(tmp_path: Path) -> None:
    others = {"demo-1.0.dist-info/sboms/auditwheel.cdx.json": "{}", "demo.py": "x = 1\n"}
    wheel = make_wheel(tmp_path, NAME, files=others)
    more = Addition(sbom_text(MADE), 1_600_000_000)
    made = relabel(str(wheel), Edits(local_label="site"), str(tmp_path / "out"), addition=more).path
    assert_whole(Path(made))
    said = read(made)
    assert said == replace(MADE, others=("auditwheel.cdx.json",))
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        assert {each.date_time for each in archive.infolist()} == {(2020, 9, 13, 12, 26, 40)}
    assert "demo-1.0+site.dist-info/sboms/wheelhouse-resolver.cdx.json" in names
    assert names[0] == "demo.py"  # what describes the others comes last
    assert names[-1].endswith("/RECORD")
    # Once more, as where one site fetches what another one has built: both are kept, ours is the last.
    again = relabel(made, Edits(local_label="b"), None, addition=Addition(sbom_text(replace(MADE, arch="x"))))
    said = read(again.path)
    assert said is not None
    assert (said.arch, said.others) == ("x", ("auditwheel.cdx.json", "wheelhouse-resolver.cdx.json"))
    kept = relabel(again.path, Edits(add=("numpy",)), None)
    assert read(kept.path) == said


def test_a_wheel_that_does_not_say(tmp_path: Path) -> None:
    assert Provenance.of(str(make_wheel(tmp_path, NAME))) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"metadata": {"component": {"name": 1}}}', "[" * 100_000],
    ids=["empty", "list", "nothing", "number", "deep"],
)
def test_a_damaged_one(text: str, tmp_path: Path) -> None:
    name = "demo-1.0.dist-info/sboms/wheelhouse-resolver.cdx.json"
    with pytest.raises(
        UnreadableWheelError, match=r"its sboms/wheelhouse-resolver\.cdx\.json cannot be read"
    ):
        read(str(make_wheel(tmp_path, NAME, files={name: text})))
    (tmp_path / NAME).write_bytes(b"x")
    with pytest.raises(UnreadableWheelError, match="invalid wheel"):
        read(str(tmp_path / NAME))


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError) as caught:
        sbom_text(MADE)
    assert (caught.value.library, caught.value.extra) == ("cyclonedx-python-lib", "build")
