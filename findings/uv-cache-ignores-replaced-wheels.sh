#!/usr/bin/env bash
# uv 0.13.9. Expected: a wheel in a local find-links directory that has been replaced by another file of the same name
# (other size, other modification time, other sha256) is what the next `uv pip install` installs.
# Happens: uv's cache is keyed by the directory's URL and the file name; a new environment gets the old content,
# until somebody says --refresh (or --reinstall, which implies it) or the file gets another name.
# Seen: "installed: old, with --reinstall: new".
# Why it matters to a wheelhouse: rebuilding a wheel under its old name reaches nobody who had the old one; every
# rebuild needs a build tag of its own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install uv==0.13.9
mkdir "$work/wheels"
build() {
    python3 - "$work/wheels" "$1" <<'PY'
import sys, zipfile
info = "demo-1.0.dist-info"
with zipfile.ZipFile(f"{sys.argv[1]}/demo-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("demo.py", f"print({sys.argv[2]!r})  # {sys.argv[2] * len(sys.argv[2]) * 9}\n")
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
}
get() {
    rm -rf "$work/$1"
    "$work/tools/bin/uv" pip install -q --no-config --cache-dir "$work/cache" --no-index \
        --find-links "$work/wheels" --target "$work/$1" "${@:2}" demo
    PYTHONPATH=$work/$1 python3 -c 'import demo'
}
build old
get first >/dev/null
sleep 1
build new
seen="installed: $(get plain), with --reinstall: $(get again --reinstall)"
echo "$seen"
[[ $seen == "installed: old, with --reinstall: new" ]]
