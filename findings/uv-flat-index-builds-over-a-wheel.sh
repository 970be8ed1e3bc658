#!/usr/bin/env bash
# uv 0.6.17 and 0.13.9. Expected: of one version a wheel comes before a source archive, wherever they lie.
# Happens: with find-links it does. With flat indexes uv looks at the first one that has the version: an archive there is
# built, though the second one has a wheel.
# Seen: find-links: installed; flat indexes: built.
# Why it matters to a wheelhouse: an archive that lies in a directory of a high arch, beside the wheels of other versions,
# hides the wheel of a generic directory from uv, and only in one of the two ways to name the directories.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/first" "$work/second"
python3 - "$work" <<'PY'
import io, sys, tarfile, zipfile
info = "demo-1.0.dist-info"
with zipfile.ZipFile(f"{sys.argv[1]}/second/demo-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
files = {
    "PKG-INFO": "Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n",
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": 'raise SystemExit("it is built")\n',
}
with tarfile.open(f"{sys.argv[1]}/first/demo-1.0.tar.gz", "w:gz") as archive:
    for name, text in files.items():
        member = tarfile.TarInfo(f"demo-1.0/{name}")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
PY
printf 'no-index = true\nfind-links = ["%s", "%s"]\n' "$work/first" "$work/second" >"$work/links.toml"
{
    echo 'index-strategy = "unsafe-best-match"'
    printf '[[index]]\nurl = "file://%s"\nformat = "flat"\n' "$work/first" "$work/second"
    echo 'default = true'
} >"$work/flat.toml"
for version in 0.6.17 0.13.9; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" -q --disable-pip-version-check install "uv==$version"
    happens() {
        said=$(env -i "HOME=$work" "PATH=$PATH" "UV_CONFIG_FILE=$work/$1.toml" "$work/$version/bin/uv" pip install --no-cache \
            --target "$work/$version/$1" --python "$work/$version/bin/python" demo 2>&1) && echo installed && return
        [[ $said == *"it is built"* ]] && echo built || echo "$said"
    }
    seen="find-links: $(happens links); flat indexes: $(happens flat)"
    echo "uv $version: $seen"
    [[ $seen == "find-links: installed; flat indexes: built" ]]
done
