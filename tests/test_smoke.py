from __future__ import annotations

from pathlib import Path

from tests.builders import make_tree, run_cli


def test_the_command_line_picks_from_the_most_specific_directory(tmp_path: Path) -> None:
    make_tree(
        tmp_path,
        {"generic": ["demo-1.0-py3-none-any.whl"], "gentoo/avx": ["demo-1.0-py3-none-any.whl"]},
    )
    done = run_cli("pick", "demo", "--root", tmp_path, "--layer", "gentoo", "--arch", "avx")
    assert done.stdout == f"{tmp_path}/gentoo/avx/demo-1.0-py3-none-any.whl\n"
