"""What users have: a site, a wheelhouse, a virtual environment and variables; and all of these broken.

The one builder of broken environments: to make a virtual environment takes seconds, so that one is made a
session, copied, and altered.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.factories import clean_environ, make_wheel
from tests.pips import pip_environ
from wheelhouse_resolver.doctor.diagnose import Diagnosis, diagnose
from wheelhouse_resolver.doctor.diagnostics import Diagnostic
from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.doctor.probes.gather import Overrides
from wheelhouse_resolver.host.detect import detect_host
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.site.model import Site

__all__ = ["BREAKS", "TAGS", "Environment", "make_venv"]

#: A site that every machine fits: `base` is any CPU of this family, `foreign` none of it.
SITE = """\
root = "{root}"
[[arch]]
name = "base"
target = "{base}"
[[arch]]
name = "foreign"
target = "{foreign}"
[[layer]]
name = "nix"
interpreter = ["{prefix}/*"]
env = {{ NIX_PROFILES = "*" }}
[[layer]]
name = "gentoo"
default = true
env = {{ EPREFIX = "*" }}
"""

TAGS = "py3-none-any"


def make_venv(path: Path, *options: str) -> Path:
    """A virtual environment of the running Python, with a pip of its own; its Python."""
    command = [sys.executable, "-m", "virtualenv", "--no-download", "--no-setuptools", *options, str(path)]
    subprocess.run(command, check=True, capture_output=True, env=clean_environ())
    return path / "bin" / "python"


class Environment:
    """What a user has: a site, a wheelhouse, a virtual environment, and variables; all is well with it."""

    def __init__(self, above: Path, venv: Path) -> None:
        self.above = above
        self.root = above / "tree"
        self.site = above / "site.toml"
        self.config = above / "pip.conf"
        self.python = str(venv)
        self.write_site()
        for label in ("gentoo/base", "gentoo/generic", "gentoo/foreign", "nix/base", "generic"):
            (self.root / label).mkdir(parents=True)
        make_wheel(self.root / "generic", f"demo-1.0-1000generic-{TAGS}.whl")
        program = above / "bin" / "wheelhouse-resolver"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nPYTHONPATH= exec "{sys.executable}" -m wheelhouse_resolver "$@"\n')
        program.chmod(0o755)
        for name in ("home", "tmp", "cache", "nothing"):
            (above / name).mkdir()
        kept = {k: v for k, v in pip_environ().items() if not k.startswith(("PIP_", "UV_"))}
        for name in (
            "http_proxy",
            "https_proxy",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "LOADEDMODULES",
            "CONDA_PREFIX",
        ):
            kept.pop(name, None)
        self.environ = {
            **kept,
            "HOME": str(above / "home"),
            "TMPDIR": str(above / "tmp"),
            "XDG_CACHE_HOME": str(above / "cache"),
            "XDG_CONFIG_DIRS": str(above / "nothing"),
            "PATH": f"{venv.parent}:{program.parent}:/usr/bin:/bin",
            "SHELL": "/bin/bash",
            "EDITOR": "cat",
            "VIRTUAL_ENV": str(venv.parent.parent),
            "WHEELHOUSE_CONFIG": str(self.site),
            "PIP_CONFIG_FILE": str(self.config),
        }
        self.write_config()

    def write_site(self, more: str = "", prefix: str = "/nix-is-not-here") -> None:
        machine = platform.machine()
        foreign = "power9le" if machine != "ppc64le" else "x86_64"
        text = SITE.format(root=self.root, base=machine, foreign=foreign, prefix=prefix)
        self.site.write_text(text + more)

    def write_config(self, arch: str | None = None, layer: str | None = None, view: str = "") -> None:
        """The file that PIP_CONFIG_FILE names, as `pip-conf --offline` writes it."""
        site = Site.load(environ=self.environ)
        host = detect_host(environ=self.environ, arch=arch, layer=layer, site=site)
        site = site._replace(root=view or site.root)
        self.config.write_text(pip_config(site, host, offline=True).render())

    def diagnose(self, python: str | None = None, **asked: str) -> Diagnosis:
        return diagnose(Overrides(python=python or self.python, **asked), self.environ)

    def gather(self, python: str | None = None, **asked: str) -> EnvironmentFacts:
        return self.diagnose(python, **asked).facts

    def findings(self, python: str | None = None, **asked: str) -> list[Diagnostic]:
        return [*self.diagnose(python, **asked).diagnostics]

    def checks(self, python: str | None = None) -> list[tuple[str, str]]:
        """(check, severity) of all findings."""
        return [(each.check, each.severity.value) for each in self.findings(python)]

    def one(self, check: str, severity: str, python: str | None = None) -> Diagnostic:
        """The one finding there is: of this check."""
        (finding,) = self.findings(python)
        assert (finding.check, finding.severity.value) == (check, severity)
        return finding

    def fix(self, finding: Diagnostic, python: str | None = None) -> None:
        """Do what *finding* says, in the user's shell; then the doctor must not say it again."""
        self.do(finding.fix)
        left = [(each.check, each.message) for each in self.findings(python)]
        assert (finding.check, finding.message) not in left

    def do(self, line: str, *, quiet: bool = True) -> None:
        """Run *line* in the user's shell, elsewhere; what it exports stays. *quiet*: nothing on stderr."""
        after = self.above / "environ"
        done = subprocess.run(
            ["bash", "-c", f'{line} >/dev/null\nenv -0 >"$0"', after],
            env=self.environ,
            cwd=self.above / "nothing",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr if quiet else "") == (0, "")
        variables = os.fsdecode(after.read_bytes()).split("\0")
        self.environ = dict(each.split("=", 1) for each in variables if each)

    def own_venv(self, name: str = "own") -> Path:
        """A copy of the shared virtual environment, which the test may break; it is the active one."""
        shared, own = Path(self.python).parent.parent, self.above / name
        shutil.copytree(shared, own, symlinks=True)
        for script in (own / "bin").iterdir():
            if script.is_file() and not script.is_symlink():
                text = script.read_bytes()
                script.write_bytes(text.replace(os.fsencode(shared), os.fsencode(own)))
        self.use(own)
        return own

    def use(self, venv: Path) -> None:
        """Activate *venv*, as its script does."""
        old = self.environ["VIRTUAL_ENV"]
        self.environ["PATH"] = self.environ["PATH"].replace(f"{old}/bin", f"{venv}/bin", 1)
        self.environ["VIRTUAL_ENV"] = str(venv)
        self.python = str(venv / "bin/python")


def packages_of(venv: Path) -> Path:
    """The site-packages of *venv*."""
    (found,) = venv.glob("lib/python3*/site-packages")
    return found


def unpack(wheel: Path, venv: Path) -> Path:
    """Install *wheel* into *venv* as pip would, without its time; the directory of its metadata."""
    packages = packages_of(venv)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (info,) = packages.glob(f"{wheel.name.partition('-')[0]}-*.dist-info")
    return info


def _above_cpu(env: Environment) -> None:
    wheel = make_wheel(env.root / "gentoo/foreign", f"demo-1.0-300000foreign-{TAGS}.whl")
    unpack(wheel, env.own_venv())


def _moved(env: Environment) -> None:
    env.use(env.own_venv().rename(env.above / "moved"))


def _copied(env: Environment) -> None:
    own = env.own_venv()
    shutil.copytree(own, env.above / "copied", symlinks=True)
    env.use(env.above / "copied")


def _deleted(env: Environment) -> None:
    shutil.rmtree(env.own_venv())


def _half_removed(env: Environment) -> None:
    packages = packages_of(env.own_venv())
    shutil.copytree(next(packages.glob("pip-*.dist-info")), packages / "~ip-1.0.dist-info")
    (packages / "~ip").mkdir()


def _half_removed_for_good(env: Environment) -> None:
    info = unpack(env.root / f"generic/demo-1.0-1000generic-{TAGS}.whl", env.own_venv())
    info.rename(info.with_name(f"~{info.name[1:]}"))


def _python_home(env: Environment) -> None:
    env.environ["PYTHONHOME"] = str(env.above)


def _pip_lacks_files(env: Environment) -> None:
    shutil.rmtree(packages_of(env.own_venv()) / "pip/_internal/cli")


def _pip_lacks_record(env: Environment) -> None:
    _pip_lacks_files(env)
    next(packages_of(Path(env.python).parents[1]).glob("pip-*.dist-info/RECORD")).unlink()


def _managed(env: Environment) -> None:
    """A Python that its distributor manages (PEP 668): `stdlib` is not shared with the real one."""
    del env.environ["VIRTUAL_ENV"]
    real, made = Path(sys.base_prefix), env.above / "managed"
    name = "python{}.{}".format(*sys.version_info[:2])
    if not (real / "lib" / name / "site-packages/pip").is_dir():
        pytest.skip("the Python of these tests has no pip of its own")
    (made / "bin").mkdir(parents=True)
    shutil.copy(os.path.realpath(real / "bin" / name), made / "bin/python3")
    library = made / "lib" / name
    library.mkdir(parents=True)
    for each in (real / "lib" / name).iterdir():
        if each.name != "EXTERNALLY-MANAGED":  # Debian's has one, which must not be written to
            (library / each.name).symlink_to(each)
    (library / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=no\n")
    (made / "bin/pip").write_text(f"#!{made}/bin/python3\n")
    (made / "bin/pip").chmod(0o755)
    env.environ["LD_LIBRARY_PATH"] = str(real / "lib")
    env.environ["PATH"] = f"{made}/bin:{env.above}/bin:/usr/bin:/bin"
    env.python = str(made / "bin/python3")


def _wants_venv(env: Environment) -> None:
    _managed(env)
    next(Path(env.python).parents[1].glob("lib/*/EXTERNALLY-MANAGED")).unlink()
    env.environ["PIP_REQUIRE_VIRTUALENV"] = "1"


def _no_metadata(env: Environment) -> None:
    info = unpack(env.root / f"generic/demo-1.0-1000generic-{TAGS}.whl", env.own_venv())
    (info / "METADATA").unlink()


def _garbage_metadata(env: Environment) -> None:
    info = unpack(env.root / f"generic/demo-1.0-1000generic-{TAGS}.whl", env.own_venv())
    with (info / "METADATA").open("a") as file:
        file.write("Requires-Dist: foo (bad\n")


def _conflict(env: Environment) -> None:
    make_wheel(env.root / "generic", f"other-1.0-1000generic-{TAGS}.whl")
    needs = ["other>=1"]
    unpack(make_wheel(env.above, f"asks-1.0-{TAGS}.whl", requires_dist=needs), env.own_venv())


#: How an environment breaks: the check that finds it and its severity, and what breaks a healthy one.
BREAKS: Mapping[str, tuple[str, str, Callable[[Environment], None]]] = {
    "above-cpu": ("above-cpu", "error", _above_cpu),
    "moved": ("moved-environment", "error", _moved),
    "copied": ("moved-environment", "error", _copied),
    "deleted": ("broken-environment", "error", _deleted),
    "half-removed": ("half-removed", "note", _half_removed),
    "half-removed-for-good": ("half-removed", "warning", _half_removed_for_good),
    "python-home": ("python-home", "error", _python_home),
    "pip-lacks-files": ("pip-missing", "error", _pip_lacks_files),
    "pip-lacks-record": ("pip-missing", "error", _pip_lacks_record),
    "managed": ("outside-environment", "error", _managed),
    "wants-venv": ("outside-environment", "error", _wants_venv),
    "no-metadata": ("invalid-metadata", "warning", _no_metadata),
    "garbage-metadata": ("requirements", "warning", _garbage_metadata),
    "conflict": ("requirements", "warning", _conflict),
}
