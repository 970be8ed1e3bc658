"""The lines for a shell's start file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse_resolver.installers.template_files import template

if TYPE_CHECKING:
    from wheelhouse_resolver.installers.pip_config import PipConfig

#: The shells that `shell_hook` knows: sh is dash, bash, zsh, ksh; csh is tcsh.
SHELLS = ("sh", "csh", "fish")


def shell_hook(config: PipConfig, shell: str) -> str:
    """Settings for one of `SHELLS`, to be evaluated in its start file, for people without modules.

    In sh and fish it also defines `wheelhouse_off`, which gives back what was set before. csh has no
    functions that could.
    """
    settings = config.render(shell)
    if shell == "csh":
        return settings
    names = list(config.environment())
    lines = [line for line in template(f"hook.{shell}").splitlines() if not line.startswith("#")]
    repeated = (
        line.replace("NAME", name) for line in lines for name in (names if "NAME" in line else names[:1])
    )
    return "".join(f"{line}\n" for line in repeated) + settings
