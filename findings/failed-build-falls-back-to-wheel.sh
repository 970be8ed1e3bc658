#!/usr/bin/env bash
# pip 21.0.1, 22.3.1 and 26.3. Expected: a source archive that is newer than the wheel beside it, and whose metadata
# cannot be made here (a compiler is missing, say), has one outcome in neighbouring releases of pip.
# Happens: 21.0.1 reports the failed build, goes on to the older wheel and exits with 0; later ones stop.
# Seen: "pip 21.0.1: 1.0" / "pip 22.3.1: failed" / "pip 26.3: failed".
# Why it matters to a wheelhouse: a forgotten archive in a shared directory does no visible harm to users of an old
# pip, and after an upgrade of pip nobody can install the project: keep archives out of find-links directories.
set -euo pipefail
python3 -c 'import sys; sys.exit(sys.version_info >= (3, 12))' || { echo "needs Python 3.11 or older"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/files"
python3 - "$work/files" <<'PY'
import io, sys, tarfile, zipfile
info = "demo-1.0.dist-info"
with zipfile.ZipFile(f"{sys.argv[1]}/demo-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("demo.py", "print('1.0')\n")
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
with tarfile.open(f"{sys.argv[1]}/demo-2.0.tar.gz", "w:gz") as archive:
    for name, text in (
        ("PKG-INFO", "Metadata-Version: 2.1\nName: demo\nVersion: 2.0\n"),
        ("pyproject.toml", '[build-system]\nrequires = []\nbackend-path = ["."]\nbuild-backend = "backend"\n'),
        ("backend.py", "def prepare_metadata_for_build_wheel(*_):\n    raise SystemExit('no compiler')\nbuild_wheel = prepare_metadata_for_build_wheel\n"),
    ):
        member = tarfile.TarInfo(f"demo-2.0/{name}")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
PY
python3 -m venv "$work/tools"
seen=()
for version in 21.0.1 22.3.1 26.3; do
    "$work/tools/bin/python" -m pip -q --disable-pip-version-check install "pip==$version"
    "$work/tools/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-index --no-cache-dir \
        --find-links "$work/files" --target "$work/$version" demo >"$work/said" 2>&1 || [[ $version != 21.0.1 ]]
    grep -q 'no compiler' "$work/said"
    seen+=("pip $version: $(PYTHONPATH=$work/$version python3 -c 'import demo' 2>/dev/null || echo failed)")
done
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "pip 21.0.1: 1.0 pip 22.3.1: failed pip 26.3: failed" ]]
