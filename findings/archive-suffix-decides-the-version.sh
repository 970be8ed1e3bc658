#!/usr/bin/env bash
# pip 23.3.2, pip 24.0, uv 0.13.9. Expected: the source archive demo-2.0.tgz in a find-links directory, beside a wheel
# of 1.0, is either a candidate for all of them or for none.
# Happens: pip 23.3.2 builds and installs it; pip 24.0 takes the wheel and says nothing of the archive; uv takes the
# wheel, too, and only when 2.0 is demanded says that there is a 2.0 whose file name it does not accept.
# Seen: "pip 23.3.2: 2.0" / "pip 24.0: 1.0" / "uv: 1.0, ==2.0: non-PEP 625-compliant".
# Why it matters to a wheelhouse: an upgrade of pip, or the change to uv, turns a new version back into an old one
# without an error where the archive has one of the old suffixes (.tgz, .tar.bz2).
set -euo pipefail
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
project = '[project]\nname = "demo"\nversion = "2.0"\n[build-system]\nrequires = ["flit-core"]\nbuild-backend = "flit_core.buildapi"\n'
source = '"""Demo"""\nprint("2.0")\n'
with tarfile.open(f"{sys.argv[1]}/demo-2.0.tgz", "w:gz") as archive:
    for name, text in (("pyproject.toml", project.replace("version", 'description = "d"\nversion')), ("demo.py", source)):
        member = tarfile.TarInfo(f"demo-2.0/{name}")
        member.size, member.mtime = len(text), 10**9
        archive.addfile(member, io.BytesIO(text.encode()))
PY
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install uv==0.13.9 flit-core==3.12.0
seen=()
for version in 23.3.2 24.0; do
    "$work/tools/bin/python" -m pip -q --disable-pip-version-check install "pip==$version"
    "$work/tools/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-index --no-cache-dir \
        --no-build-isolation --find-links "$work/files" --target "$work/$version" demo
    seen+=("pip $version: $(PYTHONPATH=$work/$version python3 -c 'import demo')")
done
uv() { "$work/tools/bin/uv" pip install -q --no-config --no-cache --no-index --find-links "$work/files" --target "$work/uv" "$1"; }
uv demo
said=$(uv demo==2.0 2>&1 | grep -o 'non-PEP 625-compliant' || true)
seen+=("uv: $(PYTHONPATH=$work/uv python3 -c 'import demo'), ==2.0: $said")
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "pip 23.3.2: 2.0 pip 24.0: 1.0 uv: 1.0, ==2.0: non-PEP 625-compliant" ]]
