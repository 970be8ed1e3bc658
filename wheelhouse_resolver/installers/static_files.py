"""The static configurations on disk: one for each class of hosts, in one of two forms.

`file`: an INI file for PIP_CONFIG_FILE, in place of the user's own. `xdg`: a directory for XDG_CONFIG_DIRS,
in which pip and uv find one each; the user's own beat these.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping

from wheelhouse_resolver.errors import UnsafeValueError
from wheelhouse_resolver.installers.pip_config import COMMENT, STATIC_FORMS, PipConfig
from wheelhouse_resolver.utils.filesystem import make_directory, read_head, write_text

#: By form: the files of a class of that name, and the format of each.
_FILES: Mapping[str, Mapping[str, str]] = {
    "file": {"pip-{}.conf": "ini"},
    "xdg": {"{}/pip/pip.conf": "ini", "{}/uv/uv.toml": "uv"},
}

#: How each begins.
_HEAD = f"# {COMMENT} ".encode()


def place_of(name: str, form: str) -> str:
    """What a module file names for the class *name*: a file, or the directory for XDG_CONFIG_DIRS."""
    return name if form == "xdg" else f"pip-{name}.conf"


def needed_files(form: str) -> tuple[str, ...]:
    """What has to follow `place_of` for each file of a class."""
    return tuple(pattern.removeprefix(place_of("{}", form)) for pattern in _FILES[form])


def check_directory(directory: str, form: str, what: str) -> None:
    """Raise `UnsafeValueError` where *directory*, the value of *what*, cannot hold files of that *form*."""
    if form == "xdg" and ":" in directory:
        raise UnsafeValueError(what, directory, "XDG_CONFIG_DIRS is split at colons")


def forms_in(directory: str, names: Collection[str]) -> list[str]:
    """The forms in which *directory* holds files for any of the classes *names*, the preferred one first."""
    return [
        form
        for form in reversed(STATIC_FORMS)
        if any(os.path.isfile(path) for name in names for path, _ in _files(directory, name, form))
    ]


def _files(directory: str, name: str, form: str) -> list[tuple[str, str]]:
    return [
        (os.path.join(directory, pattern.format(name)), language)
        for pattern, language in _FILES[form].items()
    ]


def write_static_configs(
    configs: Mapping[str, PipConfig], directory: str, form: str = "file"
) -> Iterator[tuple[str, bool]]:
    """Write *configs*, by class, into *directory*, made if missing, each file atomically.

    Yields each path with whether it was written; one with the same content is kept. Raises `OutputError`,
    `UnsafeValueError`.
    """
    check_directory(os.path.abspath(directory), form, "--output-dir")
    if any(os.path.lexists(os.path.join(directory, name, "index.html")) for name in configs):
        raise UnsafeValueError("--output-dir", directory, "there is a static index, which goes elsewhere")
    make_directory(directory, shared=True)
    for name, config in configs.items():
        for path, language in _files(directory, name, form):
            make_directory(os.path.dirname(path), shared=True)
            yield path, write_text(path, config.render(language), shared=True)


def is_static_root(directory: str) -> bool:
    """Whether *directory*, of XDG_CONFIG_DIRS, is one for a class of hosts."""
    return _is_ours(os.path.join(directory, "pip/pip.conf"))


def _is_ours(path: str) -> bool:
    return read_head(path, len(_HEAD)) == _HEAD


def stale_places(names: Collection[str], directory: str, form: str) -> Iterator[str]:
    """What earlier runs wrote into *directory* for classes other than those with these *names*."""
    wanted = {place_of(name, form) for name in names}
    start, _, end = next(iter(_FILES[form])).partition("{}")
    for entry in sorted(os.listdir(directory)):
        path = os.path.join(directory, entry)
        file = path if form == "file" else path + end
        ours = entry.startswith(start) and file.endswith(end)
        if ours and entry not in wanted and _is_ours(file):
            yield path
