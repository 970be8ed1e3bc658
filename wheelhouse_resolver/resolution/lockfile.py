"""Lock files: a resolution in a form that stock installers read, with the hash of every wheel.

Two forms. `pylock` is the standard one (PEP 751): pip (>= 26.1) and uv install it, and refuse it on another
Python or platform than it is for. `requirements` is a requirements file of direct references with hashes,
which pip reads since 20.3. Both name exactly the wheels that were chosen: neither the order in which an
installer prefers them nor a wheel published later changes what is installed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from packaging.pylock import Pylock, is_valid_pylock_path

from wheelhouse_resolver.errors import LockNameError, UnreadableWheelError, printable
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import marker_environment
from wheelhouse_resolver.resolution.resolver import Resolution
from wheelhouse_resolver.utils import cache
from wheelhouse_resolver.utils.urls import file_url

#: Who made a lock file; also the name of our table in it.
_TOOL = "wheelhouse-resolver"

#: What a lock is tied to: wheels and markers were chosen for it (PEP 508 names).
_TIED_TO = ("implementation_name", "platform_machine", "python_version", "sys_platform")


def check_name(path: str, form: str) -> None:
    """Raise `LockNameError` if no installer would take a file called *path* for one of that *form*.

    Installers know a pylock by its name (PEP 751): `pylock.toml`, or `pylock.NAME.toml`.
    """
    from pathlib import Path

    if is_valid_pylock_path(Path(path)) == (form == "pylock"):
        return
    if path.endswith(".json"):
        raise LockNameError(path, "--output names the lock file").with_hint("for JSON, use --json >FILE")
    hint = "name a requirements file otherwise than pylock.toml or pylock.NAME.toml"
    if form == "pylock":
        hint = "name it pylock.toml or pylock.NAME.toml, or use --format requirements"
    raise LockNameError(path, "installers know a pylock by its name (PEP 751)").with_hint(hint)


def lock_text(resolution: Resolution, host: Host, form: str = "pylock") -> str:
    """The lock file of *resolution*, which was made for *host*, in the *form* `pylock` or `requirements`.

    The same resolution gives the same text. Wheels are read for their hashes, which are cached. Raises
    `UnreadableWheelError`, and `UnsafeValueError` for a path that cannot be written as a URL.
    """
    paths = [each.candidate.path for each in resolution.packages]
    found = cache.get_for_files("size-and-sha256", paths, _size_and_sha256)
    for path in paths:
        if path not in found:
            found[path] = _size_and_sha256(path)  # raises what is wrong
    write = {"pylock": _pylock, "requirements": _requirements}[form]
    return write(resolution, host, found)


def _pylock(resolution: Resolution, host: Host, found: Mapping[str, tuple[int, str]]) -> str:
    import tomli_w

    packages = []
    for each in resolution.packages:
        size, sha256 = found[each.candidate.path]
        wheel = each.candidate
        file = {
            "name": wheel.filename,
            "url": file_url(wheel.path),
            "size": size,
            "hashes": {"sha256": sha256},
        }
        needed = (
            {"dependencies": [{"name": other} for other in each.dependencies]} if each.dependencies else {}
        )
        packages.append({"name": wheel.name, "version": str(wheel.version), **needed, "wheels": [file]})
    environment = marker_environment(host.python)
    # An installer knows nothing of layers and archs; people and programs that wonder do.
    ours = {"requirements": list(resolution.requirements), "layer": host.layer or "none", "arch": host.arch}
    document = {
        "lock-version": "1.0",
        "environments": [" and ".join(f'{name} == "{environment[name]}"' for name in _TIED_TO)],
        "created-by": _TOOL,
        "packages": packages,
        "tool": {_TOOL: ours},
    }
    Pylock.from_dict(document)  # raises what is invalid
    return tomli_w.dumps(document)


def _requirements(resolution: Resolution, host: Host, found: Mapping[str, tuple[int, str]]) -> str:
    environment = marker_environment(host.python)
    tied = ", ".join(f"{name} {environment[name]}" for name in _TIED_TO)
    lines = [
        f"# Made by {_TOOL}; install it with: pip install --no-index --require-hashes -r FILE",
        f"# for {tied}; layer {host.layer or 'none'}, arch {host.arch}",
        *(f"# asked for: {printable(each)}" for each in resolution.requirements),
    ]
    for each in resolution.packages:
        path = each.candidate.path
        reference = f"{file_url(path)} --hash=sha256:{found[path][1]}"
        # pip 20.3.4 takes a reference for the project with the very extras that it names, only.
        extras = [f"[{','.join(several)}]" for several in each.extras]
        lines += [f"{each.candidate.name}{some} @ {reference}" for some in extras or [""]]
    return "\n".join(lines) + "\n"


def _size_and_sha256(path: str) -> tuple[int, str]:
    from wheelhouse_resolver.utils.safe_io import sha256_of

    try:
        return os.stat(path).st_size, sha256_of(path)
    except OSError as error:
        raise UnreadableWheelError.from_os(path, error, "cannot be read") from error
