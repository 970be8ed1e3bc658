"""Wheel variants, asked of the real tools: uv, which reads them as a preview, and the pips, which do not.

uv (0.13.9) reads /proc/cpuinfo, so another file in its place is another CPU.
"""

from __future__ import annotations

import os
import subprocess
from itertools import combinations
from pathlib import Path

import pytest

from tests.factories import make_wheel
from tests.programs import BETWEEN, MACHINE, PROGRAMS, Failed, Program, program_of
from wheelhouse_resolver import Site, Wheelhouse, detect_host
from wheelhouse_resolver.publishing.variants import make_variants
from wheelhouse_resolver.publishing.view import Tally
from wheelhouse_resolver.wheelfile.build_tag import build_text, stamp_build
from wheelhouse_resolver.wheelfile.variant import metadata

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(MACHINE != "x86_64", reason="the CPUs are x86-64"),
]

CPUINFO = Path(__file__).parent.parent / "data/cpuinfo"

#: A CPU of each level, and its host's arch, if it is not what is detected: no level is for AVX alone.
CPUS = {
    "v1": ("amd-k8", None),
    "v2": ("intel-nehalem", None),
    "v2 with AVX": ("intel-sandybridge", "sse3"),
    "v3": ("intel-haswell", None),
    "v3 with some of v4 (Knights Landing)": ("intel-knl", None),
    "v4": ("intel-skylake-avx512", None),
}

#: The drafts change: this release reads what is written here.
UV = "uv==0.13.9"

LABELS = ("generic", "gentoo/generic", "gentoo/sse3", "gentoo/avx", "gentoo/avx2", "gentoo/avx512")

#: Each set of directories has a project of its own, of which they all have a wheel.
PROJECTS = {
    f"in_{'_'.join(each).replace('/', '_')}": each
    for count in range(1, len(LABELS) + 1)
    for each in combinations(LABELS, count)
}


def on_cpu(cpuinfo: Path) -> list[str]:
    """What a command is put behind to be run on the CPU of *cpuinfo*."""
    own = ["--map-root-user"] if os.geteuid() else []
    bind = 'mount --bind "$0" /proc/cpuinfo && exec "$@"'
    return ["unshare", "--mount", *own, "sh", "-c", bind, str(cpuinfo)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pips_directory: Path) -> Site:
    """Wheels for all Pythons that the installers run on."""
    base = tmp_path_factory.mktemp("variants")
    found = Site.default(base / "house")
    directories = {each.label: each for each in found.directories()}
    for project, labels in PROJECTS.items():
        for label in labels:
            stamp = build_text(stamp_build(directories[label]))
            mark = {f"{project}.py": f"MARK = {label!r}\n"}
            make_wheel(
                base / "house" / label, f"{project}-1.0-{stamp}-py3-none-linux_{MACHINE}.whl", files=mark
            )
    tags = f"py3-none-linux_{MACHINE}.manylinux_2_17_{MACHINE}"
    make_wheel(
        base / "house/gentoo/avx2",
        f"in_generic-2.0-400000avx2-{tags}.whl",
        files={"in_generic.py": "MARK = 'new'\n"},
    )
    make_variants(found, str(base / "view"), Tally())
    return found


@pytest.fixture(scope="module")
def place(site: Site) -> Path:
    return Path(site.root).parent / "view/variants/gentoo"


def uv_on(cpu: str, pips_directory: Path) -> Program:
    """uv on that CPU, with wheel variants."""
    uv = program_of(UV, pips_directory)
    wrap = on_cpu(CPUINFO / f"{cpu}.txt")
    shown = subprocess.run([*wrap, "cat", "/proc/cpuinfo"], capture_output=True)
    if shown.stdout != (CPUINFO / f"{cpu}.txt").read_bytes():
        pytest.skip(f"cannot show another /proc/cpuinfo: {shown.stderr.decode().strip()}")
    return uv._replace(command=(*wrap, *uv.command))


PREVIEW = {"UV_PREVIEW_FEATURES": "wheel-variants"}


@pytest.mark.parametrize(("cpu", "arch"), CPUS.values(), ids=CPUS)
def test_uv_takes_policys_pick_without_a_module_file(
    cpu: str, arch: str | None, site: Site, place: Path, pips_directory: Path, tmp_path: Path
) -> None:
    uv = uv_on(cpu, pips_directory)
    cpuinfo = CPUINFO / f"{cpu}.txt"
    host = detect_host(uv.python, cpuinfo, {}, arch=arch, layer="gentoo", site=site)
    wanted = {}
    for project, picked in ((project, Wheelhouse(site).pick(project, host)) for project in PROJECTS):
        if picked.best is not None:
            wanted[project] = "new" if str(picked.best.version) == "2.0" else picked.best.directory.label
    links = [place.as_uri()]
    assert uv.install(links, list(wanted), tmp_path / "work", environ=PREVIEW) == wanted
    for project in sorted(PROJECTS.keys() - wanted.keys())[:2]:
        with pytest.raises(Failed):
            uv.install(links, [project], tmp_path / "work", environ=PREVIEW)


def test_stock_installers_take_the_plain_stamped_wheel(
    place: Path, pips_directory: Path, tmp_path: Path
) -> None:
    """And in the wheelhouse, pips before 22.3 take a wheel variant of several platforms."""
    everywhere = list(PROJECTS)[-1]
    wanted = {"in_generic": "generic", everywhere: "gentoo/generic"}
    for form, tags in (("one", f"linux_{MACHINE}"), ("several", f"linux_{MACHINE}.manylinux_2_17_{MACHINE}")):
        make_wheel(
            tmp_path / "links", f"{form}-1.0-py3-none-any.whl", files={f"{form}.py": "MARK = 'plain'\n"}
        )
        path = make_wheel(
            tmp_path / "links", f"{form}-2.0-py3-none-{tags}.whl", files={f"{form}.py": "MARK = 'variant'\n"}
        )
        path.rename(path.with_name(f"{path.stem}-x86_64_v4.whl"))
    for release in (*BETWEEN, *PROGRAMS):
        program = program_of(release, pips_directory)
        found = program.install(
            [place.as_uri(), (tmp_path / "links").as_uri()], [*wanted, "one", "several"], tmp_path / release
        )
        old = release.startswith("pip==") and program.version < (22, 3)
        assert found == {**wanted, "one": "plain", "several": "variant" if old else "plain"}, release


def test_a_null_variant_hides_every_stamped_wheel_from_uv_if_its_json_is_there(
    pips_directory: Path, tmp_path: Path
) -> None:
    """What `audit` calls wheel-variant-taken."""
    uv = program_of(UV, pips_directory)
    stamped, labelled = tmp_path / "stamped", tmp_path / "labelled"
    make_wheel(stamped, "demo-1.0-500000avx512-py3-none-any.whl", files={"demo.py": "MARK = 'stamped'\n"})
    said = metadata(("x86_64_v4",)).replace('"x86_64_v4": {', '"null": {').partition('"variants"')[0]
    said += '"variants": {"null": {}}}'
    files = {"demo.py": "MARK = 'null'\n", "demo-1.0.dist-info/variant.json": said}
    wheel = make_wheel(labelled, "demo-1.0-py3-none-any.whl", files=files)
    wheel.rename(wheel.with_name("demo-1.0-py3-none-any-null.whl"))

    def taken(environ: dict[str, str]) -> str:
        links = [stamped.as_uri(), labelled.as_uri()]
        return uv.install(links, ["demo"], tmp_path / "work", environ=environ)["demo"]

    assert taken(PREVIEW) == "stamped"
    (labelled / "demo-1.0-variants.json").write_text(said)
    assert taken(PREVIEW) == "null"
    assert taken({}) == "stamped"
