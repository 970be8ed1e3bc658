"""The facts about an environment that the doctor's checks decide on. Values only; `probes` gathers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from wheelhouse_resolver.doctor.pip_settings import PipFile, PipSetting, in_force, indexes
from wheelhouse_resolver.doctor.python_facts import InstalledFacts, PythonFacts, VenvState, module_version
from wheelhouse_resolver.doctor.uv_settings import UvFile, UvSetting
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.constraints import ConstraintProblem
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.serialise import to_plain


class SiteFacts(NamedTuple):
    """The site, and how it was found.

    site:      the site; the built-in one where none could be loaded.
    problem:   why none could be loaded; empty when one was.
    file, line: of the site file that is wrong. file_missing: whether there is none.
    file_by:   what named the site file: `--config`, WHEELHOUSE_CONFIG, `directories`, or `built-in` for none.
    root:      as it is named; empty for none. real_root: without symbolic links.
    root_by:   what named the root: `--root`, WHEELHOUSE_ROOT, `site file`, `built-in`.
    root_problem: why the root cannot be used; empty when it can.
    missing_bases: what is wrong with each base that is not there, and what to do.
    """

    site: Site
    problem: str = ""
    file: str = ""
    line: int | None = None
    file_missing: bool = False
    file_by: str = "built-in"
    root: str = ""
    real_root: str = ""
    root_by: str = "built-in"
    root_problem: str = ""
    missing_bases: tuple[tuple[str, str], ...] = ()


class DirectoryState(NamedTuple):
    """A directory of the site.

    real:     its path without symbolic links.
    searched: whether it is in the host's search path.
    exists:   whether it is there, as a directory.
    problem:  why it cannot be listed; empty when it can, or is not there.
    wheels:   how many it holds; counted in the search path only.
    """

    directory: Directory
    real: str
    searched: bool
    exists: bool
    problem: str = ""
    wheels: int = 0


class StaticIndexState(NamedTuple):
    """The static index that the site file names.

    exists: whether there is one that can be read.
    stale:  the labels of the directories in which files came or went since it was written.
    problem: what is wrong with what the site file says of it.
    """

    path: str
    exists: bool = True
    stale: tuple[str, ...] = ()
    problem: str = ""


class Tie(NamedTuple):
    """A version that is in several directories (labels) of the search path, with a stamp missing or stale."""

    project: str
    version: str
    directories: tuple[str, ...]


class LinkState(NamedTuple):
    """A place that some `find-links` or index option names.

    value:  as it is written, masked.
    real:   the directory without symbolic links; None for what is not on this machine (http).
    exists: whether it is there.
    view:   whether it holds links into the wheelhouse.
    lists:  of a static index of ours: the labels of the directories whose wheels its pages list.
    """

    value: str
    real: str | None
    exists: bool
    view: bool = False
    lists: tuple[str, ...] = ()


class ConstraintState(NamedTuple):
    """A problem of a constraints file, at *path*. *setting*: what names it; None: only the site does."""

    path: str
    setting: PipSetting | None
    problem: ConstraintProblem


@dataclass(frozen=True, kw_only=True, slots=True)
class PipFacts:
    """pip of the target Python and its settings.

    version:  None when there is no pip.
    problem:  its message when it refused to start, masked. broken: whether that is for files it lacks.
    path:     the directory that it is imported from; empty for none. recorded: whether it has a RECORD.
    bundled:  the wheel of a pip that comes with the Python; empty for none.
    available: the newest release of pip for this Python that the host's search path holds; empty for none.
    asked:    `config debug`, `config list`, or empty for one that has neither.
    settings: of files and variables.
    config_file: what PIP_CONFIG_FILE says; None when it is unset.
    config_file_problem: why pip cannot read that file; empty when it can.
    constraints: what is wrong with the constraints files in force, and those of the site.
    ignored:  files of the user's that pip does not read because of PIP_CONFIG_FILE.
    command, command_python: the `pip` on PATH, and the Python that it starts.
    command_is_other: whether that is another Python than the target.
    places:   what values that name a file or an index come to, however they are spelled.
    """

    version: str | None = None
    problem: str = ""
    broken: bool = False
    path: str = ""
    recorded: bool = True
    bundled: str = ""
    available: str = ""
    asked: str = ""
    files: tuple[PipFile, ...] = ()
    settings: tuple[PipSetting, ...] = ()
    links: tuple[LinkState, ...] = ()
    config_file: str | None = None
    config_file_problem: str = ""
    constraints: tuple[ConstraintState, ...] = ()
    ignored: tuple[str, ...] = ()
    command: str | None = None
    command_python: str | None = None
    command_is_other: bool = False
    places: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def in_force(self) -> dict[str, PipSetting]:
        """The settings that count for `pip install`."""
        return in_force(self.settings)


class UvCache(NamedTuple):
    """Where uv keeps its cache.

    elsewhere: whether that is on another file system than the target's site-packages.
    link_mode: how uv installs from it; empty: as it does by default.
    """

    path: str
    elsewhere: bool = False
    link_mode: str = ""


class UvFacts(NamedTuple):
    """uv and what configures it.

    path:     of the uv on PATH.
    settings: the strongest first: of variables, then of files.
    links:    the places on this machine that *settings* and *unread* name: find-links and indexes.
    files:    what it reads, the strongest first.
    unread:   of the machine's files that it does not read, what they say of find-links and indexes.
    problem:  why uv refuses the file *problem_file*; empty when it does not.
    missing:  constraints files that do not exist.
    cache:    None where it has none.
    """

    path: str
    settings: tuple[UvSetting, ...] = ()
    links: tuple[LinkState, ...] = ()
    files: tuple[UvFile, ...] = ()
    unread: tuple[UvSetting, ...] = ()
    problem: str = ""
    problem_file: str = ""
    missing: tuple[str, ...] = ()
    cache: UvCache | None = None


class PathState(NamedTuple):
    """A directory that something is written to.

    variable: what names it, if that is set. problem: why one cannot write there; empty when one can.
    missing:  whether it is not there. noexec: whether programs cannot run there.
    """

    path: str
    variable: str = ""
    problem: str = ""
    missing: bool = False
    noexec: bool = False


class IndexState(NamedTuple):
    """The main package index that pip would ask. *problem*: why it cannot be reached; empty when it can."""

    url: str
    problem: str = ""


class UnknownOverride(NamedTuple):
    """A variable that names an arch or layer which the site does not have. *problem*: a line that says so."""

    variable: str
    name: str
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentFacts:
    """All that the checks know.

    host_options:  --arch, --layer and --python as they were given, to be repeated in commands.
    target_problem: why the target Python could not be asked; empty when it could.
    uv:            the uv on PATH and its settings, or None. shell: the name of the user's shell.
    user:          the number of this user, who need not have a name.
    editor:        the words of a command that opens a file in the user's editor; empty for none.
    python_home:   what PYTHONHOME does to the target; empty for nothing.
    pythons:       paths of the Pythons on PATH, by version (`3.9`), of which findings may speak.
    new_venv:      a path at which the user can make a virtual environment; empty for none.
    unchangeable:  the files and directories among these facts that the user can neither write nor own.
    index:         None when pip would ask none, or nobody looked.
    other_python:  the python3 on PATH, if that is not the target. other_layer: the layer that it is of.
    environ:       variables that bear on it, masked.
    """

    site: SiteFacts
    host: Host
    host_options: tuple[str, ...] = ()
    unknown_overrides: tuple[UnknownOverride, ...] = ()
    directories: tuple[DirectoryState, ...] = ()
    ties: tuple[Tie, ...] = ()
    static_index: StaticIndexState | None = None
    python: PythonFacts | None = None
    target_problem: str = ""
    other_python: str | None = None
    other_layer: str | None = None
    pip: PipFacts = field(default_factory=PipFacts)
    venvs: tuple[VenvState, ...] = ()
    index: IndexState | None = None
    temporary: PathState | None = None
    home: PathState | None = None
    cache: PathState | None = None
    uv: UvFacts | None = None
    installed: InstalledFacts = field(default_factory=InstalledFacts)
    python_home: str = ""
    pythons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    new_venv: str = ""
    unchangeable: frozenset[str] = frozenset()
    shell: str = "sh"
    user: int = 0
    editor: str = "vi"
    environ: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def module_version(self) -> str:
        """The version of the Python module that is loaded, such as `3.11`; empty for none."""
        return module_version(self.environ)

    @property
    def made_by_uv(self) -> bool:
        """Whether the target is of an environment that uv made, which has no pip of its own."""
        return any(each.is_target and each.uv for each in self.venvs)

    @property
    def usable(self) -> bool:
        """Whether commands about this site's wheelhouse can work."""
        return not (self.site.problem or self.site.root_problem)

    @property
    def searched(self) -> list[DirectoryState]:
        """The directories of the host's search path, most specific first."""
        return [each for each in self.directories if each.searched]

    @property
    def indexes(self) -> list[tuple[str, str]]:
        """The indexes that pip would ask: (URL, where it was set). None where nobody looked (see *index*)."""
        return indexes(self.pip.in_force, self.index.url) if self.index is not None else []

    def command(self, *words: str) -> str:
        """A command of this program, about the same site, as a shell's user can run it."""
        return self.site.site.command(*words)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        site = self.site
        same = ("python", "python_home", "target_problem", "other_python", "other_layer", "host")
        places = ("index", "temporary", "home", "cache", "uv", "installed", "environ")
        return {
            "site": {
                "file": site.site.source,
                "root": site.root or None,
                "problem": site.problem or site.root_problem or None,
                **to_plain(site, "file_by", "root_by"),
            },
            "search_path": [
                {
                    **to_plain(each.directory, "path", "label"),
                    **each.directory.to_dict(),
                    **to_plain(each, "exists", "problem", "wheels"),
                }
                for each in self.searched
            ],
            "static_index": to_plain(self.static_index),
            "unstamped_ties": {"count": len(self.ties), "examples": [[*each] for each in self.ties[:5]]},
            "pip": to_plain(
                self.pip,
                *("version", "problem", "broken", "asked", "config_file", "files", "settings", "in_force"),
                "command",
            ),
            "virtual_environments": to_plain(self.venvs),
            "indexes": [{"url": url, "where": where} for url, where in self.indexes],
            **to_plain(self, *same, *places),
        }
