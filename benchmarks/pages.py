"""Fills the cache with what an index might say of each project of a tree, as `outdated` would have kept it.

python benchmarks/pages.py ROOT
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from itertools import product
from pathlib import Path

from wheelhouse_resolver.host.target_python import target_python
from wheelhouse_resolver.upkeep.page_cache import Kept, save
from wheelhouse_resolver.upkeep.pages import IndexFile, Page
from wheelhouse_resolver.upkeep.pip_indexes import index_names

_PYTHONS = (310, 311, 312, 313)
_PLATFORMS = ("manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_28_aarch64", "musllinux_1_2_x86_64")

#: Newer than all that a tree has.
_NEWEST = "9.0"


def main() -> int:
    versions: defaultdict[str, set[str]] = defaultdict(lambda: {_NEWEST})
    for path in Path(sys.argv[1]).glob("**/*.whl"):
        project, version, _ = path.name.split("-", 2)
        versions[project].add(version)
    (index,) = index_names(target_python()[0], os.environ)
    now = time.time()
    pages = {}
    for project, several in versions.items():
        files = []
        for version in several:
            files.append(IndexFile(f"{project}-{version}.tar.gz", ">=3.9", uploaded=now))
            for python, platform in product(_PYTHONS, _PLATFORMS):
                name = f"{project}-{version}-cp{python}-cp{python}-{platform}.whl"
                files.append(IndexFile(name, ">=3.9", uploaded=now))
        name = project.lower().replace("_", "-")
        pages[index, name] = Kept(now, text=Page.of_files(files).text)
    save(pages)
    print(len(pages))
    return 0


if __name__ == "__main__":
    sys.exit(main())
