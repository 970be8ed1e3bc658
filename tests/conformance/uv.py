"""Runs of uv with settings of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.pips import pip_environ
from tests.programs import Failed, Program
from wheelhouse_resolver.installers.pip_config import PipConfig

__all__ = ["RELEASES", "settings_for", "taken_by"]

#: An old and the newest uv that obey flat indexes.
RELEASES = ("uv==0.6.17", "uv")


def settings_for(config: PipConfig, form: str, work: Path) -> dict[str, str]:
    """The variables that give uv the *config* in that *form*: a file's name, or all that it says."""
    if form == "json":
        found: dict[str, str] = json.loads(config.render(form))
        return found
    work.mkdir(exist_ok=True)
    path = work / "uv.toml"
    path.write_text(config.render(form))
    return {"UV_CONFIG_FILE": str(path)}


def taken_by(
    uv: Program,
    requirements: Iterable[str],
    settings: Mapping[str, str],
    work: Path,
    *,
    python: str | None = None,
) -> dict[str, str]:
    """What *uv* installs for all *requirements* at once, without what they need: project -> MARK.

    Its cache is below *work*. Raises `Failed`.
    """
    work.mkdir(exist_ok=True)
    asked, target = work / "asked.txt", work / f"installed{len(list(work.iterdir()))}"
    asked.write_text("\n".join(requirements))
    environ = pip_environ(UV_CACHE_DIR=str(work / "cache"), **settings)
    del environ["UV_NO_CONFIG"]
    into = ["--python", python or uv.python, "--target", str(target), "--no-deps"]
    command = [*uv.command, "pip", "install", "--quiet", *into, "--requirement", str(asked)]
    done = subprocess.run(command, env=environ, cwd=work, text=True, capture_output=True)
    if done.returncode != 0:
        raise Failed(done.stderr)
    return {each.stem: each.read_text().split("'")[1] for each in target.glob("*.py")}
