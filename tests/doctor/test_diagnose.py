"""What the doctor makes of facts; real environments are in tests/cli/test_doctor."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from packaging.tags import parse_tag

from tests.factories import make_tree
from wheelhouse_resolver.cli.main import build_parser
from wheelhouse_resolver.doctor.diagnose import CHECKS, run_checks
from wheelhouse_resolver.doctor.diagnostics import Diagnostic, DiagnosticSeverity
from wheelhouse_resolver.doctor.facts import (
    ConstraintState,
    DirectoryState,
    EnvironmentFacts,
    IndexState,
    LinkState,
    PathState,
    PipFacts,
    SiteFacts,
    StaticIndexState,
    Tie,
    UnknownOverride,
    UvCache,
    UvFacts,
)
from wheelhouse_resolver.doctor.pip_settings import (
    PipFile,
    PipSetting,
    environment_settings,
    in_force,
    parse_debug,
    parse_list,
    where_stated,
)
from wheelhouse_resolver.doctor.probes.target import shadowed
from wheelhouse_resolver.doctor.probes.ties import unstamped_ties
from wheelhouse_resolver.doctor.python_facts import (
    AboveCpu,
    Added,
    Conflict,
    InstalledFacts,
    Leftover,
    PolicyModuleState,
    PythonFacts,
    Shadowed,
    VenvState,
)
from wheelhouse_resolver.doctor.uv_settings import UvFile, UvIndex, UvSetting
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.layer import Evidence
from wheelhouse_resolver.host.target_python import TargetPython
from wheelhouse_resolver.selection.constraints import ConstraintProblem, Trouble
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.wheelhouse import Wheelhouse

ROOT = "/sw/the wheelhouse"
PYTHON = "/env/my env/bin/python"
BUNDLED = "/b/pip-26.3-py3-none-any.whl"

#: What makes a new environment of the Python at this path.
MAKES = "{} -m venv '/home/me/my env-new' && . '/home/me/my env-new/bin/activate'"


def setting(option: str, value: str, origin: str = "env", section: str = "global") -> PipSetting:
    files = {"env": "/etc/our pip.conf", "env_var": "", "files": ""}
    file = files.get(origin, f"/{origin}/pip.conf")
    return PipSetting(origin=origin, file=file, section=section, option=option, value=value)


def links_to(*labels: str) -> str:
    return " ".join(f"file:///{label}" for label in labels)


def link_states(settings: tuple[PipSetting, ...]) -> tuple[LinkState, ...]:
    """`file:///LABEL` is the directory LABEL of the site, `file:///gone/...` nothing that exists."""
    values = dict.fromkeys(v for each in settings if each.option == "find-links" for v in each.values)
    return tuple(
        LinkState(
            value=value,
            real=value[7:] if value.startswith(("file:///gone", f"file://{ROOT}")) else f"{ROOT}{value[7:]}",
            exists=not value.startswith("file:///gone"),
        )
        for value in values
    )


def healthy(**changes: Any) -> EnvironmentFacts:
    """An environment in which everything is right: an avx2 host of the layer gentoo."""
    site = Site.default(ROOT)
    host = Host(
        arch="avx2",
        layer="gentoo",
        python=TargetPython("running", None),
        arch_evidence=(Evidence("cpu", "avx2", "a CPU"),),
        layer_evidence=(
            Evidence("prefix", "gentoo", "prefix /gentoo"),
            Evidence("environment", "gentoo", "EPREFIX=/gentoo"),
        ),
    )
    searched = list(site.search_path(host))
    directories = tuple(
        DirectoryState(directory=each, real=each.path, searched=each in searched, exists=True, wheels=3)
        for each in [*searched, *(each for each in site.directories() if each not in searched)]
    )
    settings = (
        setting("find-links", links_to(*(each.label for each in searched))),
        setting("no-index", "true"),
    )
    facts = EnvironmentFacts(
        site=SiteFacts(site=site, root=ROOT, real_root=ROOT),
        host=host,
        directories=directories,
        python=PythonFacts(
            executable=PYTHON,
            version="3.11.7",
            prefix="/env/my env",
            base_prefix="/gentoo",
            base_executable="/gentoo/bin/python3.11",
        ),
        pythons=MappingProxyType({"3.9": "/usr/bin/python3.9", "3.10": "/p/python3.10", "3": "/p/python3"}),
        new_venv="/home/me/my env-new",
        other_python="/gentoo/bin/python3",
        other_layer="gentoo",
        pip=with_settings(
            PipFacts(version="26.3", asked="config debug", path="/s", bundled=BUNDLED, available="26.3"),
            *settings,
        ),
        temporary=PathState(path="/tmp"),
        home=PathState(path="/home/me", variable="HOME"),
        cache=PathState(path="/home/me/.cache/wheelhouse-resolver"),
    )
    return replace(facts, **changes)


def with_settings(pip: PipFacts, *settings: PipSetting, **changes: Any) -> PipFacts:
    """*pip* with these settings instead of its own."""
    return replace(
        pip, settings=settings, links=link_states(settings), config_file="/etc/our pip.conf", **changes
    )


def and_also(*more: PipSetting, **changes: Any) -> EnvironmentFacts:
    """The healthy environment with *more* settings of pip."""
    facts = healthy()
    return replace(facts, pip=with_settings(facts.pip, *facts.pip.settings, *more, **changes))


def only_finding(facts: EnvironmentFacts) -> Diagnostic:
    (finding,) = run_checks(facts)
    return finding


def test_in_a_healthy_environment_there_is_nothing_to_say() -> None:
    assert run_checks(healthy()) == []


def test_the_names_of_checks_are_unique_and_plain() -> None:
    names = [check.name for check in CHECKS]
    assert len({*names}) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)


# -- pip's settings ----------------------------------------------------------------------------------------

DEBUG = """\
env_var:
  PIP_CONFIG_FILE='/tmp/f, exists: True.conf'
  PIP_FIND_LINKS='/x /y'
env:
  /tmp/f, exists: True.conf, exists: True
    global.find-links: 
    file:///a%20b
    file:///c
    global.no_binary: numpy
    install.index-url: https://me:secret@example.org/simple
global:
  /etc/xdg/pip/pip.conf, exists: False
  /etc/pip.conf, exists: True
    global.timeout: 3
site:
  /env/pip.conf, exists: False
user:
  /home/me/.pip/pip.conf, exists: False
"""  # noqa: W291 - pip prints it so


def test_what_config_debug_prints() -> None:
    files, settings = parse_debug(DEBUG)
    path = "/tmp/f, exists: True.conf"
    assert files == (
        PipFile(origin="env", path=path, exists=True),
        PipFile(origin="global", path="/etc/xdg/pip/pip.conf", exists=False),
        PipFile(origin="global", path="/etc/pip.conf", exists=True),
        PipFile(origin="site", path="/env/pip.conf", exists=False),
        PipFile(origin="user", path="/home/me/.pip/pip.conf", exists=False),
    )
    assert settings == (
        PipSetting(origin="env", file=path, option="find-links", value="file:///a%20b\nfile:///c"),
        PipSetting(origin="env", file=path, option="no-binary", value="numpy"),
        PipSetting(
            origin="env",
            file=path,
            section="install",
            option="index-url",
            value="https://***@example.org/simple",
        ),
        PipSetting(origin="global", file="/etc/pip.conf", option="timeout", value="3"),
    )
    assert settings[0].values == ["file:///a%20b", "file:///c"]


def test_a_setting_that_pip_repeats_is_of_the_file_that_states_it(tmp_path: Path) -> None:
    first, last, gone = (str(tmp_path / name) for name in ("first", "last", "gone"))
    Path(first).write_text("[global]\nNo_Binary = numpy\ntimeout = 3\n")
    Path(last).write_text("[global]\ntimeout = 5\n[install]\nno-binary = scipy\n")
    repeated = "    global.no-binary: numpy\n    global.timeout: 5\n    install.no-binary: scipy\n"
    text = "global:\n" + "".join(f"  {path}, exists: True\n{repeated}" for path in (first, last))
    stated = where_stated(parse_debug(text)[1])
    assert [(Path(each.file).name, each.section, each.option) for each in stated] == [
        ("first", "global", "no-binary"),
        ("first", "global", "timeout"),
        ("last", "global", "timeout"),
        ("last", "install", "no-binary"),
    ]
    assert in_force(stated)["timeout"].file == last
    believed = parse_debug(f"user:\n  {gone}, exists: True\n{repeated}")[1]
    assert where_stated(believed) == believed


def test_what_config_list_prints() -> None:
    text = (
        ":env:.find-links='/x'\nglobal.find-links='\\nfile:///a\\nfile:///c'\ninstall.no-index='yes'\nnoise\n"
    )
    assert parse_list(text) == (
        PipSetting(origin="files", option="find-links", value="file:///a\nfile:///c"),
        PipSetting(origin="files", section="install", option="no-index", value="yes"),
    )


@pytest.mark.parametrize(
    "text", ["", "\n", "env:\n", "    global.x: 1\n", "nothing: like it\n  x\n", "\x00\udc80"]
)
def test_what_pip_never_printed_is_no_setting(text: str) -> None:
    assert parse_debug(text)[1] == ()
    assert parse_list(text) == ()


def test_variables_are_settings_but_for_empty_ones_and_the_files_name() -> None:
    environ = {"PIP_NO_INDEX": "1", "PIP_USER": "", "PIP_CONFIG_FILE": "/x", "PIPX": "1", "OTHER": "2"}
    assert environment_settings(environ) == (PipSetting(origin="env_var", option="no-index", value="1"),)


def test_a_command_section_beats_global_of_every_file_and_variables_beat_both() -> None:
    settings = [
        setting("timeout", "var", "env_var"),
        setting("find-links", "global of env", "env"),
        setting("find-links", "install of user", "user", "install"),
        setting("find-links", "install of global", "global", "install"),
        setting("timeout", "install", "env", "install"),
        setting("no-index", "", "env", "install"),
        setting("no-index", "kept", "global"),
        setting("format", "columns", "env", "list"),
        setting("retries", "site", "site"),
        setting("retries", "user", "user"),
        setting("proxy", "machine", "global"),
        setting("proxy", "", "user"),
        setting("cert", "machine", "global"),
        setting("cert", "", "env_var"),
    ]
    assert {name: each.value for name, each in in_force(settings).items()} == {
        "timeout": "var",
        "find-links": "install of user",
        "no-index": "kept",
        "retries": "site",
        "cert": "machine",
    }
    assert in_force(settings, "list")["format"].value == "columns"


# -- each check --------------------------------------------------------------------------------------------


def host_with(**changes: Any) -> EnvironmentFacts:
    return healthy(host=healthy().host._replace(**changes))


def python_with(**changes: Any) -> EnvironmentFacts:
    python = healthy().python
    assert python is not None
    return healthy(python=replace(python, **changes))


def pip_with(**changes: Any) -> EnvironmentFacts:
    return healthy(pip=replace(healthy().pip, **changes))


def constraint_problem(trouble: Trouble, by: PipSetting | None = None) -> ConstraintState:
    return ConstraintState("/c d.txt", by, ConstraintProblem(trouble, "THIS"))


def site_with(**changes: Any) -> EnvironmentFacts:
    return healthy(site=SiteFacts(site=Site.default(ROOT), root=ROOT, **changes), directories=())


def directories_with(label: str, **changes: Any) -> EnvironmentFacts:
    return healthy(
        directories=tuple(
            each._replace(**changes) if label in (each.directory.label, "*") else each
            for each in healthy().directories
        )
    )


def numpy_in(directory: str) -> Shadowed:
    return Shadowed(name="numpy", version="1.0", by=directory, hidden_version="2.0", hidden="/s")


def stated_arch(evidence: Evidence) -> EnvironmentFacts:
    return host_with(arch_evidence=(evidence, Evidence("cpu", "avx2", "x")))


def around(value: str | None, *, python: str | None = "gentoo") -> EnvironmentFacts:
    evidence = [Evidence("prefix", python, "prefix /p")] if python else []
    return host_with(layer=python or value, layer_evidence=(*evidence, Evidence("environment", value, "A=1")))


ALL_LINKS = links_to("gentoo/avx2", "gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic")

LOADS = f'eval "$(wheelhouse-resolver pip-conf --root {shlex.quote(ROOT)} --format sh)"'


def uv_with(option: str, value: str, *more: UvSetting) -> UvFacts:
    settings = (UvSetting(option, tuple(value.split()), "UV_X", "UV_X"), *more)
    return UvFacts("/bin/uv", settings, link_states((setting("find-links", value),)))


def flat(*labels: str) -> UvSetting:
    """What a `uv.toml` of the site says of the search path."""
    urls = tuple((links_to(*labels) if labels else ALL_LINKS).split())
    indexes = tuple(UvIndex(each, flat=True) for each in urls)
    return UvSetting("index", urls, "index in /x/uv/uv.toml", file="/x/uv/uv.toml", indexes=indexes)


def with_uv(*settings: UvSetting) -> EnvironmentFacts:
    """The healthy environment with a uv that reads `/x/uv/uv.toml`, the machine's, and *settings*."""
    best = UvSetting("index-strategy", ("unsafe-best-match",), "index-strategy in x", file="/x/uv/uv.toml")
    urls = " ".join(value for each in settings if each.option == "index" for value in each.values)
    states = link_states((setting("find-links", urls),))
    states = tuple(each._replace(real=None) if each.value.startswith("http") else each for each in states)
    files = (UvFile("machine", "/x/uv/uv.toml"),)
    return healthy(uv=UvFacts("/bin/uv", (*settings[1:], settings[0], best), states, files))


def of_the_machine(*more: PipSetting) -> EnvironmentFacts:
    """The healthy environment, the site's settings being the machine's, with *more* settings."""
    facts = healthy()
    machines = [setting(each.option, each.value, "global") for each in facts.pip.settings]
    return replace(facts, pip=with_settings(facts.pip, *machines, *more))


def moved(scripts: str, **changes: Any) -> EnvironmentFacts:
    venv = VenvState(path="/env/my env", is_target=True, scripts=scripts)._replace(**changes)
    return replace(python_with(in_venv=True), venvs=(venv,))


def installed(**changes: Any) -> EnvironmentFacts:
    return healthy(installed=InstalledFacts(**changes))


#: What each check finds: (name, facts, severity, what its line says, the command that fixes it).
CASES: list[tuple[str, EnvironmentFacts, str, str, str]] = [
    (
        "site-file",
        site_with(problem="/e/s.toml, line 3: bad", file="/e/s.toml", line=3, file_by="directories"),
        "error",
        "/e/s.toml, line 3: bad; the built-in site was used",
        "vi +3 /e/s.toml",
    ),
    (
        "site-file",
        site_with(problem="gone", file="/e/s.toml", file_missing=True, file_by="WHEELHOUSE_CONFIG"),
        "error",
        "gone",
        "unset WHEELHOUSE_CONFIG",
    ),
    (
        "root",
        site_with(root_by="WHEELHOUSE_ROOT", root_problem="does not exist"),
        "error",
        f"wheelhouse {ROOT} (named by WHEELHOUSE_ROOT): does not exist",
        "unset WHEELHOUSE_ROOT",
    ),
    (
        "root",
        site_with(root_by="site file", file="/e/s.toml", root_problem="does not exist"),
        "error",
        "named by site file",
        "vi /e/s.toml",
    ),
    (
        "root",
        replace(site_with(root_problem="none found"), pip=PipFacts(version="26.3", asked="config debug")),
        "error",
        "none found; load the site's module, or set WHEELHOUSE_CONFIG or WHEELHOUSE_ROOT",
        "",
    ),
    (
        "root",
        site_with(root_problem="none found"),
        "warning",
        "the site file is not known here, though [global] find-links in /etc/our pip.conf names what may be "
        "its wheelhouse: load the site's module, or set WHEELHOUSE_CONFIG",
        "",
    ),
    (
        "missing-base",
        site_with(missing_bases=(("wheelhouse /b: does not exist", "mount it"),)),
        "warning",
        "wheelhouse /b: does not exist: mount it",
        "",
    ),
    (
        "unreadable-directory",
        directories_with("gentoo/avx2", problem="Permission denied"),
        "error",
        f"cannot list {ROOT}/gentoo/avx2, which this host searches: Permission denied",
        f"chmod a+rx '{ROOT}/gentoo/avx2'",
    ),
    (
        "unreadable-directory",
        directories_with("nix/avx2", problem="Permission denied"),
        "warning",
        "which other hosts search",
        f"chmod a+rx '{ROOT}/nix/avx2'",
    ),
    (
        "empty-search-path",
        directories_with("*", exists=False),
        "error",
        "none of the directories that this host searches exists: gentoo/avx2, gentoo/avx",
        "wheelhouse-resolver init --root '/sw/the wheelhouse'",
    ),
    (
        "empty-search-path",
        directories_with("*", wheels=0),
        "warning",
        "hold no wheel",
        "wheelhouse-resolver detect --root '/sw/the wheelhouse'",
    ),
    (
        "unknown-override",
        healthy(
            unknown_overrides=(
                UnknownOverride(variable="RSNT_ARCH", name="mmx", problem="unknown arch 'mmx'"),
            )
        ),
        "error",
        "RSNT_ARCH: unknown arch 'mmx'",
        "unset RSNT_ARCH",
    ),
    (
        "arch-override",
        host_with(
            arch_evidence=(Evidence("RSNT_ARCH", "avx512", "RSNT_ARCH=avx512"), Evidence("cpu", "avx2", "x"))
        ),
        "error",
        "RSNT_ARCH=avx512 is above what this CPU can run: avx2 (x); its wheels may crash here",
        "unset RSNT_ARCH",
    ),
    (
        "arch-override",
        host_with(
            arch_evidence=(Evidence("option", "generic", "given as generic"), Evidence("cpu", "avx2", "x"))
        ),
        "note",
        "below what this CPU can run: avx2",
        "wheelhouse-resolver doctor --root '/sw/the wheelhouse'",
    ),
    (
        "unstamped-ties",
        healthy(ties=tuple(Tie("numpy", f"1.{n}", ("gentoo/avx2", "generic")) for n in range(6))),
        "warning",
        "6 versions are in several directories without current stamps: "
        + "".join(f"numpy 1.{n} in gentoo/avx2, generic; " for n in range(5))
        + "...",
        "wheelhouse-resolver restamp --root '/sw/the wheelhouse'",
    ),
    (
        "stale-static-index",
        healthy(static_index=StaticIndexState("/sw/index", stale=("generic", "gentoo/avx2"))),
        "warning",
        "the static index /sw/index was written before files came into or went out of generic, gentoo/avx2",
        "wheelhouse-resolver index --root '/sw/the wheelhouse'",
    ),
    (
        "stale-static-index",
        healthy(
            static_index=StaticIndexState("/sw/index", exists=False), unchangeable=frozenset({"/sw/index"})
        ),
        "warning",
        "the static index /sw/index that the site file names is not there, or cannot be read; `index` is for",
        "",
    ),
    (
        "unstamped-ties",
        healthy(
            ties=(Tie("numpy", "1.0", ("gentoo/avx2", "generic")),),
            directories=tuple(
                each._replace(directory=each.directory._replace(base="national"))
                for each in healthy().directories
            ),
        ),
        "warning",
        "a base is read-only: an index, a view or uv's flat indexes keep its order",
        "",
    ),
    (
        "stale-static-index",
        healthy(
            static_index=StaticIndexState("", exists=False, problem="/s.toml: [index] directory: missing"),
            site=SiteFacts(site=Site.default(ROOT), file="/s.toml", root=ROOT, real_root=ROOT),
        ),
        "error",
        "/s.toml: [index] directory: missing",
        "vi /s.toml",
    ),
    (
        "pip-missing",
        pip_with(version=None, problem="No module named pip", path=""),
        "error",
        "No module named pip",
        f"'{PYTHON}' -m ensurepip --upgrade",
    ),
    (
        "pip-too-old",
        pip_with(version="19.2.3"),
        "error",
        "pip 19.2.3 is too old",
        f"'{PYTHON}' -m pip install --upgrade pip",
    ),
    (
        "older-pip",
        pip_with(version="20.2.4"),
        "warning",
        "pip 20.2.4 fails where Requires-Python bars the newest version",
        f"'{PYTHON}' -m pip install --upgrade pip",
    ),
    (
        "constraints",
        pip_with(constraints=(constraint_problem(Trouble.REFUSED),)),
        "error",
        "THIS: every pip install fails (pip 20.3 and later) ([pip] constraint of the site)",
        "vi '/c d.txt'",
    ),
    (
        "constraints",
        pip_with(version="25.3", constraints=(constraint_problem(Trouble.BUILD),)),
        "error",
        "the build-constraint THIS: every pip install fails (pip 25.3 and later) "
        "([pip] build-constraint of the site)",
        "vi '/c d.txt'",
    ),
    (
        "constraints",
        pip_with(constraints=(constraint_problem(Trouble.REQUIREMENTS),)),
        "warning",
        "THIS is required by a constraints file: pip installs it with everything",
        "vi '/c d.txt'",
    ),
    (
        "selection",
        and_also(setting("constraint", "/c.txt", "env_var")),
        "note",
        "pip obeys /c.txt, which avail, pick and why-not do not know (PIP_CONSTRAINT)",
        "unset PIP_CONSTRAINT",
    ),
    (
        "selection",
        and_also(setting("ignore-requires-python", "1", "env_var")),
        "warning",
        "for other Pythons",
        "unset PIP_IGNORE_REQUIRES_PYTHON",
    ),
    (
        "selection",
        and_also(setting("no-deps", "1", "env_var")),
        "warning",
        "nothing of what a project needs",
        "unset PIP_NO_DEPS",
    ),
    (
        "selection",
        and_also(setting("all-releases", ":all:", "env_var")),
        "note",
        "takes pre-releases of :all:",
        "unset PIP_ALL_RELEASES",
    ),
    (
        "other-pip",
        pip_with(command="/usr/bin/pip", command_python="/usr/bin/python3", command_is_other=True),
        "warning",
        f"/usr/bin/pip and installs for /usr/bin/python3, not for {PYTHON}",
        "wheelhouse-resolver doctor --root '/sw/the wheelhouse' --python /usr/bin/python3",
    ),
    (
        "config-file",
        pip_with(config_file="/a b/pip.conf", config_file_problem="No such file or directory"),
        "error",
        "PIP_CONFIG_FILE names /a b/pip.conf",
        "mkdir -p '/a b' && "
        "wheelhouse-resolver pip-conf --root '/sw/the wheelhouse' --output '/a b/pip.conf'",
    ),
    (
        "config-file",
        pip_with(config_file="/pip.conf", config_file_problem="Permission denied"),
        "error",
        "Permission denied",
        "chmod a+r /pip.conf",
    ),
    (
        "config-file",
        pip_with(config_file="/dev/null", config_file_problem="it is the null device"),
        "error",
        "null device",
        "unset PIP_CONFIG_FILE",
    ),
    (
        "config-broken",
        pip_with(problem="File contains no section headers. file: '/x/pip.conf', line: 1"),
        "error",
        "pip refuses its configuration: File contains no section headers.",
        "vi /x/pip.conf",
    ),
    (
        "config-unread",
        pip_with(version="20.3", asked="config list"),
        "note",
        "pip 20.3 does not say which file a setting is from",
        f"'{PYTHON}' -m pip install --upgrade pip",
    ),
    (
        "overridden-setting",
        and_also(setting("timeout", "5"), setting("timeout", "90", "env_var")),
        "warning",
        "PIP_TIMEOUT = 90 beats [global] timeout in /etc/our pip.conf = 5",
        "unset PIP_TIMEOUT",
    ),
    (
        "overridden-setting",
        and_also(setting("timeout", "5"), setting("timeout", "90", "global", "install")),
        "warning",
        "[install] timeout in /global/pip.conf = 90 beats",
        f"'{PYTHON}' -m pip config --global unset install.timeout",
    ),
    (
        "no-binary",
        and_also(setting("no-binary", "numpy")),
        "warning",
        "no wheel of numpy",
        "vi '/etc/our pip.conf'",
    ),
    (
        "no-binary",
        and_also(setting("no-binary", ":all:", "env_var")),
        "error",
        "no wheel at all",
        "unset PIP_NO_BINARY",
    ),
    (
        "selection",
        and_also(setting("require-hashes", "yes", "user")),
        "warning",
        "wants a hash",
        f"'{PYTHON}' -m pip config --user unset global.require-hashes",
    ),
    (
        "selection",
        and_also(setting("only-binary", "scipy", "env_var")),
        "note",
        "of scipy",
        "unset PIP_ONLY_BINARY",
    ),
    (
        "selection",
        and_also(setting("prefer-binary", "1", "env_var")),
        "note",
        "older wheel",
        "unset PIP_PREFER_BINARY",
    ),
    (
        "install-place",
        and_also(setting("user", "1", "env_var")),
        "warning",
        "installs into the user's own site-packages (PIP_USER)",
        "unset PIP_USER",
    ),
    (
        "install-place",
        and_also(setting("target", "/t", "env_var")),
        "warning",
        "into /t (PIP_TARGET)",
        "unset PIP_TARGET",
    ),
    (
        "index-unreachable",
        healthy(index=IndexState(url="https://x/simple", problem="Connection refused")),
        "warning",
        "https://x/simple, which cannot be reached: Connection refused",
        "export PIP_NO_INDEX=1",
    ),
    (
        "ignored-config",
        pip_with(ignored=("/home/me/.pip/pip.conf",)),
        "note",
        "pip does not read /home/me/.pip/pip.conf, because PIP_CONFIG_FILE names /etc/our pip.conf",
        "",
    ),
    (
        "ignored-config",
        healthy(
            pip=with_settings(
                PipFacts(version="26.3", asked="config debug", ignored=("/home/me/.pip/pip.conf",)),
                *(replace(each, origin="env_var") for each in healthy().pip.settings),
            )
        ),
        "note",
        "pip does not read /home/me/.pip/pip.conf",
        "unset PIP_CONFIG_FILE",
    ),
    (
        "overridden-setting",
        of_the_machine(setting("no-index", "", "user")),
        "warning",
        "[global] no-index in /user/pip.conf is empty, which takes [global] no-index in /global/pip.conf = ",
        f"'{PYTHON}' -m pip config --user unset global.no-index",
    ),
    (
        "overridden-setting",
        of_the_machine(setting("no-index", "no", "user")),
        "note",
        "[global] no-index in /user/pip.conf = no beats [global] no-index in /global/pip.conf = true",
        f"'{PYTHON}' -m pip config --user unset global.no-index",
    ),
    (
        "environment-config",
        and_also(setting("timeout", "5", "site"), setting("cert", "/c", "site")),
        "note",
        "/site/pip.conf, of the target Python's own environment, sets cert, timeout",
        "vi /site/pip.conf",
    ),
    (
        "uv",
        healthy(uv=UvFacts("/bin/uv")),
        "note",
        "/bin/uv knows no wheelhouse: neither UV_FIND_LINKS nor a uv.toml names one",
        "eval \"$(wheelhouse-resolver pip-conf --root '/sw/the wheelhouse' --format sh)\"",
    ),
    (
        "target",
        healthy(python=None, target_problem="/x/python cannot be run here"),
        "error",
        "the target Python's pip is unknown: /x/python cannot be run here",
        "wheelhouse-resolver doctor --root '/sw/the wheelhouse' --python /gentoo/bin/python3",
    ),
    (
        "target",
        replace(
            host_with(python=TargetPython("3.9", None, version="3.9")),
            python=None,
            target_problem="a version",
        ),
        "note",
        "a version",
        "wheelhouse-resolver doctor --root '/sw/the wheelhouse' --python /gentoo/bin/python3",
    ),
    (
        "other-layer",
        around("nix"),
        "error",
        f"{PYTHON} is of layer gentoo (prefix /p), yet layer nix is loaded (A=1); take a Python of layer nix",
        "",
    ),
    (
        "other-layer",
        replace(around("nix"), other_python="/nix/python3", other_layer="nix"),
        "error",
        f"{PYTHON} is of layer gentoo (prefix /p), yet layer nix is loaded (A=1)",
        "wheelhouse-resolver doctor --root '/sw/the wheelhouse' --python /nix/python3",
    ),
    (
        "other-layer",
        around("gentoo", python=None),
        "warning",
        "is of no layer, yet layer gentoo is loaded",
        "wheelhouse-resolver doctor --root '/sw/the wheelhouse' --python /gentoo/bin/python3",
    ),
    (
        "other-layer",
        replace(around("nix"), python=python_with(in_venv=True).python),
        "error",
        "yet layer nix is loaded (A=1); take a Python of layer nix, or unload that",
        "",
    ),
    (
        "other-layer",
        replace(
            around("nix"),
            python=python_with(in_venv=True).python,
            other_python="/nix/python3",
            other_layer="nix",
        ),
        "error",
        "is of layer gentoo",
        MAKES.format("/nix/python3"),
    ),
    (
        "conda",
        replace(python_with(conda="/opt/conda"), environ={"CONDA_PREFIX": "/opt/conda"}),
        "error",
        "of the conda environment /opt/conda, and the wheels are for layer gentoo",
        "conda deactivate",
    ),
    (
        "conda",
        python_with(conda="/opt/conda"),
        "error",
        "and the wheels are for layer gentoo",
        MAKES.format("/gentoo/bin/python3"),
    ),
    (
        "conda",
        replace(python_with(conda="/opt/conda"), other_layer=None),
        "error",
        "and the wheels are for layer gentoo; make a virtual environment of a Python of layer gentoo",
        "",
    ),
    (
        "conda",
        healthy(environ={"CONDA_PREFIX": "/opt/conda"}),
        "warning",
        "/opt/conda is active, and the target Python is not of it",
        "conda deactivate",
    ),
    (
        "broken-environment",
        healthy(venvs=(VenvState(path="/env/my env", version="3.9.1", problem="its Python is gone"),)),
        "error",
        "/env/my env cannot run: its Python is gone",
        MAKES.format("/usr/bin/python3.9"),
    ),
    (
        "other-environment",
        healthy(venvs=(VenvState(path="/other", active=True), VenvState(path="/third"))),
        "note",
        f"/other is active; this report is about {PYTHON}",
        "wheelhouse-resolver doctor --root '/sw/the wheelhouse' --python /other/bin/python",
    ),
    (
        "other-version",
        replace(python_with(in_venv=True), environ={"LOADEDMODULES": "gcc/12:python/3.10.4:x/1"}),
        "warning",
        "the virtual environment /env/my env has Python 3.11; the module that is loaded is Python 3.10",
        MAKES.format("/p/python3.10"),
    ),
    (
        "other-version",
        healthy(environ={"EBVERSIONPYTHON": "3.10.1"}),
        "warning",
        f"{PYTHON} has Python 3.11; the module that is loaded is Python 3.10",
        "wheelhouse-resolver doctor --root '/sw/the wheelhouse' --python /p/python3.10",
    ),
    (
        "manylinux-policy",
        python_with(policy_module=PolicyModuleState(path="/l/_manylinux.py", refuses=True, ours=True)),
        "note",
        "/l/_manylinux.py refuses manylinux wheels; it is what `policy-module` writes",
        "",
    ),
    (
        "manylinux-policy",
        python_with(policy_module=PolicyModuleState(path="/l/_manylinux.py")),
        "note",
        "has no opinion; it is not what",
        "mv /l/_manylinux.py /l/_manylinux.py.off",
    ),
    (
        "manylinux-policy",
        python_with(policy_module=PolicyModuleState(path="/l/_manylinux.py", problem="KeyError: 1")),
        "error",
        "KeyError: 1",
        "mv /l/_manylinux.py /l/_manylinux.py.off",
    ),
    (
        "shadowed",
        python_with(
            user_site="/u",
            shadowed=(numpy_in("/u"),),
        ),
        "note",
        "/u comes before what is installed: numpy 1.0 (hides 2.0)",
        "export PYTHONNOUSERSITE=1",
    ),
    (
        "shadowed",
        python_with(shadowed=(numpy_in("/p"),)),
        "note",
        "/p comes before",
        "unset PYTHONPATH",
    ),
    (
        "temporary-directory",
        healthy(temporary=PathState(path="/a b", variable="TMPDIR", problem="No such file", missing=True)),
        "error",
        "temporary directory /a b (TMPDIR): No such file",
        "mkdir -p '/a b'",
    ),
    (
        "temporary-directory",
        healthy(temporary=PathState(path="/t", variable="TMPDIR", problem="Permission denied")),
        "error",
        "Permission denied",
        "unset TMPDIR",
    ),
    (
        "temporary-directory",
        healthy(temporary=PathState(path="/tmp", noexec=True)),
        "error",
        "noexec",
        "mkdir -p /home/me/tmp && export TMPDIR=/home/me/tmp",
    ),
    (
        "home",
        healthy(home=PathState(path="/home/me", problem="Disk quota exceeded")),
        "note",
        "/home/me: Disk quota exceeded",
        "df -h /home/me",
    ),
    (
        "cache",
        healthy(cache=PathState(path="/c", problem="Read-only file system")),
        "note",
        "cannot write to the cache /c: Read-only file system",
        "export XDG_CACHE_HOME=/tmp/cache-0",
    ),
    (
        "pip-missing",
        pip_with(version="26.3", broken=True, problem="ModuleNotFoundError: No module named 'pip._internal'"),
        "error",
        "has no pip that works in /s: ModuleNotFoundError",
        f"'{PYTHON}' {BUNDLED}/pip install --force-reinstall --no-index --no-deps {BUNDLED}",
    ),
    (
        "pip-missing",
        pip_with(version="26.3", broken=True, recorded=False, problem="x"),
        "error",
        "has no pip that works",
        f"'{PYTHON}' {BUNDLED}/pip install --ignore-installed --no-index --no-deps {BUNDLED}",
    ),
    (
        "pip-missing",
        replace(pip_with(version=None, problem="x"), environ={"PYTHONPATH": "/x:/s"}),
        "error",
        "in /s: x",
        "unset PYTHONPATH",
    ),
    (
        "pip-missing",
        replace(
            pip_with(version=None, problem="No module named pip", path=""),
            venvs=(VenvState(path="/env/my env", is_target=True, uv="0.13.9"),),
            uv=uv_with("find-links", ALL_LINKS),
        ),
        "note",
        "has no pip: uv made its environment",
        "",
    ),
    (
        "outside-environment",
        and_also(setting("require-virtualenv", "1", "env_var")),
        "error",
        f"{PYTHON} is in no virtual environment, and pip wants one (PIP_REQUIRE_VIRTUALENV)",
        MAKES.format("/gentoo/bin/python3.11"),
    ),
    (
        "outside-environment",
        python_with(managed=True),
        "error",
        f"{PYTHON} is externally managed: pip installs into its virtual environments only",
        MAKES.format("/gentoo/bin/python3.11"),
    ),
    (
        "outside-environment",
        python_with(read_only="/s is not writable for you"),
        "note",
        "into the user's own site-packages instead",
        MAKES.format("/gentoo/bin/python3.11"),
    ),
    (
        "outside-environment",
        python_with(read_only="/s is not writable for you", in_venv=True),
        "warning",
        "cannot install into the virtual environment /env/my env: /s is not writable for you",
        MAKES.format("/gentoo/bin/python3.11"),
    ),
    (
        "python-home",
        healthy(environ={"PYTHONHOME": "/x"}, python_home="not a Python that works"),
        "error",
        f"PYTHONHOME=/x stops {PYTHON}: not a Python that works; this report is without it",
        "unset PYTHONHOME",
    ),
    (
        "python-home",
        replace(python_with(foreign_home="/gentoo"), environ={"PYTHONHOME": "/x"}),
        "warning",
        "has its modules from PYTHONHOME=/x, not from /gentoo",
        "unset PYTHONHOME",
    ),
    (
        "moved-environment",
        moved("/old/bin/python", startable=False),
        "error",
        "the programs in it start what does not exist: /old/bin/python; ",
        MAKES.format("/gentoo/bin/python3.11"),
    ),
    (
        "moved-environment",
        moved("/old/bin/python"),
        "error",
        "the programs in it act on /old/bin/python; ",
        MAKES.format("/gentoo/bin/python3.11"),
    ),
    (
        "uv-find-links",
        healthy(
            uv=uv_with("find-links", links_to("nix/avx2", "nix/avx", "nix/sse3", "nix/generic", "generic"))
        ),
        "error",
        "UV_X is for layer nix, arch avx2; this host is layer gentoo, arch avx2",
        LOADS,
    ),
    (
        "uv-find-links",
        healthy(uv=uv_with("find-links", f"{ALL_LINKS} file:///gone/x")),
        "error",
        "UV_X names what does not exist, at which uv stops: file:///gone/x",
        LOADS,
    ),
    (
        "uv-find-links",
        with_uv(flat("nix/avx2", "nix/avx", "nix/sse3", "nix/generic", "generic")),
        "error",
        "index in /x/uv/uv.toml is for layer nix, arch avx2; this host is layer gentoo, arch avx2",
        LOADS.replace("--format", "--uv-config /home/me/uv-wheelhouse.toml --format"),
    ),
    (
        "uv-index",
        with_uv(
            flat(), UvSetting("index", ("https://x/",), "UV_Y", "UV_Y", indexes=(UvIndex("https://x/"),))
        ),
        "warning",
        "uv asks https://x/ before the wheelhouse (UV_Y)",
        "unset UV_Y",
    ),
    (
        "uv-strategy",
        with_uv(flat(), UvSetting("index-strategy", ("first-index",), "UV_Y", "UV_Y")),
        "error",
        "uv looks no further than the first directory that has a project: first-index (UV_Y)",
        "unset UV_Y",
    ),
    (
        "uv-strategy",
        with_uv(flat(), UvSetting("no-index", ("true",), "no-index in /u/uv.toml", file="/u/uv.toml")),
        "error",
        "uv looks into no directory of the wheelhouse, as they are indexes to it (no-index in /u/uv.toml)",
        "vi /u/uv.toml",
    ),
    (
        "uv-exclude-newer",
        with_uv(flat(), UvSetting("exclude-newer", ("2025-01-01",), "UV_Y", "UV_Y")),
        "note",
        "uv takes nothing that an index got after 2025-01-01 (UV_Y); it does not ask when",
        "unset UV_Y",
    ),
    (
        "uv-cache",
        healthy(uv=with_uv(flat()).uv._replace(cache=UvCache("/h/c", elsewhere=True))),  # type: ignore[union-attr]
        "note",
        "the cache of uv, /h/c, is on another file system than the target Python's packages",
        "export UV_LINK_MODE=copy",
    ),
    (
        "uv-python-path",
        replace(python_with(added=(Added("numpy", "1.0", "/m/lib"),)), uv=with_uv(flat()).uv),
        "note",
        "uv does not see what PYTHONPATH adds to the target Python, as pip does: numpy 1.0 (/m/lib)",
        "",
    ),
    (
        "uv-settings",
        replace(with_uv(flat()), environ={"UV_LINK_MODE": ""}),
        "error",
        "uv refuses to run: UV_LINK_MODE is set to nothing",
        "unset UV_LINK_MODE",
    ),
    (
        "config-file",
        pip_with(files=(PipFile("global", "/x/pip/pip.conf", True, "Permission denied"),)),
        "error",
        "pip passes over /x/pip/pip.conf: Permission denied",
        "chmod a+r /x/pip/pip.conf",
    ),
    (
        "find-links-replaced",
        of_the_machine(setting("find-links", "", "user")),
        "error",
        "[global] find-links in /user/pip.conf is empty, which takes [global] find-links in /global/pip.conf",
        f"'{PYTHON}' -m pip config --user unset global.find-links",
    ),
    (
        "uv-settings",
        healthy(uv=uv_with("find-links", ALL_LINKS, UvSetting("constraint", ("/c.txt",), "UV_Y", "UV_Y"))),
        "note",
        "uv obeys the constraints of /c.txt, which avail, pick and why-not do not know (UV_Y)",
        "unset UV_Y",
    ),
    (
        "uv-settings",
        healthy(uv=uv_with("find-links", ALL_LINKS)._replace(problem="not TOML", problem_file="/u/uv.toml")),
        "error",
        "uv refuses /u/uv.toml: not TOML",
        "vi /u/uv.toml",
    ),
    (
        "above-cpu",
        installed(above_cpu=(AboveCpu("demo", "1.0", "avx512"),)),
        "error",
        "1 installed wheel is for a higher arch than this CPU: demo 1.0 (avx512)",
        f"'{PYTHON}' -m pip install --force-reinstall --no-deps demo==1.0",
    ),
    (
        "half-removed",
        installed(
            leftovers=(
                Leftover("/s/~umpy", installed=True),
                Leftover("/s/~umpy-1.dist-info", "numpy", "1", True),
            )
        ),
        "note",
        "has left /s/~umpy, /s/~umpy-1.dist-info, of what is installed anew",
        "rm -r '/s/~umpy' '/s/~umpy-1.dist-info'",
    ),
    (
        "half-removed",
        installed(leftovers=(Leftover("/s/~umpy"), Leftover("/s/~umpy-1.dist-info", "numpy", "1"))),
        "warning",
        "has moved /s/~umpy, /s/~umpy-1.dist-info, and nothing took its place",
        f"'{PYTHON}' -m pip install numpy==1",
    ),
    (
        "invalid-metadata",
        installed(invalid=("/s/demo-1.0.dist-info",)),
        "warning",
        "/s/demo-1.0.dist-info: no METADATA",
        f"'{PYTHON}' -m pip install --ignore-installed --no-deps demo",
    ),
    (
        "requirements",
        installed(conflicts=(Conflict("a 1 requires b, which is not installed", "a", "1"),)),
        "warning",
        "`pip check`: a 1 requires b, which is not installed",
        f"'{PYTHON}' -m pip install a==1",
    ),
    (
        "requirements",
        installed(conflicts=(Conflict("a x is not supported on this platform", "a", "x", True),)),
        "warning",
        "is not supported on this platform",
        f"'{PYTHON}' -m pip install --force-reinstall --no-deps a",
    ),
    (
        "requirements",
        installed(unchecked="no answer within 20 s"),
        "note",
        "`pip check` gave no answer: no answer within 20 s",
        "",
    ),
]


@pytest.mark.parametrize(
    ("check", "facts", "severity", "what", "fix"), CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES]
)
def test_what_a_check_finds(check: str, facts: EnvironmentFacts, severity: str, what: str, fix: str) -> None:
    finding = only_finding(facts)
    assert (finding.check, finding.severity.value) == (check, severity)
    assert what in finding.message
    assert finding.fix == fix
    assert finding.why
    assert "--clear" not in finding.fix
    assert json.loads(json.dumps(finding.to_dict()))["check"] == check


@pytest.mark.parametrize("fix", sorted({case[4] for case in CASES if "wheelhouse-resolver" in case[4]}))
def test_a_command_of_ours_can_be_parsed_and_names_the_site(fix: str) -> None:
    found = re.search(r"wheelhouse-resolver ([^)`|]*)", fix)
    assert found is not None
    words = shlex.split(found[1])
    assert build_parser(words[0]).parse_args(words).root == ROOT


def test_only_the_reason_that_applies_is_given() -> None:
    cpu = Evidence("cpu", "avx2", "x")
    for arch, why in (("avx512", "programs die of an illegal"), ("sse3", "programs run slower than they")):
        finding = only_finding(host_with(arch_evidence=(Evidence("option", arch, f"given as {arch}"), cpu)))
        assert finding.why.startswith(why)
        assert not {"illegal", "slower"} <= {*finding.why.split()}


def test_a_file_that_may_be_the_sites_stays_in_force() -> None:
    facts = replace(healthy(), directories=())
    facts = replace(facts, pip=replace(facts.pip, ignored=("/home/me/.pip/pip.conf",)))
    assert only_finding(facts).fix == ""


class TestFindLinks:
    def found(self, *settings: PipSetting) -> list[tuple[str, str, str]]:
        facts = healthy()
        pip = with_settings(facts.pip, *settings)
        return [
            (each.check, each.severity.value, each.message) for each in run_checks(replace(facts, pip=pip))
        ]

    ALL = links_to("gentoo/avx2", "gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic")

    def test_none(self) -> None:
        assert self.found() == [
            (
                "no-find-links",
                "error",
                "no `find-links` is in force: /etc/our pip.conf, which PIP_CONFIG_FILE names, has none",
            )
        ]

    def test_none_without_a_file(self) -> None:
        finding = only_finding(healthy(pip=PipFacts(version="26.3", asked="config debug")))
        assert finding.message == (
            "no `find-links` is in force: PIP_CONFIG_FILE is not set, and no pip/pip.conf in XDG_CONFIG_DIRS "
            "has one"
        )

    def test_of_somewhere_else(self) -> None:
        assert self.found(setting("find-links", links_to("elsewhere"), "env_var"))[0] == (
            "no-find-links",
            "error",
            "PIP_FIND_LINKS names no directory of the wheelhouse",
        )

    def test_more_than_ours_is_fine(self) -> None:
        own = LinkState(value="/home/me/wheels", real="/home/me/wheels", exists=True)
        web = LinkState(value="https://example.org/w", real=None, exists=True)
        given = setting("find-links", f"{self.ALL} {own.value} {web.value}")
        pip = with_settings(healthy().pip, setting("no-index", "1"), given)
        pip = replace(pip, links=(*pip.links[:-2], own, web))
        assert run_checks(healthy(pip=pip)) == []

    def test_a_variable_replaces_those_of_the_file(self) -> None:
        (found,) = self.found(
            setting("find-links", self.ALL), setting("find-links", "file:///gone/x", "env_var")
        )[:1]
        assert found[:2] == ("find-links-replaced", "error")
        assert "PIP_FIND_LINKS replaces [global] find-links in /etc/our pip.conf" in found[2]

    def test_a_command_section_replaces_those_of_the_file(self) -> None:
        facts = and_also(setting("find-links", links_to("gone/x"), "site", "install"))
        finding = run_checks(facts)[0]
        assert finding.check == "find-links-replaced"
        assert finding.fix == f"'{PYTHON}' -m pip config --site unset install.find-links"

    def test_of_another_arch_and_layer(self) -> None:
        ((check, severity, what),) = self.found(
            setting("find-links", f"{self.ALL} {links_to('gentoo/avx512', 'nix/generic')}")
        )
        assert (check, severity) == ("stale-find-links", "error")
        assert what.endswith(
            "in /etc/our pip.conf names directories that are for other hosts: gentoo/avx512, nix/generic; "
            "this host is layer gentoo, arch avx2"
        )

    @pytest.mark.parametrize(
        ("labels", "kind"),
        [
            (("nix/sse3", "nix/generic", "generic"), "layer nix, arch sse3"),
            (("gentoo/avx512", "gentoo/avx2", "gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic"),
             "layer gentoo, arch avx512"),
        ],
    )  # fmt: skip
    def test_of_another_host(self, labels: tuple[str, ...], kind: str) -> None:
        ((check, severity, what),) = self.found(setting("find-links", links_to(*labels)))
        assert (check, severity) == ("stale-find-links", "error")
        assert what == (
            f"[global] find-links in /etc/our pip.conf is for {kind}; this host is layer gentoo, arch avx2"
        )

    def test_of_another_host_of_which_some_are_not_there(self) -> None:
        facts = directories_with("nix/avx", exists=False)
        labels = ("nix/avx2", "nix/sse3", "nix/generic", "generic")
        facts = replace(facts, pip=with_settings(facts.pip, setting("find-links", links_to(*labels))))
        assert "is for layer nix, arch avx2; this host" in only_finding(facts).message
        assert (
            "names directories that are for other hosts"
            in only_finding(replace(facts, directories=healthy().directories)).message
        )

    def test_some_are_left_out(self) -> None:
        ((check, severity, what),) = self.found(setting("find-links", links_to("gentoo/generic", "generic")))
        assert (check, severity) == ("stale-find-links", "error")
        assert what.endswith(
            "leaves out directories that this host can use: gentoo/avx2, gentoo/avx, gentoo/sse3"
        )

    def test_a_directory_that_is_not_there_need_not_be_named(self) -> None:
        facts = directories_with("gentoo/avx2", exists=False)
        pip = with_settings(
            facts.pip,
            setting("no-index", "1"),
            setting("find-links", links_to("gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic")),
        )
        assert run_checks(replace(facts, pip=pip)) == []

    def test_missing_ones(self) -> None:
        below, outside = f"file://{ROOT}/gentoo/avx3".replace(" ", "%20"), "file:///gone/wheels"
        given = setting("find-links", f"{self.ALL} {below} {outside}")
        pip = with_settings(healthy().pip, setting("no-index", "1"), given)
        gone = LinkState(value=below, real=f"{ROOT}/gentoo/avx3", exists=False)
        findings = run_checks(healthy(pip=replace(pip, links=(*pip.links[:-2], gone, pip.links[-1]))))
        assert [(each.check, each.severity.value) for each in findings] == [
            ("stale-find-links", "error"),
            ("stale-find-links", "warning"),
        ]
        assert all("does not exist" in each.message for each in findings)

    def test_a_view_stands_for_the_wheelhouse(self) -> None:
        labels = ["gentoo/avx2", "gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic"]
        given = setting("find-links", " ".join(f"file:///view/{each}" for each in labels))
        links = [
            LinkState(value=f"file:///view/{each}", real=f"/view/{each}", exists=True, view="/avx" in each)
            for each in [*labels, "gentoo/avx512"]
        ]
        pip = replace(with_settings(healthy().pip, setting("no-index", "1"), given), links=tuple(links))
        assert run_checks(healthy(pip=pip)) == []
        more = replace(given, value=f"{given.value} file:///view/gentoo/avx512")
        pip = replace(with_settings(healthy().pip, setting("no-index", "1"), more), links=tuple(links))
        assert only_finding(healthy(pip=pip)).check == "stale-find-links"

    def test_with_no_wheelhouse_nothing_is_said_of_them(self) -> None:
        facts = replace(
            site_with(root_by="--root", root_problem="x"), pip=PipFacts(version="26.3", asked="config debug")
        )
        assert [each.check for each in run_checks(facts)] == ["root"]

    def test_the_file_of_pip_config_file_beats_the_sites_among_the_machines(self) -> None:
        first, *_ = run_checks(of_the_machine(setting("find-links", "file:///gone/x", "env")))
        assert (first.check, first.fix) == ("find-links-replaced", "unset PIP_CONFIG_FILE")

    def test_of_several_files_of_a_kind_pip_changes_the_last_alone(self) -> None:
        facts = of_the_machine(setting("find-links", "", "user"))
        files = tuple(PipFile("user", path, exists=True) for path in ("/user/pip.conf", "/home/pip.conf"))
        facts = replace(facts, pip=replace(facts.pip, files=files))
        assert only_finding(facts).fix == "vi /user/pip.conf"


def test_a_constraint_of_a_container_beats_the_sites() -> None:
    facts = of_the_machine(
        setting("constraint", "/sw/c.txt", "global"), setting("constraint", "/c.txt", "env_var")
    )
    table = MappingProxyType({"constraint": "/sw/c.txt"})
    site = SiteFacts(site=Site.default(ROOT)._replace(pip=table), root=ROOT, real_root=ROOT)
    first, second = run_checks(replace(facts, site=site))
    assert (first.check, second.check) == ("overridden-setting", "selection")
    assert first.fix == second.fix == "unset PIP_CONSTRAINT"
    assert (
        "PIP_CONSTRAINT = /c.txt beats [global] constraint in /global/pip.conf = /sw/c.txt" in first.message
    )


class TestIndex:
    def facts(self, *settings: PipSetting) -> EnvironmentFacts:
        kept = [each for each in healthy().pip.settings if each.option == "find-links"]
        return healthy(pip=with_settings(healthy().pip, *kept, *settings))

    def test_of_the_users(self) -> None:
        for option in ("index-url", "extra-index-url"):
            finding = only_finding(self.facts(setting(option, "https://x/simple", "env_var")))
            assert (finding.check, finding.severity) == ("index", DiagnosticSeverity.NOTE)
            assert "https://x/simple (PIP_" in finding.message

    def test_none_by_the_users_wish(self) -> None:
        finding = only_finding(self.facts(setting("no-index", "1", "env_var")))
        assert (finding.check, finding.fix) == ("index", "unset PIP_NO_INDEX")

    def asking(self, *settings: PipSetting, **changes: Any) -> EnvironmentFacts:
        return replace(self.facts(*settings), index=IndexState(url="https://default/simple"), **changes)

    def test_the_default_one_is_one_note(self) -> None:
        finding = only_finding(self.asking())
        assert (finding.check, finding.severity) == ("index", DiagnosticSeverity.NOTE)
        assert finding.message == (
            "pip also asks https://default/simple (pip's default): a newer version there wins over the "
            "wheelhouse's; avail and pick show only what the wheelhouse has"
        )
        assert (
            finding.fix
            == f'eval "$(wheelhouse-resolver pip-conf --root {shlex.quote(ROOT)} --offline --format sh)"'
        )

    def test_several_are_one_note(self) -> None:
        finding = only_finding(self.asking(setting("extra-index-url", "https://x/ https://y/", "env_var")))
        where = "(PIP_EXTRA_INDEX_URL)"
        assert (
            f"https://default/simple (pip's default) and https://x/ {where} and https://y/ {where}:"
            in finding.message
        )
        assert finding.fix == "unset PIP_EXTRA_INDEX_URL"

    def test_one_that_the_site_wants_is_a_note_too(self) -> None:
        pip: Mapping[str, Any] = {"index-url": "https://x/simple"}
        site = SiteFacts(site=Site.default(ROOT)._replace(pip=MappingProxyType(pip)))
        finding = only_finding(self.asking(setting("index-url", "https://x/simple"), site=site))
        assert "pip also asks https://x/simple ([global] index-url in " in finding.message
        assert "--offline" in finding.fix

    def test_none_is_asked_or_the_site_limits_versions(self) -> None:
        assert run_checks(self.asking(setting("no-index", "1"))) == []
        pip: Mapping[str, Any] = {"constraint": "/sw/constraints.txt"}
        limits = setting("constraint", "/sw/constraints.txt")
        assert {each.check for each in run_checks(self.asking(limits))} == {"index", "selection"}
        site = SiteFacts(site=Site.default(ROOT)._replace(pip=MappingProxyType(pip)))
        assert run_checks(self.asking(limits, site=site)) == []

    def test_nothing_wins_over_a_wheelhouse_that_pip_does_not_know(self) -> None:
        pip = with_settings(healthy().pip)
        facts = healthy(pip=pip, index=IndexState(url="of no matter"))
        assert only_finding(facts).check == "no-find-links"


def test_what_the_site_itself_wants_fights_nothing() -> None:
    pip: Mapping[str, Any] = {
        "only_binary": ("numpy", "scipy"),
        "no-binary": "mpi4py",
        "prefer-binary": True,
        "install": {"require-hashes": True},
    }
    facts = and_also(
        setting("only-binary", "numpy,scipy"),
        setting("no-binary", "mpi4py"),
        setting("prefer-binary", "true"),
        setting("require-hashes", "true", "env", "install"),
    )
    assert {each.check for each in run_checks(facts)} == {"no-binary", "selection"}
    site = SiteFacts(site=Site.default(ROOT)._replace(pip=MappingProxyType(pip)))
    assert run_checks(replace(facts, site=site)) == []


@pytest.mark.parametrize(
    "settings",
    [
        [setting("no-binary", ":none:")],
        [setting("prefer-binary", "0", "env_var")],
        [setting("user", "no", "env_var")],
        [setting("require-hashes", "false")],
    ],
    ids=lambda given: given[0].option,
)
def test_a_setting_that_is_switched_off_fights_nothing(settings: list[PipSetting]) -> None:
    assert run_checks(and_also(*settings)) == []


def test_user_in_a_virtual_environment_is_an_error() -> None:
    facts = replace(and_also(setting("user", "1", "env_var")), python=python_with(in_venv=True).python)
    finding = only_finding(facts)
    assert (finding.check, finding.severity) == ("install-place", DiagnosticSeverity.ERROR)
    assert "refuses in a virtual environment" in finding.message


@pytest.mark.parametrize("version", ["20.3", "20.3.4", "21.1", "26.3.dev0"])
def test_a_pip_that_obeys_build_tags_is_new_enough(version: str) -> None:
    assert run_checks(pip_with(version=version)) == []


@pytest.mark.parametrize(
    ("trouble", "version", "found"),
    [
        (Trouble.REFUSED, "19.3.1", False),
        (Trouble.LINK, "20.3.4", True),
        (Trouble.LINK, "21.0.1", True),
        (Trouble.LINK, "21.1", False),
        (Trouble.HASHES, "19.3.1", True),
    ],
)
def test_whether_a_pip_minds_a_constraint_depends_on_its_release(
    trouble: Trouble, version: str, found: bool
) -> None:
    checks = {
        each.check
        for each in run_checks(pip_with(version=version, constraints=(constraint_problem(trouble),)))
    }
    assert ("constraints" in checks) == found


def test_a_constraints_file_of_the_users_that_stops_pip() -> None:
    by = setting("constraint", "/c d.txt", "env_var")
    first, second = run_checks(and_also(by, constraints=(constraint_problem(Trouble.INVALID, by),)))
    assert (first.check, first.severity) == ("constraints", DiagnosticSeverity.ERROR)
    assert first.message == "THIS: every pip install fails (PIP_CONSTRAINT)"
    assert first.fix == "unset PIP_CONSTRAINT"
    assert second.check == "selection"


def test_a_pip_that_does_not_know_a_setting_of_the_site() -> None:
    facts = and_also(setting("only-final", "numpy"), version="25.3", available="26.0")
    table = MappingProxyType({"only-final": "numpy"})
    site = SiteFacts(site=Site.default(ROOT)._replace(pip=table))
    finding = only_finding(replace(facts, site=site))
    assert (finding.check, finding.severity) == ("older-pip", DiagnosticSeverity.WARNING)
    assert finding.message == "pip 25.3 ignores only-final, which pip 26.0 and later obey"


def test_a_hash_that_need_not_count_is_none() -> None:
    found = (constraint_problem(Trouble.HASHES),)
    assert run_checks(and_also(setting("no-require-hashes", "1"), constraints=found)) == []


def test_pre_does_not_go_with_what_the_site_says_of_releases() -> None:
    table = MappingProxyType({"only-final": "numpy"})
    facts = and_also(setting("only-final", "numpy"), setting("pre", "1", "env_var"))
    site = SiteFacts(site=Site.default(ROOT)._replace(pip=table))
    first, *_ = run_checks(replace(facts, site=site))
    assert first.severity is DiagnosticSeverity.ERROR
    assert first.message == (
        "pip refuses every install: pre does not go with only-final "
        "([global] only-final in /etc/our pip.conf) (PIP_PRE)"
    )
    assert first.fix == "unset PIP_PRE"


def test_the_worst_comes_first() -> None:
    facts = replace(
        and_also(setting("no-binary", ":all:", "env_var"), setting("prefer-binary", "1", "env_var")),
        ties=(Tie("a", "1", ("x", "y")),),
    )
    assert [each.severity.value for each in run_checks(facts)] == ["error", "warning", "note"]


@pytest.mark.parametrize(
    ("shell", "unset", "load"),
    [
        (
            "bash",
            "unset PIP_X",
            "eval \"$(wheelhouse-resolver pip-conf --root '/a b' --layer nix --format sh)\"",
        ),
        (
            "tcsh",
            "unsetenv PIP_X",
            "eval \"`wheelhouse-resolver pip-conf --root '/a b' --layer nix --format csh`\"",
        ),
        (
            "fish",
            "set -e PIP_X",
            "wheelhouse-resolver pip-conf --root '/a b' --layer nix --format fish | source",
        ),
    ],
)
def test_commands_are_those_of_the_users_shell(shell: str, unset: str, load: str) -> None:
    from wheelhouse_resolver.doctor import fixes

    site = SiteFacts(site=Site.default("/a b"))
    facts = healthy(shell=shell, site=site, host_options=("--layer", "nix"))
    assert fixes.unset(facts, "PIP_X") == unset
    assert fixes.load_settings(facts) == load
    assert shlex.quote("1 2") in fixes.export(facts, "A", "1 2")


# -- what is worked out of names ---------------------------------------------------------------------------


def test_ties_are_versions_in_several_directories_of_which_not_all_are_stamped(tmp_path: Path) -> None:
    site = make_tree(
        tmp_path,
        {
            "generic": [
                "unstamped-1.0-py3-none-any.whl",
                "Half-1.0-py3-none-any.whl",
                "done-1.0-1000generic-py3-none-any.whl",
                "stale-1.0-1000generic-py3-none-any.whl",
                "alone-1.0-py3-none-any.whl",
                "apart-1.0-cp310-cp310-linux_x86_64.whl",
            ],
            "gentoo/generic": [
                "unstamped-1.0-py3-none-any.whl",
                "unstamped-2.0-py3-none-any.whl",
                "half-1.0-100000generic-py3-none-any.whl",
                "done-1.0-100000generic-py3-none-any.whl",
                "stale-1.0-77000generic-py3-none-any.whl",
                "alone-2.0-py3-none-any.whl",
                "apart-1.0-cp311-cp311-linux_x86_64.whl",
            ],
        },
    )
    (tmp_path / "gentoo/generic/bad-1.0.whl").touch()
    catalogue = Wheelhouse(site).catalogue(list(site.search_path_for("gentoo", "generic")))
    labels = ("gentoo/generic", "generic")
    ties = [("apart", "1.0", labels), *((name, "1.0", labels) for name in ("half", "stale", "unstamped"))]
    assert unstamped_ties(catalogue, site) == tuple(ties)
    own = parse_tag("cp311-cp311-linux_x86_64") | parse_tag("py3-none-any")
    assert unstamped_ties(catalogue, site, own) == tuple(ties[1:])


def test_what_shadows_what_is_decided_by_the_path(tmp_path: Path) -> None:
    for directory, names in {
        "user": ["Foo_Bar-1.0.dist-info", "lone-1.dist-info", "old-1.0-py3.8.egg-info"],
        "site": ["foo.bar-2.0.dist-info", "old-2.0.dist-info", "notes.txt"],
    }.items():
        for name in names:
            (tmp_path / directory / name).mkdir(parents=True)
    user, site = str(tmp_path / "user"), str(tmp_path / "site")
    found = shadowed([user], [site, site], ["/stdlib", user, site])
    assert [(each.name, each.version, each.hidden_version) for each in found] == [
        ("foo-bar", "1.0", "2.0"),
        ("old", "1.0", "2.0"),
    ]
    assert shadowed([user], [site], [site, user]) == ()
    assert shadowed([user], [site], [site]) == ()


def test_facts_are_json_without_what_is_not_ascii() -> None:
    facts = healthy(environ={"HOME": "/home/\udcffü"}, venvs=(VenvState(path="/v"),))
    text = json.dumps({"facts": facts.to_dict(), "findings": [each.to_dict() for each in run_checks(facts)]})
    assert text.isascii()
    assert json.loads(text)["facts"]["pip"]["in_force"]["no-index"]["origin"] == "env"


def test_the_documentation_describes_each_check() -> None:
    page = Path(__file__).parents[2] / "docs/doctor.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    assert [(name, why) for name, _, why, _ in rows] == [(f"`{each.name}`", each.why) for each in CHECKS]
    assert all(looks_for and fix for _, looks_for, _, fix in rows)


def test_every_check_is_among_the_cases() -> None:
    covered = {case[0] for case in CASES} | {
        "no-find-links",
        "find-links-replaced",
        "stale-find-links",
        "index",
    }
    assert covered == {check.name for check in CHECKS}
