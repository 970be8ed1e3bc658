#!/usr/bin/env bash
# pip 26.3, setuptools 80.9.0, pybind11 3.0.1, scikit-build-core 0.11.6. Expected: with SOURCE_DATE_EPOCH and
# -ffile-prefix-map=$TMPDIR=/build, pip wheel of one source gives the same wheel twice.
# Happens: pip installs what the build requires into pip-build-env-XXXXXXXX; paths of headers in it are in debugging
# information (-g, which Python's own flags have) and in assertions. A compiler maps the beginning of a path, not
# random letters in it. Without isolation setuptools gives the same wheel; scikit-build-core still compiles in a
# directory with a random name, unless build-dir names one.
# Seen: "setuptools / not isolated / scikit-build-core / build-dir: differ same differ same".
# Why it matters to a wheelhouse: a wheel that is built again cannot be compared with the one that is there.
set -euo pipefail
for tool in c++ cmake make; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not here"; exit 0; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
pip=("$work/tools/bin/python" -m pip -q --disable-pip-version-check)
"${pip[@]}" install pip==26.3
"${pip[@]}" install setuptools==80.9.0 pybind11==3.0.1 scikit-build-core==0.11.6
mkdir "$work/setuptools" "$work/skbuild"
cat > "$work/setuptools/demo.cpp" <<'CPP'
#include <pybind11/conduit/pybind11_conduit_v1.h>
extern "C" PyObject *PyInit_demo() {
    return pybind11_conduit_v1::get_type_pointer_ephemeral<int>(nullptr) ? nullptr : PyModule_New("demo");
}
CPP
printf '#include <Python.h>\nPyObject *PyInit_demo(void) { return PyModule_New("demo"); }\n' > "$work/skbuild/demo.c"
cat > "$work/setuptools/pyproject.toml" <<'TOML'
[build-system]
requires = ["setuptools==80.9.0", "pybind11==3.0.1"]
build-backend = "setuptools.build_meta"
TOML
cat > "$work/setuptools/setup.py" <<'PY'
import pybind11
from setuptools import Extension, setup
demo = Extension("demo", ["demo.cpp"], include_dirs=[pybind11.get_include()])
setup(name="demo", version="1.0", ext_modules=[demo])
PY
printf '[build-system]\nrequires = []\nbuild-backend = "scikit_build_core.build"\n[project]\nname = "demo"\nversion = "1.0"\n' \
    > "$work/skbuild/pyproject.toml"
printf '%s\n' 'cmake_minimum_required(VERSION 3.18)' 'project(demo C)' 'find_package(Python COMPONENTS Interpreter Development.Module)' \
    'python_add_library(demo MODULE demo.c)' 'install(TARGETS demo DESTINATION .)' > "$work/skbuild/CMakeLists.txt"
twice() { # SOURCE [OPTION...]: whether two builds of it are the same
    for n in 1 2; do
        mkdir -p "$work/$n/tmp"
        cp -r "$work/$1" "$work/$n/source"
        export SOURCE_DATE_EPOCH=1600000000 CFLAGS="-g -ffile-prefix-map=$work/$n=/build"
        CXXFLAGS=$CFLAGS TMPDIR="$work/$n/tmp" \
            "${pip[@]}" wheel --no-deps --no-cache-dir --wheel-dir "$work/$n" "${@:2}" "$work/$n/source"
    done
    if cmp -s "$work"/[12]/*.whl; then echo same; else echo differ; fi
    rm -rf "$work/1" "$work/2"
}
export PATH="$work/tools/bin:$PATH"
seen="$(twice setuptools) $(twice setuptools --no-build-isolation) $(twice skbuild --no-build-isolation)"
seen+=" $(twice skbuild --no-build-isolation -Cbuild-dir=out)"
echo "setuptools / not isolated / scikit-build-core / build-dir: $seen"
[[ $seen == "differ same differ same" ]]
