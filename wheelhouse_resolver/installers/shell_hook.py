"""The lines for a shell's start file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelhouse_resolver.installers.pip_config import PipConfig

__all__ = ["SHELLS", "shell_hook"]


#: The shells that `shell_hook` knows: sh stands for dash, bash, zsh, ksh; csh for tcsh.
SHELLS = ("sh", "csh", "fish")


def shell_hook(config: PipConfig, shell: str) -> str:
    """Settings for one of `SHELLS`, to be evaluated in its start file, for people without modules.

    In sh and fish it also defines `wheelhouse_off`, which gives back what was set before. csh has no
    functions that could.
    """
    settings = config.render(shell)
    names = list(config.environment())
    # A start file can be read twice: what counts is what was there before the first time.
    if shell == "sh":
        again = "if command -v wheelhouse_off >/dev/null; then wheelhouse_off; fi;"
        saved = [f"_wheelhouse_had_{n}=${{{n}+x}}; _wheelhouse_old_{n}=${{{n}-}};" for n in names]
        back = [
            f'    if [ -n "$_wheelhouse_had_{n}" ]; '
            f'then export {n}="$_wheelhouse_old_{n}"; else unset {n}; fi;'
            for n in names
        ]
        return (
            "\n".join([again, *saved, "wheelhouse_off() {", *back, "    unset -f wheelhouse_off;", "};"])
            + f"\n{settings}"
        )
    if shell == "fish":
        saved = [
            f"set -q {n}; and set -g _wheelhouse_old_{n} ${n}; or set -e _wheelhouse_old_{n};" for n in names
        ]
        back = [
            f"    set -q _wheelhouse_old_{n}; and set -gx {n} $_wheelhouse_old_{n}; or set -e {n};"
            for n in names
        ]
        again = "functions -q wheelhouse_off; and wheelhouse_off;"
        body = [again, *saved, "function wheelhouse_off;", *back, "    functions -e wheelhouse_off;", "end;"]
        return "\n".join(body) + f"\n{settings}"
    return settings
