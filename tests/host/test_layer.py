from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from tests.host.binaries import copy_of_true, hand_made_elf, script, set_program_interpreter
from wheelhouse_resolver.host.cpu import Cpu
from wheelhouse_resolver.host.detect import Host, Machine, detect_host
from wheelhouse_resolver.host.layer import Evidence, layer_evidence, parse_os_release
from wheelhouse_resolver.host.program_interpreter import Interpreter, NotElfError, program_interpreter
from wheelhouse_resolver.host.target_python import TargetPython
from wheelhouse_resolver.site.layout import BUILTIN_LAYERS, Layer
from wheelhouse_resolver.site.model import Site

NIX_LOADER = "/nix/store/1k3b0s9v-glibc-2.37-8/lib/ld-linux-x86-64.so.2"
GENTOO_LOADER = "/cvmfs/soft.example.org/gentoo/2020/lib64/ld-linux-x86-64.so.2"
SYSTEM_LOADER = "/lib64/ld-linux-x86-64.so.2"

#: Two generations of one layer, told apart by a version and by their prefixes.
GENERATIONS = (
    Layer(
        name="gentoo2020",
        directories=("gentoo2020", "gentoo"),
        archs=("avx2",),
        env=(("EBVERSIONGENTOO", "2020"),),
        interpreter=("/cvmfs/*/gentoo/2020/*",),
    ),
    Layer(
        name="gentoo2023",
        directories=("gentoo2023",),
        archs=("avx2",),
        env=(("EBVERSIONGENTOO", "2023"), ("EBROOTGENTOO", "*")),
        interpreter=("/cvmfs/*/gentoo/2023/*",),
    ),
)

CPU = Cpu("x86_64", "GenuineIntel", "a CPU", frozenset(), frozenset({"x86_64"}))


def python(
    loader: str | None = SYSTEM_LOADER, prefix: str | None = "/usr", executable: str = "/usr/bin/python3.11"
) -> Interpreter:
    return Interpreter(executable, loader, prefix)


def host(
    interpreter: Interpreter | None = None,
    environ: Mapping[str, str] | None = None,
    os_release: str | None = None,
    *,
    layers: Sequence[Layer] = BUILTIN_LAYERS,
    option: str | None = None,
) -> Host:
    """The host of which this is known."""
    machine = Machine(
        cpu=CPU,
        python=TargetPython("running", interpreter),
        environ=environ or {},
        os_release={"ID": os_release} if os_release else {},
        layer=option,
    )
    site = Site(root="/w", layers=tuple(layers))
    return machine.host(site)


def decided(found: Host) -> tuple[str | None, str | None]:
    """The layer and the kind of evidence that decided."""
    return found.layer, found.layer_evidence[0].source if found.layer_evidence else None


def of_binary(path: Path) -> Interpreter:
    """What can be seen of the executable at *path* without running it."""
    try:
        loader = program_interpreter(str(path))
    except NotElfError:
        loader = None
    return Interpreter(str(path), loader, None)


# -- the ELF program interpreter of a binary -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("loader", "layer"),
    [
        pytest.param(NIX_LOADER, "nix", id="nix-store"),
        pytest.param("/home/u/.nix-profile/lib/ld-linux-x86-64.so.2", "nix", id="nix-profile-of-a-user"),
        pytest.param("/nix/var/nix/profiles/default/lib/ld.so", "nix", id="nix-profile-of-the-machine"),
        pytest.param("/cvmfs/soft.example.org/nix/store/x/lib/ld.so", "nix", id="nix-store-elsewhere"),
        pytest.param(GENTOO_LOADER, "gentoo", id="gentoo-prefix"),
        pytest.param("/home/u/gentoo/lib64/ld-linux-x86-64.so.2", "gentoo", id="gentoo-prefix-of-a-user"),
        pytest.param(SYSTEM_LOADER, None, id="the-system's"),
        pytest.param("/opt/nixos-tools/lib/ld.so", None, id="a-name-like-nix"),
        pytest.param("/opt/my-gentoo/lib/ld.so", None, id="a-name-like-gentoo"),
    ],
)
def test_the_layer_of_a_real_binary(loader: str, layer: str | None, tmp_path: Path) -> None:
    binary = copy_of_true(tmp_path / "bin" / "python3", loader)
    found = host(of_binary(binary))
    assert decided(found) == (layer, "interpreter" if layer else None)
    assert found.warnings == ()
    if layer:
        assert found.layer_evidence[0].detail.startswith(f"ELF program interpreter {loader} matches ")


def test_a_static_binary_says_nothing_and_weaker_evidence_decides(tmp_path: Path) -> None:
    path = tmp_path / "python3"
    path.write_bytes(hand_made_elf())
    assert decided(host(of_binary(path))) == (None, None)
    assert decided(host(of_binary(path), os_release="nixos")) == ("nix", "os-release")


def test_a_static_binary_in_a_prefix_is_judged_by_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "nix" / "store" / "x-python" / "bin" / "python3"
    path.parent.mkdir(parents=True)
    path.write_bytes(hand_made_elf())
    assert decided(host(of_binary(path))) == ("nix", "prefix")


@pytest.mark.parametrize(
    "content",
    [b"#!/bin/sh\n", b"\x7fELF\xff\xff", hand_made_elf(NIX_LOADER.encode())[:90]],
    ids=["script", "broken", "cut-off"],
)
def test_a_script_or_a_broken_binary_says_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "python3"
    path.write_bytes(content)
    assert decided(host(of_binary(path), {"EPREFIX": "/e"})) == ("gentoo", "environment")


# -- the order of the kinds of evidence ----------------------------------------------------------------------

#: Each speaks for nix, and for gentoo; strongest first.
KINDS = ["option", "WHEELHOUSE_LAYER", "interpreter", "prefix", "environment", "os-release", "default"]


def one_of_each(kinds: Mapping[str, str]) -> Host:
    """A host where each of *kinds* speaks for the layer it is mapped to."""
    loaders = {"nix": NIX_LOADER, "gentoo": GENTOO_LOADER}
    prefixes = {"nix": "/nix/store/x-python3", "gentoo": "/cvmfs/soft.example.org/gentoo/2020/usr"}
    variables = {"nix": {"NIX_PROFILES": "/nix/var/nix/profiles/default"}, "gentoo": {"EPREFIX": "/opt/e"}}
    systems = {"nix": "nixos", "gentoo": "gentoo"}
    environ = variables.get(kinds.get("environment", ""), {})
    if "WHEELHOUSE_LAYER" in kinds:
        environ = {**environ, "WHEELHOUSE_LAYER": kinds["WHEELHOUSE_LAYER"]}
    return host(
        python(
            loaders.get(kinds.get("interpreter", ""), SYSTEM_LOADER),
            prefixes.get(kinds.get("prefix", ""), "/usr"),
        ),
        environ,
        systems.get(kinds.get("os-release", "")),
        layers=[layer._replace(default=layer.name == kinds.get("default")) for layer in BUILTIN_LAYERS],
        option=kinds.get("option"),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", ["nix", "gentoo"])
def test_each_kind_of_evidence_is_enough(kind: str, layer: str) -> None:
    found = one_of_each({kind: layer})
    assert decided(found) == (layer, kind)
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [(KINDS[i], KINDS[j]) for i in range(len(KINDS)) for j in range(i + 1, len(KINDS))],
    ids=lambda kind: kind,
)
def test_the_stronger_kind_wins_whichever_layer_it_speaks_for(stronger: str, weaker: str) -> None:
    for ours, theirs in (("nix", "gentoo"), ("gentoo", "nix")):
        found = one_of_each({weaker: theirs, stronger: ours})
        assert decided(found) == (ours, stronger)
        told = found.to_dict()["evidence"]["layer"]
        assert told["decided"]["source"] == stronger
        assert [each["source"] for each in told["overruled"]] == [weaker]


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    list(pairwise(KINDS[2:-1])),
    ids=lambda kind: kind,
)
def test_a_conflict_of_what_was_seen_is_a_warning_that_says_who_won(stronger: str, weaker: str) -> None:
    (warning,) = one_of_each({stronger: "gentoo", weaker: "nix"}).warnings
    assert warning.startswith(f"{stronger} says layer gentoo (")
    assert f", {weaker} says nix (" in warning
    assert warning.endswith("took gentoo; --layer decides")


@pytest.mark.parametrize("decision", ["option", "WHEELHOUSE_LAYER"])
def test_a_decision_is_no_conflict(decision: str) -> None:
    found = one_of_each({decision: "gentoo", "interpreter": "nix", "os-release": "gentoo"})
    assert found.warnings == ()


def test_a_default_is_no_conflict() -> None:
    assert one_of_each({"interpreter": "gentoo", "default": "nix"}).warnings == ()


def test_evidence_that_agrees_is_told_too() -> None:
    found = one_of_each({"interpreter": "nix", "prefix": "nix", "environment": "gentoo"})
    told = found.to_dict()["evidence"]["layer"]
    assert [each["source"] for each in told["agreeing"]] == ["prefix"]
    assert [each["source"] for each in told["overruled"]] == ["environment"]


def test_nothing_evident_is_no_layer() -> None:
    found = host(python(), {"PATH": "/usr/bin"}, "debian")
    assert (found.layer, found.layer_evidence, found.warnings) == (None, (), ())


def test_no_layer_can_be_stated() -> None:
    found = host(python(NIX_LOADER), option="none")
    assert decided(found) == (None, "option")
    assert found.to_dict()["evidence"]["layer"]["overruled"][0]["source"] == "interpreter"


# -- the environment -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "layer"),
    [
        ("NIXUSER_PROFILE", "nix"),
        ("EBROOTNIXPKGS", "nix"),
        ("NIX_PROFILES", "nix"),
        ("EBROOTGENTOO", "gentoo"),
        ("EBVERSIONGENTOO", "gentoo"),
        ("EPREFIX", "gentoo"),
    ],
)
def test_a_built_in_variable_speaks_for_its_layer(variable: str, layer: str) -> None:
    found = host(python(), {variable: "/some/where"})
    assert decided(found) == (layer, "environment")
    assert found.layer_evidence[0].detail == f"{variable}=/some/where"
    assert host(python(), {variable: ""}).layer is None


@pytest.mark.parametrize(
    ("variable", "layer"), [("EPREFIX", "gentoo"), ("EBROOTGENTOO", "gentoo"), ("NIXUSER_PROFILE", "nix")]
)
def test_a_built_in_variable_names_the_directory_of_the_layers_pythons(variable: str, layer: str) -> None:
    for inside in (
        python("/opt/soft/lib/ld.so"),
        python(prefix="/opt/soft"),
        python(executable="/opt/soft/bin/python3"),
    ):
        found = host(inside, {variable: "/opt/soft/"})
        assert found.layer == layer
        assert found.layer_evidence[0].source in ("interpreter", "prefix")
    assert (
        host(python(prefix="/opt/software"), {variable: "/opt/soft"}).layer_evidence[0].source
        == "environment"
    )


@pytest.mark.parametrize("value", ["/", "/usr", "relative", ""])
def test_a_variable_that_names_no_directory_of_its_own_is_no_prefix(value: str) -> None:
    found = layer_evidence(BUILTIN_LAYERS, python(), {"EPREFIX": value}, {})
    assert "prefix" not in [evidence.source for evidence in found]


def test_a_path_in_a_variable_is_no_pattern() -> None:
    sources = [
        [evidence.source for evidence in layer_evidence(BUILTIN_LAYERS, python(prefix=prefix), environ, {})]
        for prefix in ("/opt/a[bc]/usr", "/opt/ab/usr")
        for environ in [{"EPREFIX": "/opt/a[bc]"}]
    ]
    assert sources == [["prefix", "environment"], ["environment"]]


@pytest.mark.parametrize(
    ("version", "layer"), [("2020", "gentoo2020"), ("2023", "gentoo2023"), ("2018", None)]
)
def test_the_value_of_a_variable_tells_generations_apart(version: str, layer: str | None) -> None:
    found = host(python(), {"EBVERSIONGENTOO": version}, layers=GENERATIONS)
    assert found.layer == layer
    assert found.warnings == ()


def test_a_variable_that_contradicts_beats_one_that_any_value_satisfies() -> None:
    # EBROOTGENTOO=* would do for gentoo2023, were it not for the version.
    environ = {"EBROOTGENTOO": "/cvmfs/soft.example.org/gentoo/2020/usr", "EBVERSIONGENTOO": "2020"}
    found = host(python(), environ, layers=GENERATIONS)
    assert found.layer == "gentoo2020"
    assert [evidence.value for evidence in found.layer_evidence] == ["gentoo2020"]


def test_more_variables_that_match_are_stronger() -> None:
    layers = (
        Layer(name="one", directories=("one",), archs=(), env=(("A", "*"),)),
        Layer(name="two", directories=("two",), archs=(), env=(("A", "*"), ("B", "*"))),
        Layer(name="exact", directories=("exact",), archs=(), env=(("A", "1*"),)),
    )
    assert host(environ={"A": "2", "B": "2"}, layers=layers).layer == "two"
    assert host(environ={"A": "2"}, layers=layers).layer == "one"
    assert host(environ={"A": "12"}, layers=layers).layer == "exact"


def test_of_two_patterns_that_match_the_more_specific_one_decides() -> None:
    layers = (
        Layer(name="any", directories=("any",), archs=(), interpreter=("*/gentoo/*",)),
        *GENERATIONS,
    )
    found = host(python(GENTOO_LOADER), layers=layers)
    assert found.layer == "gentoo2020"


def test_the_directory_that_a_pattern_speaks_of_belongs_to_it() -> None:
    layers = (Layer(name="soft", directories=("soft",), archs=(), interpreter=("/opt/soft/*",)),)
    assert host(python(prefix="/opt/soft"), layers=layers).layer == "soft"


# -- os-release ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("NAME=NixOS\nID=nixos\n", "nixos"),
        ('ID="gentoo"\n', "gentoo"),
        ("ID='debian'\nID_LIKE=gentoo\n", "debian"),
        ("# ID=nixos\n\nVERSION\n", None),
        ("", None),
    ],
    ids=["plain", "double-quotes", "single-quotes", "comment", "empty"],
)
def test_os_release_is_read_as_a_shell_would(text: str, identity: str | None) -> None:
    assert parse_os_release(text).get("ID") == identity


def test_a_system_that_is_like_gentoo_is_not_gentoo() -> None:
    found = layer_evidence(BUILTIN_LAYERS, python(), {}, parse_os_release("ID=funtoo\nID_LIKE=gentoo\n"))
    assert found == []


def test_os_release_says_so() -> None:
    assert host(python(), os_release="gentoo").layer_evidence == (
        Evidence("os-release", "gentoo", "ID=gentoo"),
    )


# -- a Python that really runs -------------------------------------------------------------------------------


@pytest.fixture
def prefixed_python(tmp_path: Path) -> Path:
    """A Python in a Gentoo Prefix of its own: its program interpreter is there, and it runs."""
    binary = os.path.realpath(sys.executable)
    loader = program_interpreter(binary)
    if loader is None:
        pytest.skip("the running Python is static")
    prefix = tmp_path / "gentoo" / "2020"
    own_loader = prefix / "lib64" / os.path.basename(loader)
    own_loader.parent.mkdir(parents=True)
    own_loader.symlink_to(os.path.realpath(loader))
    python = prefix / "usr" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    shutil.copyfile(binary, python)
    python.chmod(0o755)
    set_program_interpreter(python, str(own_loader))
    # A pyvenv.cfg makes a copied Python find the library of the original.
    home = os.path.dirname(os.path.realpath(getattr(sys, "_base_executable", binary)))
    (prefix / "usr" / "pyvenv.cfg").write_text(f"home = {home}\n")
    done = subprocess.run([python, "-c", "import json"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"the running Python does not run as a copy: {done.stderr}")
    return python


def test_a_python_that_was_built_in_a_prefix_is_recognised(prefixed_python: Path) -> None:
    found = detect_host(python=prefixed_python, environ={}, site=Site.default("/w"))
    assert decided(found) == ("gentoo", "interpreter")
    assert found.python.interpreter is not None
    assert found.python.interpreter.program_interpreter == str(
        next((prefixed_python.parents[2] / "lib64").iterdir())
    )


@pytest.mark.parametrize("kind", ["symlink", "wrapper-script"])
def test_a_virtual_environment_belongs_to_the_layer_of_its_python(
    kind: str, prefixed_python: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "pyvenv.cfg").write_text(f"home = {prefixed_python.parent}\n")
    link = environment / "bin" / "python"
    if kind == "symlink":
        link.symlink_to(prefixed_python)
    else:
        script(link, f'#!/bin/sh\nexec {prefixed_python} "$@"\n')
    found = detect_host(python=link, environ={}, site=Site.default("/w"))
    assert decided(found) == ("gentoo", "interpreter")


ROCKY = 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\nPLATFORM_ID="platform:el9"\n'

#: Releases of one system, and what any of its relatives is.
RELEASES = """
[[layer]]
name = "el"
os-release = { ID_LIKE = "rhel" }
[[layer]]
name = "el8"
os-release = { ID = ["rhel", "rocky"], VERSION_ID = ["8", "8.*"] }
[[layer]]
name = "el9"
os-release = { ID = ["rhel", "rocky"], VERSION_ID = ["9", "9.*"] }
[[layer]]
name = "el10"
os-release = { PLATFORM_ID = "platform:el10" }
"""


@pytest.mark.parametrize(
    ("text", "expected", "detail"),
    [
        pytest.param(ROCKY, "el9", "ID=rocky, VERSION_ID=9.4", id="all-that-is-stated-the-most-first"),
        pytest.param(ROCKY.replace('"9.4"', "8"), "el8", "ID=rocky, VERSION_ID=8", id="version-alone"),
        pytest.param(ROCKY.replace('"9.4"', "90.1"), "el", "ID_LIKE=rhel centos fedora", id="one-of-a-list"),
        pytest.param("PLATFORM_ID=platform:el10", "el10", "PLATFORM_ID=platform:el10", id="any-variable"),
        pytest.param("VERSION_ID=9.4\n", None, "", id="one-of-two"),
        pytest.param("ID=notrhel\nID_LIKE=notrhel\nVERSION_ID=9\n", None, "", id="another-system"),
    ],
)
def test_the_site_file_says_which_os_release_is_a_layers(
    text: str, expected: str | None, detail: str
) -> None:
    layers = Site.parse(RELEASES, "site.toml", root="/w").layers
    found = layer_evidence(layers, python(), {}, parse_os_release(text))
    assert (found[0][1:] if found else (None, "")) == (expected, detail)


def test_a_text_alone_is_an_id() -> None:
    layers = (Layer(name="a", directories=("a",), archs=(), os_release=("debian", "ubun*")),)
    for text, count in (("ID=ubuntu", 1), ("ID=debian", 1), ("ID=arch\nNAME=debian", 0)):
        assert len(layer_evidence(layers, python(), {}, parse_os_release(text))) == count


def test_evidence_of_a_python_is_stronger_than_os_release() -> None:
    text = RELEASES + '[[layer]]\nname = "nix"\n'
    layers = Site.parse(text, "site.toml", root="/w").layers
    found = layer_evidence(layers, python(NIX_LOADER), {}, parse_os_release(ROCKY))
    assert [evidence.value for evidence in found] == ["nix", "el9", "el"]
