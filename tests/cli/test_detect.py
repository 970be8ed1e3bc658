from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import make_tree

DATA = Path(__file__).parent.parent / "data/cpuinfo"


@pytest.fixture(autouse=True)
def _a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELHOUSE_ROOT", make_tree(tmp_path / "tree", {}).root)


@pytest.mark.parametrize(
    ("captured", "arch", "why_not_more"),
    [
        ("intel-skylake-avx512", "avx512", None),
        ("intel-knl", "avx2", "not avx512: "),
        ("vm-haswell-no-avx2", "avx", "not avx2: "),
        ("arm-neoverse-n1", "generic", None),
        ("ibm-power9", "generic", None),
    ],
)
def test_another_node_by_its_cpuinfo(captured: str, arch: str, why_not_more: str | None, cli: Cli) -> None:
    path = DATA / f"{captured}.txt"
    outcome = cli("detect", "--cpuinfo", path, "--layer", "none")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == f"arch:   {arch}"
    assert lines[1].startswith("  decided    cpu: ")
    assert str(path) in lines[1]
    if why_not_more is not None:
        assert why_not_more in lines[1]


def test_the_evidence_that_decided_and_that_was_overruled(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSNT_ARCH", "avx")
    monkeypatch.setenv("EBROOTGENTOO", "/some/gentoo/usr")
    outcome = cli(
        "detect", "--cpuinfo", DATA / "intel-skylake-avx512.txt", "--arch", "avx2", "--layer", "nix"
    )
    lines = outcome.out.splitlines()
    assert lines[:4] == [
        "arch:   avx2",
        "  decided    option: given as avx2",
        "  overruled  RSNT_ARCH: RSNT_ARCH=avx (says avx)",
        lines[3],
    ]
    assert lines[3].startswith("  overruled  cpu: ")
    assert lines[3].endswith("(says avx512)")
    assert lines[4:6] == ["layer:  nix", "  decided    option: given as nix"]
    assert "  overruled  environment: EBROOTGENTOO=/some/gentoo/usr (says gentoo)" in lines


def test_json_has_the_same(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELHOUSE_LAYER", "gentoo")
    path = DATA / "intel-haswell.txt"
    outcome = cli("detect", "--json", "--cpuinfo", path, "--arch", "avx", "--layer", "nix")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert set(found) == {"arch", "archs", "layer", "python", "cpu", "evidence", "warnings"}
    assert (found["arch"], found["archs"], found["layer"]) == ("avx", ["sse3", "avx"], "nix")
    arch, layer = found["evidence"]["arch"], found["evidence"]["layer"]
    assert arch["decided"] == {"source": "option", "value": "avx", "detail": "given as avx"}
    assert [each["value"] for each in arch["overruled"]] == ["avx2"]
    assert layer["decided"]["source"] == "option"
    assert {"source": "WHEELHOUSE_LAYER", "value": "gentoo", "detail": "WHEELHOUSE_LAYER=gentoo"} in (
        layer["overruled"]
    )
    assert found["python"]["name"] == "running"


def test_an_arch_above_the_host_is_a_warning(cli: Cli) -> None:
    outcome = cli("detect", "--cpuinfo", DATA / "intel-haswell.txt", "--arch", "avx512")
    assert outcome.code == 0
    assert outcome.out.startswith("arch:   avx512\n")
    (line,) = outcome.err.splitlines()
    assert line.startswith("warning: option says arch avx512, above what the host can run (avx2: ")


def test_no_layer(cli: Cli) -> None:
    outcome = cli("detect", "--arch", "generic", "--layer", "none")
    assert "\nlayer:  none\n  decided    option: given as none\n" in outcome.out


def test_it_needs_no_wheelhouse(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHEELHOUSE_ROOT")
    monkeypatch.setattr("wheelhouse_resolver.site.config.ORIGIN", "/nowhere/at/all")
    outcome = cli("detect", "--cpuinfo", DATA / "intel-haswell.txt")
    assert outcome.code == 0
    assert outcome.out.startswith("arch:   avx2\n")


@pytest.mark.parametrize("python", ["3.99", sys.executable], ids=["none-is-here", "path"])
def test_the_target_python(python: str, cli: Cli) -> None:
    outcome = cli("detect", "--arch", "generic", "--layer", "none", "--python", python)
    assert (outcome.code, outcome.err) == (0, "")
    shown = outcome.out[outcome.out.index(f"\npython: {python}\n") :]
    assert ("  executable " in shown) == (python == sys.executable)
    layer_of = re.search("\n  layer of   (.+), the Python in use\n", shown)
    assert (layer_of is not None) == (python == "3.99")
    assert layer_of is None or os.access(layer_of[1], os.X_OK)


def test_a_sites_own_ladder_judges(cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text(f'root = "{tmp_path}"\n[[arch]]\nname = "neon"\ntarget = "aarch64"\n')
    outcome = cli("detect", "--config", config, "--cpuinfo", DATA / "arm-neoverse-n1.txt")
    assert outcome.out.startswith("arch:   neon\n")


def test_another_node_by_its_os_release(cli: Cli, tmp_path: Path) -> None:
    site, captured = tmp_path / "site.toml", tmp_path / "os-release"
    site.write_text(
        f'root = "{tmp_path}/tree"\n[[layer]]\nname = "el9"\nos-release = {{ VERSION_ID = "9.*" }}\n'
    )
    captured.write_text("ID=rocky\nVERSION_ID=9.4\n")
    outcome = cli("detect", "--config", site, "--os-release", captured)
    assert "layer:  el9\n  decided    os-release: VERSION_ID=9.4\n" in outcome.out
    captured.write_text("nothing=here\n")
    outcome = cli("detect", "--config", site, "--os-release", captured)
    assert outcome.code == 2
    assert f"{captured}: has no line that says what the system is (ID=...)" in outcome.err
    outcome = cli("detect", "--config", site, "--os-release", tmp_path)
    assert (outcome.code, "cannot be read" in outcome.err) == (2, True)
