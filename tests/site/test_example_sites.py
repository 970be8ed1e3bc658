"""The site files of `examples/sites`, on recorded CPUs: what each node searches."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelhouse_resolver.host.cpu import captured_cpu
from wheelhouse_resolver.host.detect import Machine
from wheelhouse_resolver.host.layer import parse_os_release
from wheelhouse_resolver.host.target_python import TargetPython
from wheelhouse_resolver.site.model import Site

TOP = Path(__file__).parent.parent.parent

FILES = {path.stem: path for path in (TOP / "examples/sites").glob("*.toml")}

EL8, EL9 = "ID=rocky\nVERSION_ID=8.10\n", "ID=almalinux\nVERSION_ID=9\n"

GENTOO_2020, GENTOO_2023, EESSI = (
    {name: value}
    for name, value in (
        ("EBVERSIONGENTOO", "2020"), ("EBVERSIONGENTOO", "2023"), ("EESSI_VERSION", "2023.06"),
    )
)  # fmt: skip

#: Site file, what is seen of the node (environment or os-release), CPU, and the directories that it searches.
CASES: list[tuple[str, dict[str, str] | str, str, str]] = [
    ("prefix-layers", {}, "intel-haswell", "generic"),
    ("prefix-layers", {"NIXUSER_PROFILE": "/n"}, "intel-ivybridge", "nix/avx nix/generic generic"),
    ("prefix-layers", GENTOO_2020, "intel-skylake-avx512",
     "gentoo2020/avx512 gentoo/avx512 gentoo2020/avx2 gentoo/avx2 gentoo2020/generic gentoo/generic generic"),
    ("prefix-layers", GENTOO_2023, "amd-zen4",
     "gentoo2023/x86-64-v4 gentoo2023/x86-64-v3 gentoo2023/generic generic"),
    ("prefix-layers", GENTOO_2023, "intel-knl", "gentoo2023/x86-64-v3 gentoo2023/generic generic"),
    ("prefix-layers", GENTOO_2023, "intel-sandybridge", "gentoo2023/generic generic"),
    ("os-releases", EL8, "intel-icelake", "el8/x86_64/v3 el8/x86_64 el8/noarch common"),
    ("os-releases", EL8, "amd-k8", "el8/x86_64 el8/noarch common"),
    ("os-releases", EL8, "arm-neoverse-v2", "el8/noarch common"),
    ("os-releases", EL9, "intel-icelake", "el9/x86_64/v4 el9/x86_64/v3 el9/x86_64 el9/noarch common"),
    ("os-releases", EL9, "arm-neoverse-v2", "el9/aarch64/grace el9/aarch64 el9/noarch common"),
    ("os-releases", EL9, "arm-neoverse-n1", "el9/aarch64 el9/noarch common"),
    ("os-releases", EL9, "ibm-power9", "el9/noarch common"),
    ("os-releases", "ID=debian\nVERSION_ID=9\n", "intel-icelake", "common"),
    ("eessi", EESSI, "amd-zen4", "x86_64/amd/zen4 x86_64/amd/zen3 x86_64/amd/zen2 x86_64/generic generic"),
    ("eessi", EESSI, "amd-zen2", "x86_64/amd/zen2 x86_64/generic generic"),
    ("eessi", EESSI, "intel-sapphirerapids",
     "x86_64/intel/sapphirerapids x86_64/intel/icelake x86_64/intel/cascadelake x86_64/intel/skylake_avx512 "
     "x86_64/intel/haswell x86_64/generic generic"),
    ("eessi", EESSI, "intel-broadwell", "x86_64/intel/haswell x86_64/generic generic"),
    ("eessi", EESSI, "intel-sandybridge", "x86_64/generic generic"),
    ("eessi", EESSI, "arm-neoverse-v1",
     "aarch64/neoverse_v1 aarch64/neoverse_n1 aarch64/generic generic"),
    ("eessi", EESSI, "arm-neoverse-v2",
     "aarch64/nvidia/grace aarch64/neoverse_n1 aarch64/generic generic"),
    ("eessi", EESSI, "fujitsu-a64fx", "aarch64/a64fx aarch64/generic generic"),
    ("single-layer", {}, "amd-zen4", "x86-64-v4 x86-64-v3 common"),
    ("single-layer", {}, "amd-zen2", "x86-64-v3 common"),
    ("single-layer", {}, "vm-qemu64", "common"),
    ("overlay", GENTOO_2020, "intel-haswell",
     "gentoo2020/avx2 gentoo2020/generic generic "
     "national/gentoo2020/avx2 national/gentoo/avx2 national/gentoo2020/avx national/gentoo/avx "
     "national/gentoo2020/sse3 national/gentoo/sse3 "
     "national/gentoo2020/generic national/gentoo/generic national/generic"),
    ("overlay", GENTOO_2023, "amd-zen4",
     "gentoo2023/avx512 gentoo2023/avx2 gentoo2023/generic generic national/gentoo2023/x86-64-v4 "
     "national/gentoo2023/x86-64-v3 national/gentoo2023/generic national/generic"),
    ("overlay", {}, "amd-k8", "generic national/generic"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "seen", "cpu", "expected"), CASES, ids=[f"{case[0]}-{case[2]}-{case[3][:4]}" for case in CASES]
)
def test_a_node_searches(name: str, seen: dict[str, str] | str, cpu: str, expected: str) -> None:
    site = Site.parse(FILES[name].read_text(), name)
    machine = Machine(
        cpu=captured_cpu(str(TOP / f"tests/data/cpuinfo/{cpu}.txt")),
        python=TargetPython("running", None),
        environ=seen if isinstance(seen, dict) else {},
        os_release=parse_os_release(seen) if isinstance(seen, str) else {},
    )
    path = site.search_path(machine.host(site))
    assert " ".join(each.label.removeprefix("2023.06/software/linux/") for each in path) == expected


def test_every_file_is_tried() -> None:
    assert {case[0] for case in CASES} == set(FILES)
