#!/usr/bin/env bash
# setuptools 75.3.0 and 84.2.1. Expected: CFLAGS from the environment are added to the flags that Python itself was
# built with (-O2 or -O3, -DNDEBUG), as setuptools and distutils always did.
# Happens: newer setuptools takes CFLAGS instead of Python's own flags, so that CFLAGS=-march=x86-64-v3 alone compiles
# an extension with no -O at all.
# Seen: "75.3.0: optimised" / "84.2.1: not optimised".
# Why it matters to a wheelhouse: a site that sets only -march in CFLAGS gets wheels several times slower than
# generic ones, silently; a build tool has to put Python's own OPT in front of what it sets.
set -euo pipefail
command -v gcc >/dev/null || { echo "needs gcc"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
cat >"$work/one.c" <<'C'
#ifdef __OPTIMIZE__
#pragma message "optimised"
#else
#pragma message "not optimised"
#endif
C
cat >"$work/setup.py" <<'PY'
from setuptools import Extension, setup
setup(name="one", version="1", ext_modules=[Extension("one", ["one.c"])])
PY
seen=()
for version in 75.3.0 84.2.1; do
    "$work/tools/bin/pip" -q --disable-pip-version-check install "setuptools==$version"
    rm -rf "$work/build"
    said=$(cd "$work" && LC_ALL=C CFLAGS=-fno-common "$work/tools/bin/python" setup.py -q build_ext 2>&1 |
        sed -n 's/.*#pragma message: \([a-z ]*\).*/\1/p' | sed -n 1p)
    seen+=("$version: $said")
done
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "75.3.0: optimised 84.2.1: not optimised" ]]
