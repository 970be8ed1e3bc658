"""Code built for each arch, tried out on lower CPUs: emulated ones, so that any machine will do."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.builder.extensions import extension_wheel, gcc
from tests.factories import clean_environ
from wheelhouse_resolver.builder.toolchain.flags import compiler_environment
from wheelhouse_resolver.builder.toolchain.linker_mark import level_of, mark_flag
from wheelhouse_resolver.builder.verification.verify import (
    Verification,
    VerificationSettings,
    run_verification,
)
from wheelhouse_resolver.site.layout import BUILTIN_LADDER
from wheelhouse_resolver.site.model import Site

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the CPUs are x86-64")

SITE = Site.default("/sw")

#: A loop that the compiler turns into whatever vector instructions it may use.
SUM = """
static double sum(const double *x, int n)
{
    double all = 0;
    for (int i = 0; i < n; i++) all += x[i] * x[i];
    return all;
}
"""
BODY = "double x[1024]; for (int i = 0; i < 1024; i++) x[i] = i; if (sum(x, 1024) < 1) abort();"


@pytest.fixture
def qemu() -> str:
    found = shutil.which("qemu-x86_64")
    if found is None:
        pytest.skip("qemu-x86_64 is not installed (Debian: qemu-user)")
    return found


def verified_on(cpu: str, arch: str, tmp_path: Path, qemu: str) -> Verification:
    """An extension built with the flags for *arch*, verified on that *cpu*."""
    gcc()
    level = next(each for each in BUILTIN_LADDER if each.name == arch)
    variables = compiler_environment(level, SITE)
    flags = [*variables["CFLAGS"].split(), "-O3", "-ffast-math"]
    if mark := level_of(level):
        flags.append(mark_flag(mark))
    wheel = extension_wheel(tmp_path, flags=flags, body=BODY, before=SUM)
    options = VerificationSettings(
        python=sys.executable, environ=clean_environ(), offline=True, emulate=[qemu, "-cpu", cpu]
    )
    return run_verification(str(wheel), options, work=str(tmp_path / "work"), log=str(tmp_path / "log.txt"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arch", "cpu"),
    [("sse3", "Nehalem"), ("avx", "SandyBridge"), ("avx", "Haswell"), ("avx2", "Haswell")],
)
def test_it_loads_where_it_should(arch: str, cpu: str, tmp_path: Path, qemu: str) -> None:
    found = verified_on(cpu, arch, tmp_path, qemu)
    assert found.findings == ()
    assert found.imported == ("fast",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arch", "cpu"), [("avx2", "SandyBridge"), ("avx512", "SandyBridge"), ("avx512", "Haswell")]
)
def test_below_the_loader_refuses_it_instead_of_a_crash(
    arch: str, cpu: str, tmp_path: Path, qemu: str
) -> None:
    found = verified_on(cpu, arch, tmp_path, qemu)
    (finding,) = found.findings
    assert finding.check == "import fast"
    assert "CPU ISA level is lower than required" in finding.problem
    assert "ended by" not in finding.problem
