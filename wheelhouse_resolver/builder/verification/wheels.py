"""Verifying wheels as the users of a site have them: with their Python, their directories and its recipes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial

from wheelhouse_resolver.builder.process.commands import subreaper
from wheelhouse_resolver.builder.recipes.loader import (
    RecipeFile,
    find_recipe,
    load_recipe,
    recipe_directories,
)
from wheelhouse_resolver.builder.recipes.model import no_recipe
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.builder.verification.verify import (
    Verification,
    VerificationSettings,
    python_for,
    run_verification,
)
from wheelhouse_resolver.errors import UnreadableWheelError
from wheelhouse_resolver.host.detect import Host, detect_host
from wheelhouse_resolver.host.interpreters import target_of
from wheelhouse_resolver.host.target_python import python_version
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.wheelfile.metadata import read_metadata
from wheelhouse_resolver.wheelfile.name import WheelName


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyOptions:
    """How `verify` tests wheels.

    python:       a path, an environment's directory or a version; None: for each wheel the running Python if
                  it can install the wheel, else one on PATH that can.
    recipe:       the file of the recipe that says what to test; `none`: imports only; None: each project's
                  own.
    timeout:      of each import and test (s); None: the recipe's.
    memory:       of each step, installing included, with all that it starts (`8G`); None: the recipe's.
    find_links:   directories with what the wheels require, besides those of the search path.
    library_dirs: directories with libraries of the layer, as if in LD_LIBRARY_PATH.
    offline:      take requirements from these directories only.
    emulate:      a command that runs the Python, such as `qemu-x86_64 -cpu Haswell`.
    work:         an existing directory that keeps the environments and logs; None: only the logs of what
                  failed are kept, in a temporary one.
    """

    python: str | None = None
    recipe: str | None = None
    timeout: float | None = None
    memory: str | None = None
    find_links: Sequence[str] = ()
    library_dirs: Sequence[str] = ()
    offline: bool = False
    emulate: Sequence[str] = ()
    work: str | None = None


def verify(
    wheels: Iterable[str | os.PathLike[str]],
    site: Site,
    options: VerifyOptions | None = None,
    *,
    host_for: Callable[[str], Host] | None = None,
) -> Iterator[Verification]:
    """Install each of *wheels* into a fresh environment, and try it out there when its result is asked for.

    *host_for*: the host to test for, by the path of the Python; by default the detected one.

    Never raises for what a wheel does. Raises before anything is installed: `UnreadableWheelError`,
    `PythonError`, and what reading a recipe raises; later `NoEmulatorError`.
    """
    options = options or VerifyOptions()
    find_host = cache(host_for or partial(detect_host, site=site))
    given = load_recipe(options.recipe) if options.recipe not in (None, "none") else None
    paths = [os.fspath(each) for each in wheels]
    cases = [(path, _settings(path, site, options, find_host, given)) for path in paths]
    return _results(cases, options.work)


def _settings(
    path: str, site: Site, options: VerifyOptions, find_host: Callable[[str], Host], given: RecipeFile | None
) -> VerificationSettings:
    """How the wheel at *path* is verified; *given*: the recipe to follow instead of the project's own."""
    if not os.path.isfile(path):  # pip would wait for somebody to write into a pipe
        raise UnreadableWheelError(path, "not a regular file" if os.path.exists(path) else "does not exist")
    try:
        name, version, _, _ = WheelName.parse(os.path.basename(path))
    except ValueError as error:
        raise UnreadableWheelError(path, str(error)) from error
    read_metadata(path)  # raises if it cannot be read
    python = target_of(options.python).path if options.python is not None else python_for(path)
    host = find_host(python)
    search_path = site.search_path(host)
    file = None if options.recipe == "none" else given or find_recipe(name, recipe_directories(site))
    recipe = no_recipe(name)
    if file is not None:
        major, minor = python_version(host.python).release[:2]
        recipe = file.resolve(version, f"{major}.{minor}", host.layer, search_path.arch)
    timeout = recipe.test.timeout if options.timeout is None else options.timeout
    memory = recipe.test.memory if options.memory is None else options.memory
    directories = (directory.path for directory in listing.existing(search_path))
    return VerificationSettings(
        python=python,
        environ=module_environment(recipe.run_modules, os.environ),
        find_links=[*map(os.path.abspath, options.find_links), *directories],
        test=replace(recipe.test, timeout=timeout, memory=memory),
        library_dirs=[os.path.abspath(each) for each in options.library_dirs],
        offline=options.offline,
        emulate=options.emulate,
    )


def _results(cases: Sequence[tuple[str, VerificationSettings]], kept: str | None) -> Iterator[Verification]:
    work = kept or tempfile.mkdtemp(prefix="wheelhouse-verify-")
    try:
        for number, (path, settings) in enumerate(cases, 1):
            yield _verify(path, settings, os.path.join(work, str(number)), keep=kept is not None)
    finally:
        if kept is None:
            with suppress(OSError):  # the logs of what failed are in it
                os.rmdir(work)


def _verify(path: str, settings: VerificationSettings, work: str, *, keep: bool) -> Verification:
    log = f"{work}.log"
    result = None
    try:
        with subreaper():
            result = run_verification(path, settings, work=work, log=log)
        return result
    finally:
        if not keep:
            shutil.rmtree(work, ignore_errors=True)
            if result is None or result.ok:
                with suppress(FileNotFoundError):
                    os.unlink(log)
