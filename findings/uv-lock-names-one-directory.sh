#!/usr/bin/env bash
# uv 0.13.9. Expected: uv.lock lists every wheel of the locked version that find-links directories hold, with its
# hash, as it does for an index, so that another machine can choose the wheel that fits.
# Happens: the version is tied to ONE directory, that of the highest build tag; the wheels of that version in the
# other directories are dropped, no hash is written, and `uv lock --check` is content when the file has gone.
# Seen: wheels listed: 1 of 2, hashes: 0, check after the wheel was removed: passed.
# Why it matters to a wheelhouse: a project locked on an AVX-512 node cannot be installed on an older one, though a
# wheel for it lies in the next directory; uv's projects need an index, not find-links.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install uv==0.13.9
mkdir "$work/avx2" "$work/avx512" "$work/project"
python3 - "$work" <<'PY'
import sys, zipfile
info = "demo-1.0.dist-info"
for directory, build in (("avx2", 4), ("avx512", 5)):
    with zipfile.ZipFile(f"{sys.argv[1]}/{directory}/demo-1.0-{build}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("demo.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\nBuild: {build}\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
cat >"$work/project/pyproject.toml" <<TOML
[project]
name = "mine"
version = "1"
requires-python = ">=3.10"
dependencies = ["demo"]
[tool.uv]
no-index = true
find-links = ["$work/avx2", "$work/avx512"]
TOML
uv() { "$work/tools/bin/uv" "$@" --quiet --no-cache --project "$work/project" --python "$work/tools/bin/python"; }
uv lock
listed=$(grep -c 'demo-1.0.*\.whl' "$work/project/uv.lock" || true)
hashes=$(grep -c 'sha256' "$work/project/uv.lock" || true)
rm "$work/avx512/"*.whl
check=failed
if uv lock --check; then check=passed; fi
echo "wheels listed: $listed of 2, hashes: $hashes, check after the wheel was removed: $check"
[[ $listed == 1 && $hashes == 0 && $check == passed ]]
