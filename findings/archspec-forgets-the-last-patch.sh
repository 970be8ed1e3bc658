#!/usr/bin/env bash
# archspec 0.2.7. Expected: a compiler flag range that ends with gcc 9.3 includes 9.3.0, the release of that name.
# Happens: of neoverse_v1, 9.2.0 and 9.4.0 have flags, and 9.3.0 has none ("cannot produce optimized binary"), as
# 9.3.0 counts as above 9.3, and the next range begins with 9.4. The same with zen4 and gcc 12.2.0.
# Seen: "neoverse_v1: 9.2.0 yes, 9.3.0 no, 9.3 yes, 9.4.0 yes; zen4: 12.1.0 yes, 12.2.0 no, 12.2 yes, 12.3.0 yes".
# Why it matters to a wheelhouse: these are the compilers of two widespread distributions, and what builds for the
# archs of a site asks archspec with the version that the compiler prints.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install archspec==0.2.7
seen=$("$work/tools/bin/python" - <<'PY'
from archspec.cpu import TARGETS, UnsupportedMicroarchitecture

def known(target, version):
    try:
        return bool(TARGETS[target].optimization_flags("gcc", version))
    except UnsupportedMicroarchitecture:
        return False

asked = {"neoverse_v1": ("9.2.0", "9.3.0", "9.3", "9.4.0"), "zen4": ("12.1.0", "12.2.0", "12.2", "12.3.0")}
print(*(f"{target}: " + ", ".join(f"{version} {'yes' if known(target, version) else 'no'}" for version in versions)
        for target, versions in asked.items()), sep="; ")
PY
)
echo "$seen"
[[ $seen == "neoverse_v1: 9.2.0 yes, 9.3.0 no, 9.3 yes, 9.4.0 yes; zen4: 12.1.0 yes, 12.2.0 no, 12.2 yes, 12.3.0 yes" ]]
