"""Fetching the sources of a plan, and reading what they require."""

from __future__ import annotations

import os

from wheelhouse_resolver.builder.planning.source_metadata import get_requires_dist
from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.builder.records.job import BuildOptions, Job
from wheelhouse_resolver.builder.sources.fetch import fetch
from wheelhouse_resolver.builder.sources.fetched import FetchContext, Fetched
from wheelhouse_resolver.builder.toolchain.provenance import host_facts
from wheelhouse_resolver.builder.toolchain.variables import base_environ, command_environment, pip_text
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.utils.filesystem import make_directory, write_text

#: pip's configuration without what the site itself has built.
_UPSTREAM = "upstream.conf"


class SourceFetcher:
    """Fetches sources into the directory *scratch*, each once for all archs for which it is the same."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._fetched: dict[object, Fetched | WheelhouseError] = {}

    def fetch(self, recipe: Recipe, job: Job, options: BuildOptions, log: str) -> Fetched:
        """The source of *job*. Raises what `fetch` raises, every time that the same source is asked for."""
        source = (recipe.source, recipe.takes_wheel, recipe.build_modules, recipe.env)
        key = (job.requirement, job.python, source)
        if key not in self._fetched:
            environment = self._environment_directory(job, options)
            context = FetchContext(
                directory=os.path.join(self._scratch, f"source-{len(self._fetched)}"),
                log=log,
                environ=base_environ(os.environ, environment),
                wheels_config=os.path.join(environment, _UPSTREAM),
            )
            os.mkdir(context.directory)
            try:
                self._fetched[key] = fetch(recipe, job, context)
            except WheelhouseError as error:
                self._fetched[key] = error
        found = self._fetched[key]
        if isinstance(found, WheelhouseError):
            raise found
        return found

    def get_requires_dist(
        self, fetched: Fetched, recipe: Recipe, job: Job, options: BuildOptions, log: str
    ) -> list[str]:
        """What the wheel of *fetched* will require (see the function of that name)."""
        scratch = self._environment_directory(job, options)
        environ, _ = command_environment(
            recipe,
            fetched,
            job,
            options.site,
            environ=base_environ(os.environ, scratch),
            scratch=scratch,
        )
        return get_requires_dist(fetched, recipe, python=job.python, log=log, environ=environ)

    def _environment_directory(self, job: Job, options: BuildOptions) -> str:
        """The directory with `pip.conf` and `tmp`, such as builds for that Python and arch have."""
        directory = os.path.join(self._scratch, f"environ-{job.python_version}-{job.arch}")
        if not os.path.isdir(directory):
            make_directory(os.path.join(directory, "tmp"))
            _, runnable = host_facts(options.site, job.python, os.environ)
            for name in ("pip.conf", _UPSTREAM):
                text = pip_text(job, options, runnable, upstream=name == _UPSTREAM)
                write_text(os.path.join(directory, name), text)
        return directory
