#!/usr/bin/env bash
# pip 25.2, 25.3 and 26.3. Expected: `build-constraint` in a configuration concerns what pip builds, so a file of that
# name that is gone does not matter to the installation of a wheel.
# Happens: from 25.3, which knows the option, pip opens the file at every install and stops when it is not there; only
# its contents wait for a build. 25.2 ignores the setting.
# Seen: "25.2: installed" / "25.3: stopped" / "26.3: stopped".
# Why it matters to a wheelhouse: one setting in a central pip.conf, and a file that was moved later, stops every
# user's `pip install`, though the wheelhouse holds wheels only.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
mkdir "$work/wheels"
python3 - "$work/wheels" <<'PY'
import sys, zipfile
info = "demo-1.0.dist-info"
with zipfile.ZipFile(f"{sys.argv[1]}/demo-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
printf '[install]\nbuild-constraint = %s\n' "$work/gone.txt" >"$work/pip.conf"
seen=()
for version in 25.2 25.3 26.3; do
    "$work/tools/bin/python" -m pip -q --disable-pip-version-check install "pip==$version"
    if PIP_CONFIG_FILE="$work/pip.conf" "$work/tools/bin/python" -m pip -q --disable-pip-version-check install --no-index \
        --find-links "$work/wheels" --target "$work/$version" demo 2>/dev/null; then
        seen+=("$version: installed")
    else
        seen+=("$version: stopped")
    fi
done
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "25.2: installed 25.3: stopped 26.3: stopped" ]]
