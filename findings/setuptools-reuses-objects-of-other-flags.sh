#!/usr/bin/env bash
# setuptools 84.2.1, through pip 26.3 and a build of a directory. Expected: a wheel that is built again with other CFLAGS
# is compiled with them.
# Happens: what lies in build/ of the source directory counts as up to date by its time alone; with other flags no
# compiler runs, and the wheel holds the machine code of the build before.
# Seen: "first: 1" / "with other flags: 1" / "without build/: 2".
# Why it matters to a wheelhouse: a checkout in which somebody once built for AVX-512 gives a "generic" wheel that dies
# of an illegal instruction; a tool that builds for several CPUs must start from what an sdist would hold.
set -euo pipefail
command -v gcc >/dev/null || { echo "needs gcc"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/python" -m pip -q --disable-pip-version-check install pip==26.3 setuptools==84.2.1
mkdir "$work/src"
cat >"$work/src/one.c" <<'C'
#include <Python.h>
static struct PyModuleDef one = {PyModuleDef_HEAD_INIT, "one"};
PyMODINIT_FUNC PyInit_one(void) {
    PyObject *made = PyModule_Create(&one);
    PyModule_AddIntConstant(made, "flag", FLAG);
    return made;
}
C
cat >"$work/src/setup.py" <<'PY'
from setuptools import Extension, setup
setup(name="one", version="1", ext_modules=[Extension("one", ["one.c"])])
PY
flag_of() {
    rm -rf "$work/wheels" "$work/site"
    (cd "$work" && CFLAGS="-O1 -DFLAG=$1" "$work/tools/bin/python" -m pip -q --disable-pip-version-check wheel --no-index \
        --no-deps --no-build-isolation --wheel-dir wheels ./src && python3 -m zipfile -e wheels/*.whl site)
    PYTHONPATH=$work/site "$work/tools/bin/python" -c 'import one; print(one.flag)'
}
first=$(flag_of 1)
again=$(flag_of 2)
rm -rf "$work/src/build"
clean=$(flag_of 2)
printf '%s\n' "first: $first" "with other flags: $again" "without build/: $clean"
[[ "$first $again $clean" == "1 1 2" ]]
