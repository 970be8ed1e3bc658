"""Source distributions that build within a second, offline: their build backend comes along.

Unlike `sources`, which makes what real backends build, these cost nothing to build: they are for tests of
what happens around builds.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["make_package"]

#: Makes a wheel of the package's module; the values of its capital names are written before it.
_BACKEND = """
import base64, hashlib, os, subprocess, sys, sysconfig, time, zipfile
INFO = f"{NAME}-{VERSION}.dist-info"
def _metadata():
    lines = ["Metadata-Version: 2.2", f"Name: {NAME}", f"Version: {VERSION}"]
    return "\\n".join([*lines, *EXTRAS, *(f"Requires-Dist: {each}" for each in REQUIRES)]) + "\\n"
def _tag():
    own = "cp{}{}".format(*sys.version_info[:2])
    return TAG.replace("OWN", own)
def prepare_metadata_for_build_wheel(directory, config_settings=None):
    os.makedirs(os.path.join(directory, INFO))
    for name, text in (("METADATA", _metadata()), ("WHEEL", _wheel())):
        with open(os.path.join(directory, INFO, name), "w") as file:
            file.write(text)
    return INFO
def _wheel():
    pure = "true" if TAG.endswith("any") else "false"
    return f"Wheel-Version: 1.0\\nGenerator: packages\\nRoot-Is-Purelib: {pure}\\nTag: {_tag()}\\n"
def build_wheel(directory, config_settings=None, metadata_directory=None):
    exec(CODE)
    files = {f"{NAME}.py": f"VERSION = {VERSION!r}\\n".encode()}
    if os.path.exists("module.c"):
        library = f"_{NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"
        flags = [*os.environ.get("CFLAGS", "").split(), *os.environ.get("LDFLAGS", "").split()]
        flags += ["-shared", "-fPIC", "-I" + sysconfig.get_path("include")]
        subprocess.run(["cc", "module.c", "-o", library, *flags], check=True)
        with open(library, "rb") as file:
            files[library] = file.read()
    files[f"{INFO}/METADATA"] = _metadata().encode()
    files[f"{INFO}/WHEEL"] = _wheel().encode()
    record = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(data)}")
    files[f"{INFO}/RECORD"] = "\\n".join([*record, f"{INFO}/RECORD,,", ""]).encode()
    filename = f"{NAME}-{VERSION}-{_tag()}.whl"
    with zipfile.ZipFile(os.path.join(directory, filename), "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return filename
"""

#: A module that says which level its compiler was told to make.
_MODULE = """\
#include <Python.h>
#if defined(__AVX512F__)
#define LEVEL "avx512"
#elif defined(__AVX2__)
#define LEVEL "avx2"
#elif defined(__AVX__)
#define LEVEL "avx"
#else
#define LEVEL "generic"
#endif
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_NAME", NULL, -1, NULL};
PyMODINIT_FUNC PyInit__NAME(void) {
    PyObject *made = PyModule_Create(&module);
    PyModule_AddStringConstant(made, "LEVEL", "LEVEL IS " LEVEL ".");
    return made;
}
"""


def make_package(
    directory: Path,
    name: str,
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    requires: Sequence[str] = (),
    extras: Sequence[str] = (),
    code: str = "",
    dynamic: bool = False,
) -> Path:
    """The source distribution of *name* in *directory*.

    tag:      of its wheels; `OWN` stands for the building Python's own, as `cp311`. A tag of a platform makes
              it compile a C module, `_NAME`, with `LEVEL`.
    requires, extras: its requirements, and the extras that their markers name.
    code:     what its backend does before it builds.
    dynamic:  its PKG-INFO does not tell the requirements.
    """
    values = {
        "NAME": name, "VERSION": version, "TAG": tag, "REQUIRES": list(requires), "CODE": code,
        "EXTRAS": [f"Provides-Extra: {each}" for each in extras],
    }  # fmt: skip
    backend = "".join(f"{key} = {value!r}\n" for key, value in values.items()) + _BACKEND
    info = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    info += ["Dynamic: Requires-Dist"] if dynamic else [f"Requires-Dist: {each}" for each in requires]
    files = {
        "PKG-INFO": "\n".join(info) + "\n",
        "backend.py": backend,
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    }
    if not tag.endswith("any"):
        files["module.c"] = _MODULE.replace("_NAME", f"_{name}")
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for filename, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{filename}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path
