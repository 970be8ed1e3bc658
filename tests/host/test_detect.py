from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

import wheelhouse_resolver
from tests.host.binaries import copy_of_true
from wheelhouse_resolver.errors import (
    CpuinfoError,
    PythonError,
    SiteFileError,
    UnknownArchError,
    UnknownLayerError,
)
from wheelhouse_resolver.host import detect as host_room
from wheelhouse_resolver.host import target_python
from wheelhouse_resolver.host.cpu import Cpu
from wheelhouse_resolver.host.detect import Host, detect_host
from wheelhouse_resolver.site.model import Site

CPUINFO = Path(__file__).parent.parent / "data" / "cpuinfo"
BUILTIN = Site.default("/w")

#: A site one of whose layers has its own names, and whose ladder is of two CPU families.
OWN_NAMES = Site.parse(
    """
    root = "/w"
    [[arch]]
    name = "avx"
    [[arch]]
    name = "avx2"
    [[arch]]
    name = "neoverse_v1"
    target = "neoverse_v1"
    [[layer]]
    name = "soft"
    names = { avx2 = "x86-64-v3" }
    """,
    "site.toml",
)


@pytest.fixture(autouse=True)
def _plain_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the operating system and the running Python speak for no layer."""
    monkeypatch.setattr(host_room, "_OS_RELEASE", ())
    monkeypatch.setattr(target_python, "_running", lambda: None)


def detect(name: str = "intel-haswell", /, site: Site | None = BUILTIN, **options: Any) -> Host:
    """The host with the CPU of that cpuinfo file, in an empty environment unless one is given."""
    return detect_host(**{"environ": {}, "cpuinfo": CPUINFO / f"{name}.txt", "site": site, **options})


# -- the arch ------------------------------------------------------------------------------------------------


def test_a_host_has_the_archs_of_its_cpu_and_the_evidence_says_why_no_higher_one() -> None:
    found = detect("intel-haswell")
    assert (found.arch, found.archs) == ("avx2", ("sse3", "avx", "avx2"))
    (evidence,) = found.arch_evidence
    assert (evidence.source, evidence.value) == ("cpu", "avx2")
    assert str(CPUINFO / "intel-haswell.txt") in evidence.detail
    assert evidence.detail.endswith("not avx512: the CPU is not at least x86_64_v4")
    assert found.warnings == ()


def test_without_a_cpuinfo_nothing_is_said_of_what_the_cpu_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Cpu("x86_64", "generic", "generic", frozenset(), frozenset({"x86_64"}))
    monkeypatch.setattr(host_room, "running_cpu", lambda: bare)
    monkeypatch.setattr(host_room, "CPUINFO", "/nonexistent")
    host = detect(cpuinfo=None)
    problem = "/proc/cpuinfo cannot be read, so what the CPU can run is unknown"
    assert host.arch_evidence[0].detail == f"x86_64; {problem}"
    assert f"{problem}: took arch generic; --arch decides" in host.warnings
    stated = detect(cpuinfo=None, arch="avx2")
    assert [each for each in stated.warnings if problem in each and "lacks" not in each]


def test_a_host_below_the_ladder_is_generic() -> None:
    found = detect("amd-k8")
    assert (found.arch, found.archs) == ("generic", ())


def test_a_host_of_another_family_is_told_nothing_about_this_ladder() -> None:
    found = detect("arm-neoverse-v1")
    assert (found.arch, found.archs) == ("generic", ())
    assert "not" not in found.arch_evidence[0].detail.partition(",")[2].replace(str(CPUINFO), "")


@pytest.mark.parametrize(
    ("option", "environ", "arch", "source"),
    [
        pytest.param("sse3", {}, "sse3", "option", id="option"),
        pytest.param(None, {"WHEELHOUSE_ARCH": "sse3"}, "sse3", "WHEELHOUSE_ARCH", id="WHEELHOUSE_ARCH"),
        pytest.param(None, {"RSNT_ARCH": "sse3"}, "sse3", "RSNT_ARCH", id="RSNT_ARCH"),
        pytest.param(
            "sse3", {"WHEELHOUSE_ARCH": "avx", "RSNT_ARCH": "avx2"}, "sse3", "option", id="option-beats-both"
        ),
        pytest.param(
            None,
            {"RSNT_ARCH": "avx2", "WHEELHOUSE_ARCH": "avx"},
            "avx",
            "WHEELHOUSE_ARCH",
            id="WHEELHOUSE_ARCH-beats-RSNT_ARCH",
        ),
        pytest.param(
            None,
            {"WHEELHOUSE_ARCH": "", "RSNT_ARCH": "avx"},
            "avx",
            "RSNT_ARCH",
            id="set-to-nothing-is-unset",
        ),
        pytest.param("generic", {}, "generic", "option", id="generic"),
    ],
)
def test_an_override_beats_the_cpu(
    option: str | None, environ: dict[str, str], arch: str, source: str
) -> None:
    found = detect("intel-haswell", arch=option, environ=environ, layer="nix")
    assert (found.arch, found.arch_evidence[0].source) == (arch, source)
    told = found.to_dict()["evidence"]["arch"]
    assert told["overruled"][-1]["source"] == "cpu"
    assert found.warnings == ()
    assert BUILTIN.search_path(found)[0].arch == arch


def test_an_override_that_the_cpu_agrees_with_is_told_as_agreement() -> None:
    told = detect("intel-haswell", arch="avx2").to_dict()["evidence"]["arch"]
    assert [each["source"] for each in told["agreeing"]] == ["cpu"]
    assert told["overruled"] == []


def test_an_override_limits_the_search_path_to_it_and_below() -> None:
    found = detect("intel-skylake-avx512", arch="avx", layer="gentoo")
    assert [directory.label for directory in BUILTIN.search_path(found)] == [
        "gentoo/avx",
        "gentoo/sse3",
        "gentoo/generic",
        "generic",
    ]


@pytest.mark.parametrize(
    ("name", "arch", "reason"),
    [
        ("intel-knl", "avx512", "avx2: the CPU is not at least x86_64_v4"),
        ("vm-haswell-no-avx2", "avx2", "avx: the CPU is not at least x86_64_v3"),
        ("amd-k8", "sse3", "generic: the CPU lacks sse3"),
        ("ibm-power9", "avx", "generic: the CPU lacks avx"),
    ],
)
def test_an_override_above_the_cpu_is_obeyed_with_a_warning(name: str, arch: str, reason: str) -> None:
    found = detect(name, arch=arch, layer="nix")
    assert found.arch == arch
    assert BUILTIN.search_path(found)[0].label == f"nix/{arch}"
    assert found.warnings == (
        f"option says arch {arch}, above what the host can run ({reason}); its wheels may crash here",
    )


@pytest.mark.parametrize("called", ["avx2", "x86-64-v3"])
@pytest.mark.parametrize("how", ["option", "WHEELHOUSE_ARCH", "RSNT_ARCH"])
def test_an_override_may_use_the_ladders_name_or_the_layers_own(called: str, how: str) -> None:
    given: dict[str, Any] = {"arch": called} if how == "option" else {"environ": {how: called}}
    found = detect("intel-skylake-avx512", OWN_NAMES, layer="soft", **given)
    assert (found.arch, found.archs) == ("avx2", ("avx", "avx2"))
    assert OWN_NAMES.search_path(found)[0].label == "soft/x86-64-v3"


def test_an_override_of_one_family_does_not_bring_in_the_archs_of_another() -> None:
    assert detect("arm-neoverse-v1", OWN_NAMES).archs == ("neoverse_v1",)
    assert detect("intel-haswell", OWN_NAMES, arch="neoverse_v1").archs == ("neoverse_v1",)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        pytest.param(
            {"arch": "avx3"},
            UnknownArchError,
            "unknown arch 'avx3': this site has generic, sse3, avx, avx2, avx512",
            id="arch-option",
        ),
        pytest.param(
            {"environ": {"WHEELHOUSE_ARCH": "avx3"}},
            UnknownArchError,
            "unknown arch 'avx3'",
            id="arch-variable",
        ),
        pytest.param(
            {"environ": {"RSNT_ARCH": "a\nb"}},
            UnknownArchError,
            r"unknown arch 'a\nb'",
            id="arch-with-newline",
        ),
        pytest.param(
            {"layer": "guix"},
            UnknownLayerError,
            "unknown layer 'guix': this site has nix, gentoo, none",
            id="layer-option",
        ),
        pytest.param(
            {"environ": {"WHEELHOUSE_LAYER": "guix"}},
            UnknownLayerError,
            "unknown layer 'guix'",
            id="layer-variable",
        ),
        pytest.param({"cpuinfo": "/nonexistent"}, CpuinfoError, "/nonexistent: cannot be read", id="cpuinfo"),
        pytest.param(
            {"python": "/nonexistent"}, PythonError, "target Python /nonexistent: does not exist", id="python"
        ),
        pytest.param(
            {"site": None, "environ": {"WHEELHOUSE_CONFIG": "/nonexistent"}},
            SiteFileError,
            "/nonexistent: cannot be read",
            id="site-file",
        ),
    ],
)
def test_what_is_unknown_or_missing_is_an_error_of_one_line(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        detect("intel-haswell", **options)
    assert str(caught.value).startswith(text)
    assert len(str(caught.value).splitlines()) == 1


# -- the layer, the Python, and the machine ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "environ", "layer", "source"),
    [
        pytest.param("nix", {"WHEELHOUSE_LAYER": "gentoo"}, "nix", "option", id="option-first"),
        pytest.param(
            None,
            {"WHEELHOUSE_LAYER": "gentoo", "NIX_PROFILES": "/n"},
            "gentoo",
            "WHEELHOUSE_LAYER",
            id="variable",
        ),
        pytest.param("none", {"NIX_PROFILES": "/n"}, None, "option", id="none"),
        pytest.param(None, {"NIX_PROFILES": "/n"}, "nix", "environment", id="environment"),
    ],
)
def test_the_layer_can_be_stated(
    option: str | None, environ: dict[str, str], layer: str | None, source: str
) -> None:
    found = detect(layer=option, environ=environ)
    assert (found.layer, found.layer_evidence[0].source) == (layer, source)
    assert found.warnings == ()


def test_the_environment_of_the_process_counts_unless_another_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EBVERSIONGENTOO", "2020")
    monkeypatch.setenv("RSNT_ARCH", "sse3")
    found = detect(environ=None)
    assert (found.layer, found.arch) == ("gentoo", "sse3")
    found = detect(environ={})
    assert (found.layer, found.arch) == (None, "avx2")


@pytest.mark.parametrize(
    ("files", "layer"),
    [
        pytest.param({"first": "ID=nixos\n", "second": "ID=gentoo\n"}, "nix", id="first"),
        pytest.param({"second": 'ID="gentoo"\n'}, "gentoo", id="second"),
        pytest.param({}, None, id="none"),
    ],
)
def test_the_first_os_release_file_counts(
    files: dict[str, str], layer: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(host_room, "_OS_RELEASE", (str(tmp_path / "first"), str(tmp_path / "second")))
    assert detect().layer == layer


def test_a_python_of_another_node_brings_its_layer_and_a_warning(tmp_path: Path) -> None:
    path = copy_of_true(tmp_path / "python3", "/nonexistent/nix/store/x-glibc/lib/ld.so")
    found = detect(python=path)
    assert found.layer == "nix"
    (warning,) = found.warnings
    assert "cannot be run here" in warning


def test_a_python_of_another_layer_than_the_environment_is_a_conflict(tmp_path: Path) -> None:
    path = copy_of_true(tmp_path / "python3", "/nonexistent/nix/store/x-glibc/lib/ld.so")
    found = detect(python=path, environ={"EPREFIX": "/cvmfs/soft.example.org/gentoo/2020"})
    assert found.layer == "nix"
    assert found.warnings[1] == (
        "interpreter says layer nix (ELF program interpreter /nonexistent/nix/store/x-glibc/lib/ld.so "
        "matches */nix/store/*), environment says gentoo (EPREFIX=/cvmfs/soft.example.org/gentoo/2020): "
        "took nix; --layer decides"
    )


def test_the_target_is_the_running_python_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the running Python itself, for once
    found = detect_host(environ={}, site=BUILTIN, cpuinfo=CPUINFO / "amd-k8.txt")
    assert found.python.name == "running"
    assert found.python.to_dict()["executable"] == os.path.realpath(sys.executable)
    assert found.python.to_dict()["base_prefix"] == sys.base_prefix


def test_this_machine_is_detected_with_nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELHOUSE_ROOT", "/w")
    found = wheelhouse_resolver.detect_host()
    assert found.arch in ("generic", "sse3", "avx", "avx2", "avx512")
    assert found.cpu is not None
    assert found.cpu.family == os.uname().machine


def test_no_wheelhouse_is_needed_to_detect_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelhouse_resolver.site.config.ORIGIN", "/nonexistent")
    monkeypatch.setenv("XDG_DATA_DIRS", "/nonexistent")
    assert detect("intel-knl", site=None).arch == "avx2"


# -- what it means to a site ---------------------------------------------------------------------------------


def test_a_host_is_judged_anew_by_each_site() -> None:
    found = detect("arm-neoverse-v1", environ={"NIX_PROFILES": "/n"})
    assert (found.arch, found.layer) == ("generic", "nix")
    own = OWN_NAMES._replace(layers=(OWN_NAMES.layers[0]._replace(env=(("NIX_PROFILES", "*"),)),))
    assert [directory.label for directory in own.search_path(found)] == [
        "soft/neoverse_v1",
        "soft/generic",
        "generic",
    ]
    assert (found.for_site(own).arch, found.for_site(own).layer) == ("neoverse_v1", "soft")


def test_an_override_that_another_site_does_not_know_is_an_error_there() -> None:
    found = detect("intel-haswell", OWN_NAMES, arch="x86-64-v3")
    with pytest.raises(UnknownArchError):
        BUILTIN.search_path(found)


def test_a_host_that_was_stated_is_what_was_stated() -> None:
    stated = Host(arch="avx", layer="gentoo")
    assert stated.for_site(BUILTIN) is stated
    assert stated.cpu is None
    assert stated.to_dict()["evidence"]["arch"] == {"decided": None, "agreeing": [], "overruled": []}


def test_what_was_detected_can_be_told_to_programs() -> None:
    told = detect("intel-knl", layer="gentoo").to_dict()
    assert told["arch"] == "avx2"
    assert told["archs"] == ["sse3", "avx", "avx2"]
    assert told["layer"] == "gentoo"
    assert told["cpu"]["vendor"] == "GenuineIntel"
    assert "mic_knl" in told["cpu"]["targets"]
    assert told["evidence"]["layer"]["decided"] == {
        "source": "option",
        "value": "gentoo",
        "detail": "given as gentoo",
    }
    assert told["warnings"] == []
