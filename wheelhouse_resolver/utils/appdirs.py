"""Where configuration and wheelhouses are looked for on this machine (platformdirs, remembered)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from wheelhouse_resolver.utils import cache

#: The name of our directory in the configuration and cache directories.
APPLICATION = "wheelhouse-resolver"

#: The environment that platformdirs looks at; its answer holds while these are the same.
_VARIABLES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS")


class Places(NamedTuple):
    """Paths to try, in this order; none of them need exist.

    site_files: of the site file. wheelhouses: of a wheelhouse's root.
    """

    site_files: tuple[str, ...]
    wheelhouses: tuple[str, ...]


def places() -> Places:
    """The user's and the machine's places, as platformdirs names them."""
    variables = [os.environ.get(name) for name in _VARIABLES]
    key = [os.geteuid(), *variables, *cache.identity_of("platformdirs")]
    answer = cache.get("directories", key, _ask_platformdirs)
    return Places(tuple(answer["site_files"]), tuple(answer["wheelhouses"]))


def _ask_platformdirs() -> dict[str, list[str]]:
    import platformdirs

    ours = platformdirs.PlatformDirs(APPLICATION, appauthor=False, multipath=True)
    data = platformdirs.PlatformDirs("wheelhouse", appauthor=False, multipath=True)
    configs = [*_of_user(lambda: ours.user_config_dir), *ours.site_config_dir.split(os.pathsep)]
    return {
        "site_files": [os.path.join(directory, "site.toml") for directory in configs],
        "wheelhouses": [*data.site_data_dir.split(os.pathsep), *_of_user(lambda: data.user_data_dir)],
    }


def _of_user(directory: Callable[[], str]) -> list[str]:
    """The user's *directory*, as a list; none where a user has no home, as in containers and prologs."""
    try:
        return [directory()]
    except RuntimeError:
        return []
