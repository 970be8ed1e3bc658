#!/usr/bin/env bash
# pip 26.3, uv 0.13.9. Expected: of two builds of version 2.0 in a find-links directory, of which only the lower one's
# Requires-Python admits the running Python, the lower build is installed.
# Happens: both tools choose by file name first (the higher build), read its metadata, and when Requires-Python bars
# it they drop the whole version: the older version 1.0 is installed, the fitting build of 2.0 is never looked at.
# Seen: "pip: 1.0" / "uv: 1.0".
# Why it matters to a wheelhouse: a rebuild that narrows Requires-Python (or a rank stamped on such a wheel) hides the
# good build below it from every user of an older Python; it needs a version of its own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install pip==26.3 uv==0.13.9
mkdir "$work/wheels"
python3 - "$work/wheels" <<'PY'
import sys, zipfile
for version, build, python in (("1.0", 1, ">=3"), ("2.0", 1, ">=3"), ("2.0", 2, ">=4")):
    info = f"demo-{version}.dist-info"
    with zipfile.ZipFile(f"{sys.argv[1]}/demo-{version}-{build}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("demo.py", f"print({version!r})\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\nRequires-Python: {python}\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\nBuild: {build}\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
"$work/tools/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-index --no-cache-dir \
    --find-links "$work/wheels" --target "$work/pip" demo
"$work/tools/bin/uv" pip install -q --no-config --no-cache --no-index --find-links "$work/wheels" --target "$work/uv" demo
by_pip=$(PYTHONPATH=$work/pip python3 -c 'import demo')
by_uv=$(PYTHONPATH=$work/uv python3 -c 'import demo')
printf '%s\n' "pip: $by_pip" "uv: $by_uv"
[[ $by_pip == 1.0 && $by_uv == 1.0 ]]
