#!/usr/bin/env bash
# pip 22.2.2 and 22.3.1. Expected (PEP 825, "Backwards Compatibility": installers reject names with a variant label): neither
# takes demo-2.0-py3-none-linux_x86_64.manylinux_2_17_x86_64-v4.whl, which is for CPUs with AVX-512.
# Happens: up to 22.2.2, a platform tag may contain a dash. The last part becomes "manylinux_2_17_x86_64-v4", which no host
# accepts, and the first stays "linux_x86_64", which every x86-64 Linux does.
# Seen: "22.2.2: 2.0, 22.3.1: 1.0". A variant with one platform tag is taken by neither.
# Why it matters to a wheelhouse: what auditwheel names usually has two platform tags; one such file in a directory is
# installed by old pips on every CPU.
set -euo pipefail
if [[ $(uname -sm) != "Linux x86_64" ]]; then echo "not run: this is about Linux on x86-64" && exit 0; fi
old=
for each in python3 python3.11 python3.10 python3.9; do  # later ones lack what these pips import
    if "$each" -c 'import distutils, ensurepip' 2>/dev/null; then old=$each; fi
done
if [[ -z $old ]]; then echo "not run: this needs a Python up to 3.11" && exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/wheels"
"$old" - "$work/wheels" <<'PY'
import sys, zipfile
for version, tag in (("1.0", "any"), ("2.0", "linux_x86_64.manylinux_2_17_x86_64-v4"), ("3.0", "linux_x86_64-v4")):
    info = f"demo-{version}.dist-info"
    with zipfile.ZipFile(f"{sys.argv[1]}/demo-{version}-py3-none-{tag}.whl", "w") as wheel:
        wheel.writestr("demo.py", f"print({version!r})\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
seen=
for pip in 22.2.2 22.3.1; do
    "$old" -m venv "$work/$pip"
    "$work/$pip/bin/python" -m pip -q --disable-pip-version-check install "pip==$pip"
    "$work/$pip/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-index \
        --find-links "$work/wheels" demo
    seen+="$pip: $("$work/$pip/bin/python" -c 'import demo'), "
done
seen=${seen%, }
echo "$seen"
[[ $seen == "22.2.2: 2.0, 22.3.1: 1.0" ]]
