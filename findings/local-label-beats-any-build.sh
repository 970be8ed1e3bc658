#!/usr/bin/env bash
# pip 26.3, uv 0.13.9. Expected: where `demo==1.0` is asked for, the wheel of 1.0 with a high build tag wins over one of
# 1.0+site, which is another version.
# Happens: a local label makes a newer version, which `==1.0` admits as well, so it comes before any build tag; only
# `===1.0` takes the wheel without the label. The specification says so, and it is easily forgotten.
# Seen: "pip: demo==1.0 label, demo===1.0 build 9" / "uv: demo==1.0 label, demo===1.0 build 9".
# Why it matters to a wheelhouse: a generic wheel with the site's label hides the optimised one of the same release
# in every directory where that lacks the label: labels are given to all builds of a version, or to none.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/generic" "$work/avx2"
python3 - "$work" <<'PY'
import sys, zipfile
for directory, version, build, said in (("generic", "1.0+site", "", "label"), ("avx2", "1.0", "-9", "build 9")):
    info = f"demo-{version}.dist-info"
    with zipfile.ZipFile(f"{sys.argv[1]}/{directory}/demo-{version}{build}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("demo.py", f"print({said!r})\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install pip==26.3 uv==0.13.9
links=(--no-index --find-links "$work/generic" --find-links "$work/avx2")
by_pip() { "$work/tools/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-cache-dir "${links[@]}" "$@"; }
by_uv() { "$work/tools/bin/uv" pip install -q --no-config --no-cache "${links[@]}" "$@"; }
seen=()
for tool in pip uv; do
    line="$tool:"
    for wanted in demo==1.0 demo===1.0; do
        "by_$tool" --target "$work/$tool-$wanted" "$wanted"
        line+=" $wanted $(PYTHONPATH=$work/$tool-$wanted python3 -c 'import demo'),"
    done
    seen+=("${line%,}")
done
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "pip: demo==1.0 label, demo===1.0 build 9 uv: demo==1.0 label, demo===1.0 build 9" ]]
