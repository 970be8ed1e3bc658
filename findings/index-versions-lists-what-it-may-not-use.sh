#!/usr/bin/env bash
# pip 23.2.1 and 26.3. Expected: `pip index versions --no-binary :all: demo` lists the versions that have a source archive.
# Happens: 23.2.1 takes the option without a word and lists wheels all the same; 26.3 lists none and fails.
# Seen: "23.2.1: 1.0" / "26.3: none".
# Why it matters to a wheelhouse: whoever asks pip whether a project can be built from source, before a long build,
# gets an answer that depends on the age of pip; `pip download --no-binary` is obeyed by both.
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
seen=()
for version in 23.2.1 26.3; do
    "$work/tools/bin/python" -m pip -q --disable-pip-version-check install "pip==$version"
    found=$("$work/tools/bin/python" -m pip --isolated --disable-pip-version-check index versions demo --no-index \
        --find-links "$work/wheels" --no-binary :all: 2>/dev/null | sed -n 's/^Available versions: //p') || true
    seen+=("$version: ${found:-none}")
done
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "23.2.1: 1.0 26.3: none" ]]
