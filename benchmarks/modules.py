"""What loading our module files costs, in Lmod and in Environment Modules.

python benchmarks/modules.py [--quick] [--format markdown] [--rounds N]

Each is compared with a module file that does nothing but set the same variables, in turns, as `run` does it.
One load is one run of the engine, as the shell function `module` starts it. An engine that is not here is
left out: LMOD_CMD and MODULES_CMD name them where they are not in the usual places.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measure import Comparison, Failed, Group, Row, Work, check, measured, report, table

import wheelhouse_resolver
from wheelhouse_resolver.installers.modulefile import dynamic_modulefile, static_modulefile
from wheelhouse_resolver.installers.pip_config import STATIC_FORMS, static_configs
from wheelhouse_resolver.installers.static_files import write_static_configs
from wheelhouse_resolver.site.model import Site

PROJECT = Path(__file__).resolve().parent.parent

#: Where systems have them; the first of the second's is where .ci/run unpacks it.
LMOD = ("/usr/share/lmod/lmod/libexec/lmod", "/opt/apps/lmod/lmod/libexec/lmod")
MODULES = (
    f"{PROJECT}/.debian/usr/lib/*/modulecmd.tcl",
    "/usr/lib/*/modulecmd.tcl",
    "/usr/share/Modules/libexec/modulecmd.tcl",
)

#: The same variables, set to fixed values.
SETENV = {
    "lmod": 'help("x")\nwhatis("Name: x")\n{}',
    "tcl": '#%Module\nproc ModulesHelp {{}} {{\n    puts stderr "x"\n}}\nmodule-whatis "x"\n{}',
}

#: A long ladder, of all CPU families: name -> archspec's microarchitecture.
FAMILIES = {
    "v2": "x86_64_v2", "avx2": "x86_64_v3", "zen2": "zen2", "zen4": "zen4", "avx512": "x86_64_v4",
    "icelake": "icelake", "neoverse_n1": "neoverse_n1", "neoverse_v1": "neoverse_v1", "a64fx": "a64fx",
    "power8": "power8le", "power9": "power9le", "power10": "power10le",
}  # fmt: skip


def engines() -> dict[str, tuple[str, list[str]]]:
    """Those that are here: name -> (dialect, command)."""
    found: dict[str, tuple[str, list[str]]] = {}
    lmod, modules, tclsh = _first("LMOD_CMD", LMOD), _first("MODULES_CMD", MODULES), shutil.which("tclsh")
    if lmod:
        found["Lmod"] = ("lmod", [lmod, "bash"])
    if modules and tclsh:
        found["Modules"] = ("tcl", [tclsh, modules, "bash"])
    return found


def _first(variable: str, patterns: Sequence[str]) -> str | None:
    named = [os.environ[variable]] if variable in os.environ else []
    paths = [*named, *(str(path) for each in patterns for path in sorted(Path("/").glob(each[1:])))]
    return next((path for path in paths if os.path.isfile(path)), None)


def group(name: str, dialect: str, command: list[str], site: Site, scratch: Path, rounds: int) -> Group:
    """The comparisons in one engine."""
    pip = scratch / "pip"
    ending = ".lua" if dialect == "lmod" else ""
    variables = ("PIP_CONFIG_FILE", "WHEELHOUSE_ARCH", "WHEELHOUSE_LAYER", "WHEELHOUSE_ROOT")
    form = 'setenv("{}", "{}")\n' if dialect == "lmod" else 'setenv {} "{}"\n'
    lines = "".join(form.format(each, pip / "pip-avx2-gentoo.conf") for each in variables)
    ours = [sys.executable, "-m", "wheelhouse_resolver"]
    ladder = "".join(f'[[arch]]\nname = "{arch}"\ntarget = "{of}"\n' for arch, of in FAMILIES.items())
    long = Site.parse(f'root = "{site.root}"\n{ladder}', "site.toml")._replace(source=None)
    texts = {
        "static, xdg": static_modulefile(site, "gentoo", dialect, str(pip), form="xdg"),
        "static": static_modulefile(site, "gentoo", dialect, str(pip)),
        "static, 12 levels": static_modulefile(long, "gentoo", dialect, str(pip)),
        "dynamic": dynamic_modulefile(site, "gentoo", dialect, ours),
        "setenv": SETENV[dialect].format(lines),
    }
    works: dict[str, Work] = {}
    for kind, text in texts.items():
        path = scratch / dialect / f"{kind}{ending}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        environ = {"MODULEPATH": str(path.parent), "HOME": str(scratch), "LC_ALL": "C.UTF-8"}
        works[kind] = Work(name=f"{name}: {kind}", command=[*command, "load", kind], environ=environ)
    for kind in set(works) - {"setenv"}:
        wanted = {"dynamic": "PIP_FIND_LINKS=", "static, xdg": "XDG_CONFIG_DIRS="}.get(
            kind, "PIP_CONFIG_FILE="
        )
        if wanted not in check(works[kind]):
            raise Failed(f"{works[kind].name} does not set {wanted.rstrip('=')}")
    return Group(
        rounds=rounds,
        comparisons=[
            Comparison(ours=works["static, xdg"], other=works["setenv"], at_most=1.5),
            Comparison(ours=works["static"], other=works["setenv"], at_most=1.5),
            Comparison(ours=works["static, 12 levels"], other=works["setenv"], at_most=1.5),
            Comparison(ours=works["dynamic"], other=works["setenv"], at_most=None),
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds: does it run?")
    parser.add_argument("--format", choices=("text", "markdown"), default="text")
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    rounds = options.rounds or (5 if options.quick else 61)
    for name in [each for each in os.environ if each.startswith(("LMOD_", "MODULES_", "_LM", "_Module"))]:
        if name not in ("LMOD_CMD", "MODULES_CMD"):
            del os.environ[name]
    os.environ.pop("LOADEDMODULES", None)
    compileall.compile_dir(os.path.dirname(wheelhouse_resolver.__file__), quiet=1)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        site = Site.default(scratch / "wheels")
        for each in site.directories():
            os.makedirs(each.path)
        config = static_configs(site)["avx2-gentoo"]
        archs = ["generic", *(arch.name for arch in site.ladder), *FAMILIES]
        configs = {f"{arch}-gentoo": config for arch in archs}
        for form in STATIC_FORMS:
            list(write_static_configs(configs, str(scratch / "pip"), form))
        found = engines()
        for name in {"Lmod", "Modules"} - {*found}:
            report(f"{name} is not here: its rows are left out")
        try:
            for name, (dialect, command) in found.items():
                report(f"measuring {rounds} loads each in {name}")
                rows += measured(group(name, dialect, command, site, scratch, rounds))
        except Failed as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print(table(rows, options.format))
    return 0


if __name__ == "__main__":
    sys.exit(main())
