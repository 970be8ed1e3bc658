#!/usr/bin/env bash
# uv 0.13.9, pip 26.3. Expected: of two wheels of one version the higher build tag wins, however large the number is
# (the wheel specification sets no limit: "must start with a digit").
# Happens: uv passes over a wheel whose build number needs more than 64 bits, without a word at any -v level short
# of debug, and installs the lower build; pip takes the higher one.
# Seen: "pip: demo-1.0-18446744073709551616-py3-none-any.whl" / "uv: demo-1.0-1-py3-none-any.whl".
# Why it matters to a wheelhouse: a rank or a time stamp in the build tag must stay below 2**64, or pip's users and
# uv's get different wheels from one directory.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install pip==26.3 uv==0.13.9
mkdir "$work/wheels"
python3 - "$work/wheels" <<'PY'
import sys, zipfile
for build in ("1", str(2**64)):
    with zipfile.ZipFile(f"{sys.argv[1]}/demo-1.0-{build}-py3-none-any.whl", "w") as wheel:
        info = "demo-1.0.dist-info"
        wheel.writestr("demo.py", f"build = {build}\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\nBuild: {build}\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
"$work/tools/bin/python" -m pip -q --disable-pip-version-check install --no-index --no-cache-dir \
    --find-links "$work/wheels" --target "$work/pip" demo
"$work/tools/bin/uv" pip install -q --no-config --no-cache --no-index --find-links "$work/wheels" --target "$work/uv" demo
by_pip=$(PYTHONPATH=$work/pip python3 -c 'import demo; print(demo.build)')
by_uv=$(PYTHONPATH=$work/uv python3 -c 'import demo; print(demo.build)')
echo "pip: demo-1.0-$by_pip-py3-none-any.whl"
echo "uv: demo-1.0-$by_uv-py3-none-any.whl"
[[ $by_pip == 18446744073709551616 && $by_uv == 1 ]]
