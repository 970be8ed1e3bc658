"""What people read: for each rule and each kind of help the whole answer, as it is printed."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from textwrap import dedent

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.factories import make_tree, make_wheel
from wheelhouse_resolver.host.cpu import Cpu

LINUX = f"linux_{platform.machine()}"

#: A CPU with AVX, whatever this machine has.
SANDY_BRIDGE = Cpu(
    "x86_64", "GenuineIntel", "Sandy Bridge", frozenset({"sse3", "avx"}), frozenset({"x86_64"})
)


class Asking:
    """Asks `why-not` on a host with AVX and Gentoo, in a tree of the built-in layout."""

    def __init__(self, cli: Cli, root: Path) -> None:
        self._cli, self.root = cli, root
        make_tree(root, {})

    def wheels(self, label: str, *endings: str, needs: str | None = None) -> None:
        """Wheels of the project demo, of which only what follows the name is given."""
        for ending in endings:
            make_wheel(self.root / label, f"demo-{ending}.whl", requires_python=needs)

    def __call__(self, *arguments: str | Path, layer: str = "gentoo") -> Outcome:
        return self._cli("why-not", *arguments, "--root", self.root, "--layer", layer, "--python", "3.11")

    def told(self, *arguments: str | Path, code: int = 1) -> str:
        """What is said of the project demo, without the line that says that there is no wheel."""
        outcome = self(*arguments)
        assert (outcome.code, outcome.err) == (code, "")
        return outcome.out.replace(LINUX, "LINUX").replace(str(self.root), "ROOT")


@pytest.fixture
def ask(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asking:
    monkeypatch.setattr("wheelhouse_resolver.host.detect.running_cpu", lambda: SANDY_BRIDGE)
    return Asking(cli, tmp_path / "tree")


def golden(text: str) -> str:
    return dedent(text).lstrip("\n")


class TestWhyThatOne:
    def test_the_pick_and_those_that_lost(self, ask: Asking) -> None:
        ask.wheels("gentoo/avx", f"2.0-2-cp311-cp311-{LINUX}", f"2.0-1-cp311-cp311-{LINUX}")
        ask.wheels("gentoo/avx", f"2.0-9-cp311-abi3-{LINUX}")
        ask.wheels("gentoo/generic", f"2.0-2-cp311-cp311-{LINUX}")
        ask.wheels("generic", "1.0-py3-none-any", "1.1-py3-none-any", "3.0rc1-py3-none-any")
        ask.wheels("nix/avx2", f"4.0-cp312-cp312-{LINUX}", f"5.0-cp311-cp311-{LINUX}")
        best = "gentoo/avx/demo-2.0-2-cp311-cp311-LINUX.whl"
        assert ask.told("demo", code=0) == golden(f"""
            demo: {best} (Python 3.11, layer gentoo, arch avx)
            what else is there:
              1 wheel of 2.0: shadowed by {best}, a higher build
              1 wheel of 2.0: shadowed by {best}, whose tags fit this Python better
              1 wheel of 2.0: shadowed by {best}, from a more specific directory
              2 wheels of 1.0 to 1.1: older than {best}
              1 wheel of 3.0rc1: a pre-release, and there is a final version (--pre or == allows it)
              1 wheel of 4.0: in the layer nix (this is gentoo); for the arch avx2 (this is avx); and for Python 3.12 (this is 3.11)
              1 wheel of 5.0: in the layer nix (this is gentoo); for the arch avx2 (this is avx); otherwise right
        """)  # noqa: E501 - as it is printed

    def test_names_that_differ_in_nothing_that_counts(self, ask: Asking) -> None:
        ask.wheels("generic", "1.0-py3-none-any")
        make_wheel(ask.root / "generic", "Demo-1.0-py3-none-any.whl")
        assert ask.told("demo", code=0) == golden("""
            demo: generic/Demo-1.0-py3-none-any.whl (Python 3.11, layer gentoo, arch avx)
            what else is there:
              1 wheel of 1.0: shadowed by generic/Demo-1.0-py3-none-any.whl, the same in all respects but its name
        """)  # noqa: E501 - as it is printed

    def test_nothing_else_is_there(self, ask: Asking) -> None:
        ask.wheels("generic", "1.0-py3-none-any")
        assert ask.told("demo", code=0) == (
            "demo: generic/demo-1.0-py3-none-any.whl (Python 3.11, layer gentoo, arch avx)\n"
        )

    def test_a_requirement_that_pip_ignores(self, ask: Asking) -> None:
        assert ask.told("demo; python_version < '3'", code=0) == (
            'demo; python_version < "3": pip ignores it: '
            'its marker does not hold for this Python: python_version < "3"\n'
        )


NOTHING = "no wheel in the wheelhouse that pip could install here (Python 3.11, layer gentoo, arch avx)"


class TestWhatWouldHelp:
    def test_another_python(self, ask: Asking) -> None:
        versions = [f"2.{minor}-cp3{n}-cp3{n}-{LINUX}" for minor in range(1, 4) for n in (12, 13)]
        ask.wheels("gentoo/avx", *versions)
        assert ask.told("demo") == golden(f"""
            demo: {NOTHING}
            what would help:
              1. use Python 3.13 or 3.12 (this is 3.11)
                 gives gentoo/avx/demo-2.3-cp313-cp313-LINUX.whl
            what is there:
              6 wheels of 2.1 to 2.3: for Python 3.12, 3.13 (this is 3.11)
        """)

    def test_requires_python(self, ask: Asking) -> None:
        ask.wheels("generic", "2.0-2-py3-none-any", needs=">=3.12")
        ask.wheels("generic", "2.0-1-py3-none-any")
        ask.wheels("generic", "1.0-py3-none-any", needs="<3.9")
        assert ask.told("demo") == golden(f"""
            demo: {NOTHING}
            what would help:
              1. use Python 3.12 and newer or 3.8 (this is 3.11)
                 gives generic/demo-2.0-2-py3-none-any.whl
            what is there:
              1 wheel of 2.0: Requires-Python >=3.12 (this is 3.11.0)
              1 wheel of 2.0: a lower build of generic/demo-2.0-2-py3-none-any.whl, which requires Python >=3.12: pip tries older versions only
              1 wheel of 1.0: Requires-Python <3.9 (this is 3.11.0)
        """)  # noqa: E501 - as it is printed

    def test_another_layer_or_node(self, ask: Asking) -> None:
        ask.wheels("nix/generic", "1.0-py3-none-any")
        ask.wheels("gentoo/avx512", "1.0-py3-none-any")
        assert ask.told("demo") == golden(f"""
            demo: {NOTHING}
            what would help:
              1. load the module of the layer nix (this is gentoo)
                 gives nix/generic/demo-1.0-py3-none-any.whl
              2. use a node with avx512 (at least archspec's x86_64_v4; this is avx)
                 gives gentoo/avx512/demo-1.0-py3-none-any.whl
            what is there:
              1 wheel of 1.0: for the arch avx512 (this is avx); otherwise right
              1 wheel of 1.0: in the layer nix (this is gentoo); otherwise right
        """)

    def test_a_node_by_its_features(self, ask: Asking, tmp_path: Path) -> None:
        (tmp_path / "site.toml").write_text(
            f'root = "{ask.root}"\n[[arch]]\nname = "crypto"\nfeatures = ["avx", "aes"]\n'
            '[[layer]]\nname = "gentoo"\ndirectories = ["gentoo"]\narchs = ["crypto"]\n'
        )
        ask.wheels("gentoo/crypto", "1.0-py3-none-any")
        out = ask.told("demo", "--config", tmp_path / "site.toml")
        assert "  1. use a node with crypto (a CPU with avx, aes; this is generic)\n" in out

    def test_another_version_or_pre_releases(self, ask: Asking) -> None:
        ask.wheels("generic", "1.0-py3-none-any")
        ask.wheels("generic", "2.0-py3-none-any", needs=">=3.12")
        ask.wheels("generic", "2.1rc1-py3-none-any")
        assert ask.told("demo>=2") == golden(f"""
            demo>=2: {NOTHING}
            what would help:
              1. ask for the newest version that is there: 1.0
                 pip install demo==1.0
                 gives generic/demo-1.0-py3-none-any.whl
              2. allow pre-releases
                 pip install --pre 'demo>=2'
                 gives generic/demo-2.1rc1-py3-none-any.whl
              3. use Python 3.12 and newer (this is 3.11)
                 gives generic/demo-2.0-py3-none-any.whl
            what is there:
              1 wheel of 2.0: Requires-Python >=3.12 (this is 3.11.0)
              1 wheel of 2.1rc1: a pre-release, and there is a final version (--pre or == allows it)
              1 wheel of 1.0: the version is not >=2
        """)

    def test_close_names(self, ask: Asking) -> None:
        ask.wheels("generic", "1.0-py3-none-any")
        make_wheel(ask.root / "nix/generic", "demos-1.0-py3-none-any.whl")
        assert ask.told("demoo>=1") == golden("""
            demoo>=1: no project named demoo in the wheelhouse; close names: demo, demos
            what would help:
              1. did you mean demo?
                 pip install 'demo>=1'
                 gives generic/demo-1.0-py3-none-any.whl
        """)

    def test_nothing_like_it(self, ask: Asking) -> None:
        assert ask.told("demo") == golden("""
            demo: no project named demo in the wheelhouse
            what would help:
              1. ask the site's staff to build demo: no wheel of it is there
        """)

    def test_what_no_version_can_satisfy(self, ask: Asking) -> None:
        assert ask.told("demo>=1,<1") == golden(f"""
            demo<1,>=1: {NOTHING}
              no version can satisfy <1,>=1
        """)

    def test_only_for_other_platforms(self, ask: Asking) -> None:
        ask.wheels("generic", "1.0-cp311-cp311-win_amd64", "1.0-cp311-cp311-macosx_11_0_arm64")
        (ask.root / "generic/demo-1.0-py3.whl").touch()
        assert ask.told("demo") == golden(f"""
            demo: {NOTHING}
            what would help:
              1. ask the site's staff to build demo for Python 3.11: no wheel that is there would do
            what is there:
              2 wheels of 1.0: for the platform macosx_11_0_arm64, win_amd64, which this Python does not accept
              1 file: invalid wheel file name (wrong number of parts): 'demo-1.0-py3'
        """)  # noqa: E501 - as it is printed

    def test_a_constraint_of_the_site(self, ask: Asking, tmp_path: Path) -> None:
        (tmp_path / "c.txt").write_text("demo<1\n")
        (tmp_path / "site.toml").write_text(
            f'root = "{ask.root}"\n[pip]\nconstraint = ["{tmp_path}/c.txt"]\n'
        )
        ask.wheels("generic", "1.0-py3-none-any")
        assert ask.told("demo", "--config", tmp_path / "site.toml") == golden(f"""
            demo: {NOTHING}
            what would help:
              1. lift the constraint demo<1 ({tmp_path}/c.txt, line 1): ask the maintainer of that file
                 gives generic/demo-1.0-py3-none-any.whl
            what is there:
              1 wheel of 1.0: not allowed by the constraint demo<1 ({tmp_path}/c.txt, line 1)
        """)

    def test_the_site_s_no_binary(self, ask: Asking, tmp_path: Path) -> None:
        (tmp_path / "site.toml").write_text(f'root = "{ask.root}"\n[pip]\nno-binary = "demo"\n')
        ask.wheels("generic", "1.0-py3-none-any")
        assert ask.told("demo", "--config", tmp_path / "site.toml") == golden(f"""
            demo: {NOTHING}
            what would help:
              1. override the site's no-binary
                 pip install --only-binary demo demo
                 gives generic/demo-1.0-py3-none-any.whl
            what is there:
              1 wheel of 1.0: the site's [pip] table says no-binary: pip takes no wheel of it
        """)

    def test_what_the_site_does_not_let_the_host_search(self, ask: Asking, tmp_path: Path) -> None:
        (tmp_path / "site.toml").write_text(
            f'root = "{ask.root}"\n[search]\navx = ["avx"]\navx2 = ["avx2"]\n'
        )
        ask.wheels("gentoo/sse3", "1.0-py3-none-any")
        out = ask.told("demo", "--config", tmp_path / "site.toml")
        assert out.startswith(
            golden(f"""
            demo: {NOTHING}
            what would help:
              1. export WHEELHOUSE_ARCH=sse3 before loading the wheelhouse's module
                 gives gentoo/sse3/demo-1.0-py3-none-any.whl
            """)
        )
        assert out.endswith(
            "for the arch sse3, which the site does not let a host of avx search; otherwise right\n"
        )

    def test_leaving_the_layer(self, ask: Asking) -> None:
        ask.wheels("gentoo/generic", "1.0-2-py3-none-any", needs=">=4")
        ask.wheels("generic", "1.0-1-py3-none-any")
        advice = "leave the layer: the wheelhouse's module for hosts without one, or pip-conf --layer none"
        assert f"  1. {advice}\n     gives generic/demo-1.0-1-py3-none-any.whl\n" in ask.told("demo")

    def test_several_changes_at_once(self, ask: Asking) -> None:
        ask.wheels("nix/avx2", f"1.0-cp312-cp312-{LINUX}")
        assert ask.told("demo>1") == golden(f"""
            demo>1: {NOTHING}
            what would help:
              1. ask for the newest version that is there: 1.0; and use Python 3.12 (this is 3.11); and load the module of the layer nix (this is gentoo); and use a node with avx2 (at least archspec's x86_64_v3; this is avx)
                 pip install demo==1.0
                 gives nix/avx2/demo-1.0-cp312-cp312-LINUX.whl
            what is there:
              1 wheel of 1.0: in the layer nix (this is gentoo); for the arch avx2 (this is avx); for Python 3.12 (this is 3.11); and the version is not >1
        """)  # noqa: E501 - as it is printed

    def test_a_broken_wheel(self, ask: Asking) -> None:
        ask.wheels("generic", "1.0-py3-none-any")
        (ask.root / "gentoo/avx/demo-2.0-py3-none-any.whl").write_bytes(b"PK")
        assert ask.told("demo") == golden("""
            demo: BROKEN WHEEL: pip chooses gentoo/avx/demo-2.0-py3-none-any.whl and fails (Python 3.11, layer gentoo, arch avx)
              invalid zip file (2 bytes): File is not a zip file
            what would help:
              1. leave out what is broken: !=2.0
                 pip install 'demo!=2.0'
                 gives generic/demo-1.0-py3-none-any.whl
              2. ask the site's staff to withdraw the faulty file and to publish a sound one, rebuilt or of a fixed release
                 wheelhouse-resolver withdraw --root ROOT --to gentoo/avx demo-2.0-py3-none-any.whl
            what is there:
              1 wheel of 1.0: older than gentoo/avx/demo-2.0-py3-none-any.whl
        """)  # noqa: E501 - as it is printed


class TestOptions:
    def test_all_shows_each_file(self, ask: Asking) -> None:
        ask.wheels("generic", f"1.0-cp312-cp312-{LINUX}", f"1.1-cp313-cp313-{LINUX}")
        assert ask.told("--all", "demo").endswith(
            "  2 wheels of 1.0 to 1.1: for Python 3.12, 3.13 (this is 3.11)\n"
            "    generic/demo-1.0-cp312-cp312-LINUX.whl\n"
            "    generic/demo-1.1-cp313-cp313-LINUX.whl\n"
        )

    def test_several_requirements_are_told_one_after_the_other(self, ask: Asking, tmp_path: Path) -> None:
        ask.wheels("generic", "1.0-py3-none-any")
        (tmp_path / "r.txt").write_text("demo<1\n-c c.txt\n")
        (tmp_path / "c.txt").write_text("demo<2\n")
        out = ask.told("demo", "demo==3", "-r", tmp_path / "r.txt")
        assert [each.splitlines()[0].partition(":")[0] for each in out.split("\n\n")] == [
            "demo",
            "demo==3",
            "demo<1",
        ]

    def test_json_has_everything(self, ask: Asking) -> None:
        ask.wheels("generic", "1.0-py3-none-any")
        ask.wheels("nix/avx2", f"2.0-cp312-cp312-{LINUX}")
        outcome = ask("--json", "demo>1", "demo", "dem")
        assert (outcome.code, outcome.err) == (1, "")
        first, second, third = json.loads(outcome.out)
        assert [each["verdict"] for each in (first, second, third)] == [
            "nothing",
            "picked",
            "unknown-project",
        ]
        assert first["host"] == {"python": "3.11", "layer": "gentoo", "arch": "avx"}
        (helps,) = first["suggestions"]
        assert helps["steps"] == [{"action": "other-version", "values": ["==1.0"], "onward": ""}]
        assert helps["command"] == "pip install demo==1.0"
        assert helps["gives"]["path"] == f"{ask.root}/generic/demo-1.0-py3-none-any.whl"
        below, outside = first["files"]
        assert (below["rule"], below["about"], below["otherwise"]) == ("specifier", [">1"], [])
        assert (outside["rule"], outside["kind"], outside["about"]) == (
            "outside-search-path",
            "layer",
            ["nix"],
        )
        assert [each["rule"] for each in outside["otherwise"]] == ["outside-search-path", "python-tag"]
        assert second["best"]["version"] == "1.0"
        assert third["close_names"] == ["demo"]

    def test_warnings_are_on_stderr(self, ask: Asking) -> None:
        ask.wheels("generic", "1.0rc1-py3-none-any")
        outcome = ask("demo[fast]>0")
        assert outcome.code == 0
        assert outcome.err.splitlines() == [
            "warning: demo-1.0rc1-py3-none-any.whl does not provide the extra 'fast'",
            "warning: only a pre-release meets demo[fast]>0: "
            "pip older than 26 takes it by `pip install --pre 'demo[fast]>0'` only",
        ]

    def test_a_hostile_file_name_cannot_forge_lines(self, ask: Asking) -> None:
        (ask.root / "generic" / "demo-1.0\nwhat would help:-py3-none.whl").touch()
        out = ask.told("--all", "demo")
        assert out.count("\nwhat would help:") == 1
        assert "demo-1.0\\nwhat would help:" in out

    def test_a_host_without_a_layer(self, ask: Asking) -> None:
        ask.wheels("gentoo/avx", "1.0-py3-none-any")
        outcome = ask("demo", layer="none")
        assert outcome.out.startswith(
            "demo: no wheel in the wheelhouse that pip could install here "
            "(Python 3.11, layer none, arch avx)\n"
        )
        assert "  1. load the module of the layer gentoo (no layer is loaded)\n" in outcome.out
