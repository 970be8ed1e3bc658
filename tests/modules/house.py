"""A site with modules, for the real engines."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.factories import BUILTIN_LABELS, make_tree
from tests.modules.engines import Engine, Step
from wheelhouse_resolver.installers.modulefile import static_modulefile
from wheelhouse_resolver.installers.pip_config import static_configs
from wheelhouse_resolver.installers.static_files import write_static_configs

__all__ = ["CPUINFO", "HOSTILE", "House"]

CPUINFO = Path(__file__).parent.parent / "data" / "cpuinfo"

#: What a path may hold that means something to Lua, Tcl or a shell. (Tcl's engine cannot keep a colon.)
HOSTILE = 'm o\'d "q" $HOME ${x} [exit 1] {y ; #h ünïcode \\n back\\slash `id` %41 *?~&|<>()!'


class House:
    """A wheelhouse, its configurations and its module files, below one directory.

    The node is a Haswell (avx2) until a test says otherwise. form: of the configurations. uv: the site's
    [uv] table.
    """

    def __init__(
        self,
        base: Path,
        engine: Engine,
        name: str = "sw",
        *,
        form: str = "file",
        uv: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.engine = engine
        self.form = form
        self.site = make_tree(
            base / name / "wheels", {label: ["demo-1.0-py3-none-any.whl"] for label in BUILTIN_LABELS}
        )
        self.site = self.site._replace(tables=MappingProxyType({"uv": uv}))
        self.pip = base / name / "pip"
        for _ in write_static_configs(static_configs(self.site), str(self.pip), form):
            pass
        self.cpuinfo = base / name / "cpuinfo"
        self.cpu("intel-haswell")
        self.modules = base / "modules"
        for layer in ("nix", "gentoo", None):
            self.add(f"wheelhouse/{layer or 'none'}", self.static(layer))
        # Where each layer's module is another one, not another version of the same.
        self.add("wh-nix/1", self.static("nix"))
        self.add("wh-gentoo/1", self.static("gentoo"))

    def cpu(self, name: str) -> None:
        shutil.copyfile(CPUINFO / f"{name}.txt", self.cpuinfo)

    def static(self, layer: str | None) -> str:
        dialect, cpuinfo = self.engine.dialect, str(self.cpuinfo)
        return static_modulefile(self.site, layer, dialect, str(self.pip), form=self.form, cpuinfo=cpuinfo)

    def add(self, module: str, text: str) -> None:
        self.engine.path_of(self.modules, module).write_text(text, encoding="utf-8")

    def run(self, *lines: str, locale: str = "C.UTF-8", **environ: str) -> list[Step]:
        return self.engine.session(self.modules, *lines, environ=environ, locale=locale)

    def loaded(self, layer: str, arch: str) -> dict[str, str | None]:
        """The variables while the static module of *layer* is loaded."""
        return {
            "PIP_CONFIG_FILE": f"{self.pip}/pip-{arch}-{layer}.conf",
            "PIP_FIND_LINKS": None,
            "UV_FIND_LINKS": None,
            "WHEELHOUSE_ARCH": arch,
            "WHEELHOUSE_LAYER": layer,
            "WHEELHOUSE_ROOT": self.site.root,
        }
