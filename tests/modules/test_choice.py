"""The module languages decide as Python does, for every CPU, site, layer and override."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import archspec
import pytest
from archspec.cpu import TARGETS
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.factories import REAL_LAYOUT, make_tree
from tests.modules.languages import Answer, Language
from wheelhouse_resolver.errors import CpuinfoError, UnknownArchError
from wheelhouse_resolver.host.cpu import archs_of, captured_cpu
from wheelhouse_resolver.host.detect import Host, detect_host
from wheelhouse_resolver.installers.modulefile import DIALECTS, static_modulefile
from wheelhouse_resolver.installers.pip_config import class_name, pip_config, static_configs
from wheelhouse_resolver.site.layout import Layer
from wheelhouse_resolver.site.microarchitectures import vocabulary
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.wheelhouse import Wheelhouse

#: The CPUs that the tests have, and those that archspec's own have.
CPUINFO = [
    *sorted((Path(__file__).parent.parent / "data" / "cpuinfo").glob("*.txt")),
    *sorted((Path(archspec.__file__).parent / "json/tests/targets").glob("linux-*")),
]

#: Where the configurations are said to be; nothing looks.
PIP = "/sw/etc/pip"


def ladder_of(archs: str) -> str:
    """A site file with these archs (`name` or `name=target`), for hosts without layers."""
    pairs = [each.rpartition("=") for each in archs.split()]
    entries = [f'[[arch]]\nname = "{name or target}"\ntarget = "{target}"\n' for name, _, target in pairs]
    return 'root = "/w"\n' + "".join(entries) + '[[layer]]\nname = "site"\ndirectories = ["."]\n'


SITES = {
    "built-in": Site.default("/w"),
    "three-layers": Site.parse(
        REAL_LAYOUT, "site.toml", root="/cvmfs/soft.example.org/custom/python/wheelhouse"
    ),
    "families": Site.parse(
        """
        root = "/w"
        [[arch]]
        name = "sse3"
        [[arch]]
        name = "haswell"
        target = "haswell"
        [[arch]]
        name = "zen2"
        target = "zen2"
        [[arch]]
        name = "avx512"
        [[arch]]
        name = "neoverse_n1"
        target = "neoverse_n1"
        [[arch]]
        name = "sve"
        features = ["sve"]
        [[arch]]
        name = "neoverse_v1"
        target = "neoverse_v1"
        [[arch]]
        name = "power8"
        target = "power8le"
        [[arch]]
        name = "power10"
        target = "power10le"
        [[layer]]
        name = "all"
        directories = ["."]
        default = true
        [[layer]]
        name = "some"
        archs = ["zen2", "neoverse_v1", "power8"]
        names = { zen2 = "amd", power8 = "p8" }
        """,
        "site.toml",
    ),
    # avx2 and aes do not imply each other: a guest can lack one that stands below its own.
    "no-chain": Site.parse(
        """
        root = "/w"
        [[arch]]
        name = "avx"
        [[arch]]
        name = "aes"
        features = ["aes", "avx"]
        [[arch]]
        name = "avx2"
        features = ["avx2"]
        [[arch]]
        name = "avx512"
        [[layer]]
        name = "nix"
        [[layer]]
        name = "few"
        archs = ["aes", "avx512"]
        [[layer]]
        name = "narrow"
        [search]
        avx2 = ["avx2"]
        """,
        "site.toml",
    ),
    # No arch is a subset of the next: V2 lacks what V1 has, and Intel's are not AMD's.
    "arm": Site.parse(
        ladder_of("avx2=x86_64_v3 neoverse_n1 neoverse_n2 neoverse_v1 neoverse_v2"), "site.toml"
    ),
    "eessi": Site.parse(
        ladder_of(
            "haswell skylake_avx512 icelake cascadelake sapphirerapids zen2 zen3 zen4 zen5 "
            "neoverse_n1 neoverse_v1 grace=neoverse_v2 a64fx"
        ),
        "site.toml",
    ),
    # Directories with names of their own: a path, another name for generic, none of it in a file's name.
    "names": Site.parse(
        'generic = "common"\n'
        + ladder_of("x86_64 v3=x86_64_v3 aarch64 neoverse_n1")
        + 'names = { generic = "noarch", v3 = "x86_64/v3", neoverse_n1 = "n1" }\n',
        "site.toml",
    ),
    "mixed": Site.parse(
        ladder_of(
            "haswell zen3 x86_64_v3 a64fx neoverse_v1 x86_64_v4 icelake zen4 power9le power10le u74mc x60"
        ),
        "site.toml",
    ),
}

CASES = [
    pytest.param(site, layer, id=f"{name}-{layer or 'none'}")
    for name, site in SITES.items()
    for layer in [*(each.name for each in site.layers), *([] if site.layers[0].name == "site" else [None])]
]


@pytest.fixture(scope="module", params=DIALECTS)
def language(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Language]:
    found = Language(request.param, tmp_path_factory.mktemp("language"))
    yield found
    found.close()


def written(site: Site, layer: str | None, language: Language, scratch: Path) -> Path:
    path = scratch / f"{layer}.{language.dialect}"
    path.write_text(static_modulefile(site, layer, language.dialect, PIP), encoding="utf-8")
    return path


def check(answer: Answer, site: Site, host: Host) -> None:
    assert answer.error == ""
    assert answer.pushed["WHEELHOUSE_ARCH"] == host.arch
    assert answer.pushed["WHEELHOUSE_LAYER"] == (host.layer or "none")
    directory, _, file = answer.pushed["PIP_CONFIG_FILE"].rpartition("/")
    assert directory == PIP
    assert len(answer.warnings) == sum("above what the host can run" in each for each in host.warnings)
    assert paths_of(site)[file] == [each.path for each in site.search_path(host)]


def paths_of(site: Site) -> dict[str, list[str]]:
    """The directories in each file of `pip-conf --all`."""
    return {
        f"pip-{class_name(site.layer(kind.layer), kind)}.conf": [each.path for each in kind.search_path]
        for kind in site.host_kinds()
    }


def overrides(site: Site) -> list[str]:
    """Every name that an arch of *site* has, and some that none has."""
    names = [arch.name for arch in site.ladder]
    names += [called for layer in site.layers for _, called in layer.names]
    return [*dict.fromkeys(names), "generic", "no such", "AVX2", "a(b)", "x[y]$z\\", "'", '"', "*", "ü"]


# -- the files that are there, against the ones that are chosen -------------------------------------------


def test_the_file_for_a_host_holds_what_pip_conf_prints_there(tmp_path: Path) -> None:
    """That `paths_of` is right, so that the tests below are about the truth; and `pick` takes from there."""
    for name in ("no-chain", "arm", "eessi"):
        site = SITES[name]._replace(root=str(tmp_path / name))
        labels = [each.label for each in site.directories()]
        make_tree(Path(site.root), {each: ["demo-1.0-py3-none-any.whl"] for each in labels}, labels=labels)
        texts = {each.render() for each in static_configs(site).values()}
        assert len(texts) == len(static_configs(site)) == len(site.host_kinds())
        wheelhouse, layer = Wheelhouse(site), site.layers[0].name
        for cpuinfo in CPUINFO:
            host = detect_host(cpuinfo=cpuinfo, environ={}, layer=layer, site=site)
            assert pip_config(site, host).render() in texts
            best = wheelhouse.pick("demo", host).best
            assert best is not None
            assert best.directory == site.search_path(host)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("site", "layer"), CASES)
def test_every_cpu_gets_the_file_that_python_picks(
    site: Site, layer: str | None, language: Language, tmp_path: Path
) -> None:
    modulefile = written(site, layer, language, tmp_path)
    for cpuinfo in CPUINFO:
        host = detect_host(cpuinfo=cpuinfo, environ={}, layer=layer or "none", site=site)
        check(language.ask(modulefile, cpuinfo), site, host)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("site", "layer"), [each for each in CASES if each.id not in ("arm-site", "eessi-site")]
)
def test_an_override_means_what_it_means_to_python(
    site: Site, layer: str | None, language: Language, tmp_path: Path
) -> None:
    modulefile = written(site, layer, language, tmp_path)
    cpus = [path for path in CPUINFO if path.stem in ("vm-avx-no-aes", "amd-zen4", "ibm-power9", "amd-k8")]
    questions = [(name, "") for name in overrides(site)] + [("", name) for name in overrides(site)]
    questions += [("generic", "no such"), ("no such", "generic"), ("avx512", "generic")]
    for cpuinfo, (arch, rsnt) in itertools.product(cpus, questions):
        answer = language.ask(modulefile, cpuinfo, arch=arch, rsnt=rsnt)
        environ = {"WHEELHOUSE_ARCH": arch, "RSNT_ARCH": rsnt}
        # The module file looks at the second variable only when the first is not set; Python at both.
        if arch:
            del environ["RSNT_ARCH"]
        try:
            host = detect_host(cpuinfo=cpuinfo, environ=environ, layer=layer or "none", site=site)
        except UnknownArchError:
            variable = "WHEELHOUSE_ARCH" if arch else "RSNT_ARCH"
            assert answer.error == f"wheelhouse: unknown arch '{arch or rsnt}' in {variable}"
        else:
            check(answer, site, host)
            for warning in answer.warnings:
                asked = f"WHEELHOUSE_ARCH={arch}" if arch else f"RSNT_ARCH={rsnt}"
                assert warning == f"wheelhouse: warning: {asked} is above what this host can run"


def test_a_host_that_lacks_an_arch_below_its_own_has_a_file_of_its_own(
    language: Language, tmp_path: Path
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    site = SITES["no-chain"]._replace(search=MappingProxyType({}))
    modulefile = written(site, "nix", language, tmp_path)
    for flags, name in [("", "avx2"), ("aes", "avx2+aes")]:
        cpuinfo.write_text(f"vendor_id : GenuineIntel\nflags : sse sse2 pni avx avx2 {flags}\n")
        pushed = language.ask(modulefile, cpuinfo).pushed
        assert pushed["WHEELHOUSE_ARCH"] == "avx2"
        assert pushed["PIP_CONFIG_FILE"] == f"{PIP}/pip-{name}-nix.conf"


def test_a_host_whose_cpuinfo_cannot_be_read_is_generic(language: Language, tmp_path: Path) -> None:
    modulefile = written(SITES["built-in"], "nix", language, tmp_path)
    answer = language.ask(modulefile, tmp_path / "not there")
    assert answer.pushed["PIP_CONFIG_FILE"] == f"{PIP}/pip-generic-nix.conf"
    answer = language.ask(modulefile, tmp_path / "not there", arch="avx2")
    assert answer.pushed["PIP_CONFIG_FILE"] == f"{PIP}/pip-avx2-nix.conf"


def test_only_loading_and_showing_look_at_the_cpu(language: Language, tmp_path: Path) -> None:
    """What the CPU is like is known from an unknown override's error."""
    modulefile = written(SITES["built-in"], "nix", language, tmp_path)
    looking = {"load", "show" if language.dialect == "lmod" else "display"}
    for mode in ("load", "unload", "show", "display", "spider", "whatis", "help", "remove", "test", "scan"):
        answer = language.ask(modulefile, CPUINFO[0], arch="no such", mode=mode)
        assert bool(answer.error) == (mode in looking), mode


# -- any CPU ----------------------------------------------------------------------------------------------

#: Every microarchitecture that archspec knows, in one ladder.
EVERY_TARGET = [
    name
    for name, target in TARGETS.items()
    if target.family.name in ("x86_64", "aarch64", "ppc64le", "riscv64")
]
WORDS = sorted({word for target in TARGETS.values() for word in target.features} | {"pni", "lm", "svm"})
FEATURES = ["sse3", "avx512", "fma", "sve", "asimd", "altivec", "neon", "sse4.1", "avx", "atomics"]
PARTS = sorted({target.cpu_part for target in TARGETS.values()} | {"0xfff"})
POWERS = ["POWER8E (raw)", "POWER9, altivec supported", "POWER10 (architected)", "POWER", "PPC970"]


@pytest.fixture(scope="module")
def everything() -> Site:
    entries = [f'[[arch]]\nname = "t.{name}"\ntarget = "{name}"\n' for name in EVERY_TARGET]
    known = [each for each in FEATURES if each in vocabulary().features]
    entries += [f'[[arch]]\nname = "f.{each}"\nfeatures = ["{each}"]\n' for each in known]
    return Site.parse('root = "/w"\n' + "".join(entries) + '[[layer]]\nname = "x"\narchs = []\n', "site.toml")


@st.composite
def cpuinfos(draw: st.DrawFn) -> str:
    """The text of a /proc/cpuinfo: likely ones, and ones that no kernel writes."""
    base = draw(st.sampled_from([None, *sorted(TARGETS)]))
    flags = set(TARGETS[base].features) if base else set()
    flags |= draw(st.sets(st.sampled_from(WORDS), max_size=8))
    flags -= draw(st.sets(st.sampled_from(sorted(flags) or ["x"]), max_size=2))
    words = " ".join(draw(st.permutations(sorted(flags))))
    vendors = [target.vendor for target in TARGETS.values()]
    code = st.sampled_from(["0x41", "0x46", "0x48", "0x61", "0xc0", "0x99", *vendors])
    lines = [
        f"vendor_id\t: {draw(st.sampled_from(vendors))}",
        f"flags\t\t: {words}",
        f"Features\t: {words}",
        f"CPU implementer\t: {draw(code)}",
        f"CPU part\t: {draw(st.sampled_from(PARTS))}",
        f"model name\t: {draw(st.sampled_from(['Spacemit(R) X60', 'Intel(R) Xeon(R) CPU']))}",
        f"cpu\t\t: {draw(st.sampled_from(POWERS))}",
        f"uarch\t\t: {draw(st.sampled_from(['sifive,u74-mc', 'spacemit,x60', 'u74mc', 'riscv64']))}",
        "isa\t\t: rv64imafdc",
        "processor\t: 0",
        "",
        "vmx flags\t: avx512f",
        "no colon at all",
        f"{draw(st.text(string.printable.replace(chr(11), '').replace(chr(12), ''), max_size=9))}",
    ]
    kept = draw(st.lists(st.sampled_from(lines), max_size=8))
    return "\n".join(kept) + "\n"


@pytest.fixture(scope="module")
def of_everything(language: Language, everything: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(everything, "x", language, tmp_path_factory.mktemp("everything"))


@pytest.mark.slow
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=cpuinfos())
@example(text="flags : mmx sse sse2 sse3 ssse3\nCPU implementer : GenuineIntel\n")
@example(
    text="Features : "
    + " ".join(TARGETS["neoverse_v2"].features)
    + "\nCPU implementer : 0x41\nCPU part : 0xd49\n"
)
@example(text="isa : rv64\nmodel name : Spacemit(R) X60\n")
@example(text="isa : rv64\nuarch : sifive,u74-mc\n")
@example(text="processor : 0\n\nvendor_id : GenuineIntel\nflags : ssse3\n")
@example(text="flags : avx\nflags : avx512f\n\nflags : pni\n")
def test_any_cpu_has_the_archs_that_archspec_says(
    text: str, language: Language, everything: Site, of_everything: Path, tmp_path: Path
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    try:
        able = archs_of(captured_cpu(str(cpuinfo)), everything.ladder)
    except CpuinfoError:
        able = ()
    assert language.ask(of_everything, cpuinfo).pushed["WHEELHOUSE_ARCH"] == (able[-1] if able else "generic")
    # An arch that the CPU does not have is one that an override warns of.
    found = [
        a.name for a in everything.ladder if not language.ask(of_everything, cpuinfo, arch=a.name).warnings
    ]
    assert tuple(found) == able


# -- any site ---------------------------------------------------------------------------------------------


@st.composite
def sites(draw: st.DrawFn) -> Site:
    ladder = SITES["built-in"].ladder
    names = [arch.name for arch in ladder]
    some = st.lists(st.sampled_from(names), unique=True)
    layer = Layer(
        name="l",
        directories=("l", "m")[: draw(st.integers(1, 2))],
        archs=tuple(n for n in names if n in draw(some)),
    )
    search = {name: tuple(draw(some)) for name in draw(some)}
    search = {k: tuple(v for v in values if names.index(v) <= names.index(k)) for k, values in search.items()}
    return Site(root="/w", ladder=ladder, layers=(layer,), search=MappingProxyType(search))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(site=sites(), cpuinfo=st.sampled_from(CPUINFO))
def test_any_site_is_served_alike(
    site: Site, cpuinfo: Path, language: Language, tmp_path_factory: pytest.TempPathFactory
) -> None:
    modulefile = written(site, "l", language, tmp_path_factory.mktemp("site"))
    host = detect_host(cpuinfo=cpuinfo, environ={}, layer="l", site=site)
    check(language.ask(modulefile, cpuinfo), site, host)
