#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, installer 1.1.0. Expected: `Root-Is-Purelib: True` in WHEEL means what `true` does, or is refused.
# Happens: pip takes it for true; uv and installer compare with `true` exactly, take it for false without a word and
# put the modules into platlib. The two directories differ where libraries are in lib64 (Fedora, Gentoo); the
# script makes such a Python by setting sys.platlibdir.
# Seen: "pip: lib" / "uv: lib64" / "installer: lib64".
# Why it matters to a wheelhouse: one wheel lies in two places of an environment that both pip and another tool have
# touched, and a directory for pure modules only that is shared between machines lacks it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$work" <<'PY'
import sys, zipfile
info = "demo-1.0.dist-info"
with zipfile.ZipFile(f"{sys.argv[1]}/demo-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("demo.py", "")
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: True\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
python3 -m venv "$work/tools"
python=$work/tools/bin/python
"$python" -m pip -q --disable-pip-version-check install pip==26.3 uv==0.13.9 installer==1.1.0
rm -f "$work/tools/lib64"
pure=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo 'import sys; sys.platlibdir = "lib64"' >"$pure/lib64.pth"
wheel=$work/demo-1.0-py3-none-any.whl
place() { # where the module is now; takes it away again
    local place=${pure#"$work/tools/"}
    [[ -f $pure/demo.py ]] && echo "${place%%/*}"
    [[ -f $work/tools/lib64/${place#*/}/demo.py ]] && echo lib64
    rm -rf "$pure"/demo* "$work/tools/lib64"
}
"$python" -m pip -q --isolated --disable-pip-version-check install --no-index "$wheel"
seen=("pip: $(place)")
"$work/tools/bin/uv" pip install -q --no-config --no-cache --no-index --python "$python" "$wheel"
seen+=("uv: $(place)")
"$python" -m installer "$wheel"
seen+=("installer: $(place)")
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "pip: lib uv: lib64 installer: lib64" ]]
