from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archspec import cpu as archspec_cpu
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wheelhouse_resolver.errors import CpuinfoError
from wheelhouse_resolver.host.cpu import archs_of, captured_cpu, missing_for, parse_cpuinfo, running_cpu
from wheelhouse_resolver.host.detect import detect_host
from wheelhouse_resolver.site.layout import BUILTIN_LADDER
from wheelhouse_resolver.site.model import Site

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CPUINFO = Path(__file__).parent.parent / "data" / "cpuinfo"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((CPUINFO / "expected.toml").read_text())

#: archspec's microarchitectures that Linux can tell apart.
LINUX_TARGETS = [
    name
    for name, target in archspec_cpu.TARGETS.items()
    if str(target.family) in ("x86_64", "aarch64", "ppc64le", "riscv64")
]

#: A ladder for a site with nodes of three CPU families.
FAMILIES = Site.parse(
    """
    root = "/w"
    [[arch]]
    name = "avx2"
    [[arch]]
    name = "neoverse_n1"
    target = "neoverse_n1"
    [[arch]]
    name = "neoverse_v1"
    target = "neoverse_v1"
    [[arch]]
    name = "sve"
    features = ["sve"]
    [[arch]]
    name = "power8"
    target = "power8le"
    [[arch]]
    name = "power9"
    target = "power9le"
    [[arch]]
    name = "power10"
    target = "power10le"
    """,
    "site.toml",
).ladder


def highest(archs: tuple[str, ...]) -> str:
    return archs[-1] if archs else "generic"


def captured(name: str) -> Any:
    return captured_cpu(str(CPUINFO / f"{name}.txt"))


# -- CPUs that are known ------------------------------------------------------------------------------------


def test_every_file_says_what_is_expected_of_it() -> None:
    assert {each["file"] for each in EXPECTED.values()} == {path.name for path in CPUINFO.glob("*.txt")}


@pytest.mark.parametrize("expected", EXPECTED.values(), ids=EXPECTED)
def test_a_cpu_is_recognised_by_its_cpuinfo(expected: dict[str, Any]) -> None:
    cpu = captured_cpu(str(CPUINFO / expected["file"]))
    assert cpu.family == expected["family"]
    assert highest(archs_of(cpu, BUILTIN_LADDER)) == expected["arch"]
    assert expected.get("target", cpu.family) in cpu.targets


@pytest.mark.parametrize("expected", EXPECTED.values(), ids=EXPECTED)
def test_a_cpu_runs_all_archs_of_the_built_in_ladder_below_its_own(expected: dict[str, Any]) -> None:
    archs = archs_of(captured_cpu(str(CPUINFO / expected["file"])), BUILTIN_LADDER)
    assert archs == tuple(arch.name for arch in BUILTIN_LADDER)[: len(archs)]


@pytest.mark.parametrize("expected", EXPECTED.values(), ids=EXPECTED)
def test_a_cpu_is_at_least_all_that_its_target_is(expected: dict[str, Any]) -> None:
    cpu = captured_cpu(str(CPUINFO / expected["file"]))
    target = archspec_cpu.TARGETS[expected.get("target", cpu.family)]
    assert {str(ancestor) for ancestor in target.ancestors} <= cpu.targets


@pytest.mark.parametrize(
    ("name", "archs"),
    [
        ("intel-haswell", ("avx2",)),
        ("amd-k8", ()),
        ("arm-neoverse-n1", ("neoverse_n1",)),
        ("arm-neoverse-v1", ("neoverse_n1", "neoverse_v1", "sve")),
        ("fujitsu-a64fx", ("sve",)),
        ("apple-m1", ()),
        ("ibm-power8", ("power8",)),
        ("ibm-power9", ("power8", "power9")),
        ("ibm-power10", ("power8", "power9", "power10")),
    ],
)
def test_a_ladder_may_hold_archs_of_several_cpu_families(name: str, archs: tuple[str, ...]) -> None:
    assert archs_of(captured(name), FAMILIES) == archs


@pytest.mark.parametrize(
    ("lines", "target", "others"),
    [
        pytest.param("isa : rv64\nuarch : sifive,u74-mc\n", "u74mc", ["x60"], id="sifive"),
        pytest.param("isa : rv64\nuarch : spacemit,x60\n", "x60", ["u74mc"], id="spacemit"),
        pytest.param("isa : rv64\nmodel name : Spacemit(R) X60\n", "x60", ["u74mc"], id="spacemit-model"),
        pytest.param("isa : rv64\nuarch : thead,c910\n", "riscv64", ["u74mc", "x60"], id="other-riscv"),
        pytest.param("isa : rv64\n", "riscv64", ["u74mc", "x60"], id="bare-riscv"),
    ],
)
def test_a_riscv_cpu_is_what_archspec_calls_it(
    lines: str, target: str, others: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(lines)
    targets = captured_cpu(str(path)).targets
    assert {target, "riscv64"} <= targets
    assert targets.isdisjoint(others)


@pytest.mark.parametrize(
    ("lines", "family", "model"),
    [
        pytest.param(
            "CPU Family : Loongson-64bit\nModel Name : Loongson-3C5000\nISA : loongarch32 loongarch64\n"
            "Features : cpucfg lam ual fpu lsx lasx crc32\n",
            "loongarch64", "Loongson-3C5000", id="loongarch",
        ),
        pytest.param(
            "cpu model : ICT Loongson-3\nisa : mips1 mips2 mips64r1 mips64r2\nASEs implemented : msa\n",
            "mips64", "ICT Loongson-3", id="mips",
        ),
        pytest.param(
            "model name : ARMv7 Processor rev 3 (v7l)\nFeatures : half thumb fastmult vfp neon aes\n"
            "CPU implementer : 0x41\nCPU part : 0xd08\n",
            "arm", "ARMv7 Processor rev 3 (v7l)", id="arm-of-32-bits",
        ),
        pytest.param("features : esan3 zarch\nvendor_id : IBM/S390\n", "unknown", "generic", id="s390x"),
    ],
)  # fmt: skip
def test_a_cpu_of_another_family_is_not_called_one_that_it_resembles(
    lines: str, family: str, model: str, tmp_path: Path
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(lines)
    cpu = captured_cpu(str(path))
    assert (cpu.family, cpu.model) == (family, model)
    every = "".join(f'[[arch]]\nname = "{name}"\ntarget = "{name}"\n' for name in LINUX_TARGETS)
    assert archs_of(cpu, Site.parse(f'root = "/w"\n{every}', "site.toml").ladder) == ()


@pytest.mark.parametrize("cpu", ["Power11 (architected)", "POWER11, altivec supported"])
def test_a_power_is_of_the_generation_that_its_name_says(cpu: str, tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\ncpu\t\t: {cpu}\nclock : 3000MHz\n")
    found = captured_cpu(str(path))
    assert archs_of(found, FAMILIES) == ("power8", "power9", "power10")
    assert (found.family, found.model) == ("ppc64le", cpu)


@pytest.mark.parametrize(
    ("target", "hidden", "level", "almost"),
    [
        ("zen4", {"pku"}, "x86_64_v4", "almost zen4, but lacks pku"),
        ("zen3", {"vaes", "pku"}, "x86_64_v3", ""),  # still a Zen 2
        ("icelake", {"aes", "pclmulqdq"}, "x86_64_v4", "almost icelake, but lacks aes, pclmulqdq"),
        ("haswell", {"aes"}, "x86_64_v3", "almost haswell, but lacks aes"),
        ("zen4", {"pku", "avx512f"}, "x86_64_v3", ""),
    ],
)
def test_a_guest_that_is_known_by_its_level_only_is_told_what_it_almost_is(
    target: str, hidden: set[str], level: str, almost: str, tmp_path: Path
) -> None:
    path = tmp_path / "cpuinfo"
    meant = archspec_cpu.TARGETS[target]
    flags = " ".join(sorted(meant.features - hidden))
    path.write_text(f"vendor_id : {meant.vendor}\nmodel name : a guest\nflags : {flags}\n")
    cpu = captured_cpu(str(path))
    assert (cpu.almost, level in cpu.targets, target in cpu.targets) == (almost, True, False)
    arch = "avx512" if level == "x86_64_v4" else "avx2"
    host = detect_host(cpuinfo=path, environ={}, layer="nix", site=Site.default("/w"))
    assert Site.default("/w").search_path(host)[0].label == f"nix/{arch}"
    assert almost in host.arch_evidence[0].detail


@pytest.mark.parametrize("vendor", ["HygonGenuine", "CentaurHauls"])
def test_a_cpu_of_a_maker_that_archspec_does_not_know_has_its_level(vendor: str, tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(f"vendor_id : {vendor}\nflags : {' '.join(archspec_cpu.TARGETS['zen'].features)}\n")
    cpu = captured_cpu(str(path))
    assert archs_of(cpu, BUILTIN_LADDER) == ("sse3", "avx", "avx2")
    assert (cpu.almost, "zen" in cpu.targets) == ("", False)


@pytest.mark.parametrize(
    ("part", "name", "other"),
    [
        ("0xd49", "neoverse_n2", "neoverse_v2"),
        ("0xd4f", "neoverse_v2", "neoverse_n2"),
        ("0xd40", "neoverse_v1", "neoverse_v2"),
    ],
)
def test_an_arm_cpu_of_a_known_part_is_not_another_with_the_same_features(
    part: str, name: str, other: str, tmp_path: Path
) -> None:
    path = tmp_path / "cpuinfo"
    flags = " ".join(archspec_cpu.TARGETS[name].features)
    path.write_text(f"Features : {flags}\nCPU implementer : 0x41\nCPU part : {part}\n")
    targets = captured_cpu(str(path)).targets
    assert {name, "neoverse_n1", "aarch64"} <= targets
    assert other not in targets


def test_an_arm_cpu_is_at_least_every_lesser_model_whose_features_it_has(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    flags = " ".join(
        archspec_cpu.TARGETS["neoverse_v2"].features | archspec_cpu.TARGETS["neoverse_v1"].features
    )
    path.write_text(f"Features : {flags}\nCPU implementer : 0x41\nCPU part : 0xd4f\n")
    assert {"neoverse_v2", "neoverse_v1", "neoverse_n1"} <= captured_cpu(str(path)).targets


@pytest.mark.parametrize(
    ("name", "arch", "reason"),
    [
        ("intel-knl", "avx512", "the CPU is not at least x86_64_v4"),
        ("amd-k8", "sse3", "the CPU lacks sse3"),
        ("arm-neoverse-v1", "avx", "the CPU lacks avx"),
        ("ibm-power9", "avx2", "the CPU is not at least x86_64_v3"),
        ("intel-nocona", "sse3", ""),
    ],
)
def test_why_a_cpu_cannot_run_an_arch(name: str, arch: str, reason: str) -> None:
    (meant,) = [each for each in BUILTIN_LADDER if each.name == arch]
    assert missing_for(captured(name), meant) == reason


def test_all_features_of_an_arch_are_needed() -> None:
    both, one = Site.parse(
        'root = "/w"\n[[arch]]\nname = "a"\nfeatures = ["avx", "avx2", "fma"]\n'
        '[[arch]]\nname = "b"\nfeatures = ["avx2"]\n',
        "site.toml",
    ).ladder
    guest = captured("vm-virtualbox-avx2-only")
    assert (archs_of(guest, [both]), archs_of(guest, [one])) == ((), ("b",))
    assert missing_for(guest, both) == "the CPU lacks fma"
    # Every CPU with AVX2 that archspec knows is an `a`: a guest that is none counts as neither.
    assert archs_of(guest, [both, one]) == ()
    assert (missing_for(guest, one), missing_for(guest, one, [both, one])) == ("", "the CPU lacks fma")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("intel-knl", "Intel(R) Xeon Phi(TM) CPU"),
        ("ibm-power9", "POWER9, altivec supported"),
        ("apple-m1", "Apple"),
    ],
)
def test_a_cpu_is_called_what_its_kernel_calls_it(name: str, model: str) -> None:
    assert captured(name).model.startswith(model)


# -- reading the text ----------------------------------------------------------------------------------------


def test_the_first_processor_is_read_and_only_what_tells_it_from_others() -> None:
    text = (
        "processor\t: 0\nflags\t\t: sse sse2\nvmx flags\t: avx\ncpu MHz : 1\n\nprocessor : 1\nflags : avx\n"
    )
    assert parse_cpuinfo(text) == {"flags": "sse sse2"}


def test_lines_that_end_as_on_windows_are_fine(tmp_path: Path) -> None:
    text = (CPUINFO / "intel-haswell.txt").read_text()
    path = tmp_path / "cpuinfo"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    assert captured_cpu(str(path)) == captured("intel-haswell")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("vendor_id       : IBM/S390\n# processors    : 2\nfeatures\t: esan3\n", id="s390x"),
        pytest.param("processor : 0\nhart : 0\nisa : rv64imafdc\nuarch : sifive,u74-mc\n", id="riscv64"),
        pytest.param("processor : 0\ncpu : POWER, altivec supported\n", id="power-without-a-number"),
        pytest.param("Features : \nCPU implementer : 0xff\n", id="arm-of-an-unknown-maker"),
        pytest.param("vendor_id : Nobody\nflags :\n", id="x86-without-flags"),
        pytest.param("model name : something\n", id="a-model-alone"),
    ],
)
def test_a_cpu_that_no_ladder_knows_is_generic(text: str, tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert archs_of(captured_cpu(str(path)), [*BUILTIN_LADDER, *FAMILIES]) == ()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(lambda _: None, "cannot be read: No such file or directory", id="missing"),
        pytest.param(lambda path: path.mkdir(), "cannot be read: Is a directory", id="directory"),
        pytest.param(os.mkfifo, "cannot be read: not a regular file", id="pipe"),
        pytest.param(lambda path: path.write_bytes(b""), "is empty", id="empty"),
        pytest.param(lambda path: path.write_bytes(b" \n\n"), "is empty", id="blank"),
        pytest.param(
            lambda path: path.write_bytes(b"flags : sse\n\0"),
            "is a binary file, not a copy of /proc/cpuinfo",
            id="binary",
        ),
        pytest.param(
            lambda path: path.write_text("Dear reader,\nthis: is a letter.\n"),
            "has no line that says what the CPU is",
            id="another-text",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"\xff\xfe" * 50), "has no line that says", id="not-utf-8"
        ),
    ],
)
def test_a_file_that_is_no_cpuinfo_is_an_error_of_one_line(
    make: Callable[[Path], object], problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "cpuinfo"
    make(path)
    with pytest.raises(CpuinfoError) as caught:
        captured_cpu(str(path))
    assert str(caught.value).startswith(f"{path}: {problem}")
    assert len(str(caught.value).splitlines()) == 1
    helps = problem.startswith(("is empty", "has no line"))
    assert caught.value.hint == ("copy it on the node: cat /proc/cpuinfo > FILE" if helps else "")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_a_cpu_or_no_cpuinfo(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cpuinfo"
    path.write_bytes(b"flags : sse\nFeatures :" + content)
    try:
        archs_of(captured_cpu(str(path)), BUILTIN_LADDER)
    except CpuinfoError as error:
        assert b"\0" in content, error  # noqa: PT017 - the only reason there is


# -- this machine --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="there is no /proc/cpuinfo")
def test_the_running_cpu_and_a_copy_of_its_cpuinfo_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_bytes(Path("/proc/cpuinfo").read_bytes())
    here, copy = running_cpu(), captured_cpu(str(path))
    assert (here.family, here.model) == (copy.family, copy.model)
    assert archs_of(here, BUILTIN_LADDER) == archs_of(copy, BUILTIN_LADDER)


def test_the_running_cpu_is_at_least_what_archspec_calls_this_host() -> None:
    host = archspec_cpu.host()
    assert {str(host), *map(str, host.ancestors)} <= running_cpu().targets


def test_the_running_cpu_is_the_same_when_it_is_remembered() -> None:
    assert running_cpu() == running_cpu()
