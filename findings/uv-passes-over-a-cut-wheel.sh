#!/usr/bin/env bash
# uv 0.13.9, pip 26.3. Expected: a wheel whose end is missing (a copy that was stopped, a full disk) is an error when it is
# the newest one of its project in a find-links directory.
# Happens: uv passes over it as if it were not there, prints nothing of it, and installs the older version; pip stops.
# Seen: "uv: 1.0, said of the file: nothing" / "pip: is invalid".
# Why it matters to a wheelhouse: a damaged upload takes a version away from uv's users without a trace in any log;
# wheels have to appear whole, under their name only when all bytes are on disk.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/wheels"
python3 - "$work/wheels" <<'PY'
import pathlib, sys, zipfile
for version in ("1.0", "2.0"):
    info = f"demo-{version}.dist-info"
    with zipfile.ZipFile(f"{sys.argv[1]}/demo-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("demo.py", f"print({version!r})\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
cut = pathlib.Path(wheel.filename)
cut.write_bytes(cut.read_bytes()[:-40])
PY
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install pip==26.3 uv==0.13.9
"$work/tools/bin/uv" pip install --no-config --no-cache --no-index --find-links "$work/wheels" --target "$work/uv" demo 2>"$work/said"
said=$(grep -i -E 'warn|invalid|demo.2\.0' "$work/said" || echo nothing)
seen=("uv: $(PYTHONPATH=$work/uv python3 -c 'import demo'), said of the file: $said")
"$work/tools/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-index --no-cache-dir \
    --find-links "$work/wheels" --target "$work/pip" demo >"$work/said" 2>&1 && exit 1
seen+=("pip: $(grep -o -m 1 'is invalid' "$work/said")")
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "uv: 1.0, said of the file: nothing pip: is invalid" ]]
