"""`view --variants`, killed before any step: no reader sees a part of a file, and the next run completes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.factories import make_wheel
from tests.faults.blows import Command
from tests.faults.runner import Runner
from tests.faults.trees import leftovers
from wheelhouse_resolver.wheelfile.name import VariantName, variants_index_of
from wheelhouse_resolver.wheelfile.validate import check_wheel

TAG = "cp311-cp311-linux_x86_64"


def content_of(place: Path) -> dict[str, bytes]:
    """What installers see in *place*, all of which must be complete."""
    found = {path.name: path.read_bytes() for path in place.glob("[!.]*")}
    said = {
        variants_index_of(name): json.loads(data) for name, data in found.items() if name.endswith("json")
    }
    for name in found:
        if variant := VariantName.parse(name):
            check_wheel(str(place / name), name.replace(f"-{variant.label}", ""))
            assert variant.label in said[variant.name, variant.version]["variants"]
        elif name.endswith(".whl"):
            check_wheel(str(place / name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("without", [(), ("nameless", "links", "renames")], ids=["all", "nothing"])
def test_killed_before_each_step(runner: Runner, tmp_path: Path, without: tuple[str, ...]) -> None:
    """Of a run in which something is new, replaced, gone and as it was."""
    root, view, old = tmp_path / "house", tmp_path / "view", tmp_path / "old"
    place = view / "variants/gentoo"
    command: Command = ["view", "--variants", "--root", root, "--output", view]
    make_wheel(root / "generic", f"demo-1.0-{TAG}.whl")
    for version in ("1.0", "2.0", "3.0"):
        make_wheel(root / "gentoo/avx2", f"demo-{version}-{TAG}.whl")
    assert runner.run(*command).code == 0
    shutil.copytree(view, old, symlinks=True)
    (root / f"gentoo/avx2/demo-1.0-{TAG}.whl").unlink()
    make_wheel(root / "gentoo/avx2", f"demo-2.0-{TAG}.whl", files={"demo.py": "MARK = 'new'\n"})
    make_wheel(root / "gentoo/avx512", f"demo-3.0-{TAG}.whl")

    def prepare() -> None:
        shutil.rmtree(view)
        shutil.copytree(old, view, symlinks=True)

    prepare()
    ran = runner.run(*command, without=without)
    assert (ran.code, ran.err) == (0, "")
    wanted = content_of(place)
    assert f"demo-3.0-500000avx512-{TAG}-x86_64_v4.whl" in wanted
    assert not any("demo-1.0" in name and "generic" not in name for name in wanted)
    prepare()
    steps = runner.run(*command, without=without, kill_at=-1).steps
    for step in range(0, steps, steps // 8):
        prepare()
        assert runner.run(*command, without=without, kill_at=step).killed
        content_of(place)
        assert runner.run(*command, without=without).code == 0
        assert content_of(place) == wanted
        assert leftovers(view) == [
            str(view / "variants" / layer / ".format.json") for layer in ("gentoo", "nix")
        ]
