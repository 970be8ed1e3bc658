"""What would be if: the policy asked again with one thing of it changed.

Everything is decided by `pick.decide`, a pure function of what a `Scenario` holds; only the METADATA of the
wheel that would win is read.
"""

from __future__ import annotations

from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName
from packaging.version import Version

from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.pick import Pick, decide, sound_versions
from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.selection.requirements import Requirement, parse_requirement
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, TreeFile


class Scenario(NamedTuple):
    """All that the policy goes by, so that one thing of it can be changed.

    site:       whose wheelhouse it is.
    host:       as the site judges it.
    files:      the project's, in all directories of the site.
    """

    site: Site
    host: Host
    asked: Requirement
    policy: Policy
    files: tuple[TreeFile, ...]

    def decided(self) -> Pick:
        """What policy chooses."""
        return decide(self.asked, self.policy, self._searched())

    def sound(self) -> tuple[Candidate | None, list[Version]]:
        """What policy chooses without the versions of which a broken wheel is chosen; and these versions."""
        return sound_versions(self.asked, self.policy, self._searched())

    def _searched(self) -> list[TreeFile]:
        # Layers may share directories: what is searched counts as the host's layer has it.
        path = {directory.path: directory for directory in self.site.search_path(self.host)}
        return [
            each._replace(directory=path[each.directory.path])
            for each in self.files
            if each.directory.path in path
        ]

    def asking(self, specifier: SpecifierSet, project: NormalizedName | None = None) -> Scenario:
        """The same for the versions that *specifier* allows, if need be of another *project*."""
        asked = self.asked
        extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
        marker = f"; {asked.marker}" if asked.marker is not None else ""
        text = f"{project or asked.name}{extras}{specifier}{marker}"
        return self._replace(asked=parse_requirement(text))
