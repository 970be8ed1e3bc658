#!/usr/bin/env bash
# pip 24.0, pip 26.3, uv 0.13.9. Expected: a wheel whose METADATA has the once common, invalid requirement `foo>=1.0.*`
# is either installed or refused, and alike by all of them.
# Happens: pip 24.0 and uv read it as `foo>=1.0` and install it; pip 26.3 warns and ends well with an older version.
# Seen: "pip 24.0: 2.0" / "pip 26.3: 1.0" / "uv: 2.0".
# Why it matters to a wheelhouse: one old wheel's metadata decides by the user's installer which version comes, and
# the warning is lost in a batch job's log; the requirement has to be checked before the wheel is shared.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/wheels"
python3 - "$work/wheels" <<'PY'
import sys, zipfile
for name, version, requires in (("demo", "1.0", ""), ("demo", "2.0", "Requires-Dist: foo>=1.0.*\n"), ("foo", "3.0", "")):
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"print({version!r})\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install uv==0.13.9
seen=()
for version in 24.0 26.3; do
    "$work/tools/bin/python" -m pip -q --disable-pip-version-check install "pip==$version"
    "$work/tools/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-index --no-cache-dir \
        --find-links "$work/wheels" --target "$work/$version" demo 2>/dev/null
    seen+=("pip $version: $(PYTHONPATH=$work/$version python3 -c 'import demo')")
done
"$work/tools/bin/uv" pip install -q --no-config --no-cache --no-index --find-links "$work/wheels" --target "$work/uv" demo
seen+=("uv: $(PYTHONPATH=$work/uv python3 -c 'import demo')")
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "pip 24.0: 2.0 pip 26.3: 1.0 uv: 2.0" ]]
