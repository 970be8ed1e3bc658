#!/usr/bin/env bash
# pip 26.3, uv 0.13.9. Expected: both read their file in every directory of XDG_CONFIG_DIRS, and the first directory
# is the most important one (XDG base directory specification).
# Happens: pip reads all of them, and where two set one option the LAST directory wins; uv reads the first file that
# exists, and nothing of the others.
# Seen: pip: no-index of the first, find-links of the last; uv: find-links of the first.
# Why it matters to a wheelhouse: a site that puts its directory in front for uv has given it the weakest place for
# pip: what /etc/xdg/pip/pip.conf (or /etc/pip.conf) says beats it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install pip==26.3 uv==0.13.9
mkdir -p "$work"/{first,last}/{pip,uv,wheels} "$work/home"
python3 - "$work" <<'PY'
import sys, zipfile
for place in ("first", "last"):
    info = "demo-1.0.dist-info"
    with zipfile.ZipFile(f"{sys.argv[1]}/{place}/wheels/demo-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("demo.py", f"print({place!r})\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    with open(f"{sys.argv[1]}/{place}/pip/pip.conf", "w") as file:
        file.write(f"[global]\nfind-links = {sys.argv[1]}/{place}/wheels\n" + "no-index = true\n" * (place == "first"))
    with open(f"{sys.argv[1]}/{place}/uv/uv.toml", "w") as file:
        file.write(f'no-index = true\nfind-links = ["{sys.argv[1]}/{place}/wheels"]\n')
PY
site=(env -i "HOME=$work/home" "PATH=$PATH" "XDG_CONFIG_DIRS=$work/first:$work/last")
read_by_pip=$("${site[@]}" "$work/tools/bin/python" -m pip config debug)
[[ $read_by_pip == *"$work/first/pip/pip.conf, exists: True"*"global.no-index: true"* ]]
"${site[@]}" "$work/tools/bin/python" -m pip -q --disable-pip-version-check install --no-cache-dir --target "$work/pip" demo
"${site[@]}" "$work/tools/bin/uv" pip install -q --no-cache --target "$work/uv" --python "$work/tools/bin/python" demo
took() { PYTHONPATH=$work/$1 python3 -c 'import demo'; }
seen="pip: no-index of the first, find-links of the $(took pip); uv: find-links of the $(took uv)"
echo "$seen"
[[ $seen == "pip: no-index of the first, find-links of the last; uv: find-links of the first" ]]
