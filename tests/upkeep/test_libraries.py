"""Which libraries the loader does not find for wheels: the loader of the running Python is asked."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.factories import make_wheel, plain_python
from tests.requires import requires
from wheelhouse_resolver.host.target_python import running_python
from wheelhouse_resolver.upkeep.libraries import libraries_missing

NATIVE = f"cp311-cp311-linux_{os.uname().machine}"


def library(tmp_path: Path, *options: str) -> bytes:
    """Any shared library of this machine, changed by patchelf."""
    directory = Path(sysconfig.get_config_var("DESTSHARED"))
    found = sorted(directory.glob("*.so"), key=lambda path: path.stat().st_size)
    if not found:
        pytest.skip("this Python has no extension modules of its own")
    copy = tmp_path / "copy.so"
    copy.write_bytes(found[0].read_bytes())
    subprocess.run(["patchelf", *options, copy], check=True)
    return copy.read_bytes()


@requires("patchelf")
def test_what_is_not_found_and_what_the_wheel_brings_along(tmp_path: Path) -> None:
    needing = library(tmp_path, "--add-needed", "libnowhere.so.1")
    served = library(
        tmp_path, "--add-needed", "libown.so.1", "--force-rpath", "--set-rpath", "$ORIGIN/../own.libs"
    )
    own = library(tmp_path, "--set-soname", "libown.so.1")
    wheels = [
        make_wheel(tmp_path, f"needing-1.0-{NATIVE}.whl", files={"needing.so": needing}),
        make_wheel(
            tmp_path,
            f"served-1.0-{NATIVE}.whl",
            files={
                "served/core.so": served,
                "served-1.0.data/platlib/own.libs/libown.so.1": own,
                "served-1.0.data/scripts/../../../../outside.so": own,
            },
        ),
        make_wheel(tmp_path, f"plain-1.0-{NATIVE}.whl"),
    ]
    (tmp_path / f"broken-1.0-{NATIVE}.whl").write_bytes(b"no zip")
    paths = [*map(str, wheels), str(tmp_path / f"broken-1.0-{NATIVE}.whl")]
    found = libraries_missing(paths, running_python(), {})
    assert found.pop(paths[-1]) == ("cannot be read: File is not a zip file",)
    assert found == {paths[0]: ("libnowhere.so.1",), paths[1]: (), paths[2]: ()}
    # What the layer's directories hold is found.
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/libnowhere.so.1").write_bytes(library(tmp_path, "--set-soname", "libnowhere.so.1"))
    environ = {"LD_LIBRARY_PATH": str(tmp_path / "layer")}
    assert libraries_missing(paths[:1], running_python(), environ) == {paths[0]: ()}


def test_without_a_loader_nothing_is_known(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, f"plain-1.0-{NATIVE}.whl")
    static = plain_python("3.11")._replace(interpreter=None)
    assert libraries_missing([str(wheel)], static, {}) == {}
