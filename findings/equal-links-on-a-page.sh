#!/usr/bin/env bash
# pip 20.2.4 and 26.3, uv 0.13.9. Expected: of two links to the same wheel name on one page of a simple index, every
# tool takes the same one, as nothing says which is the better.
# Happens: pip up to 20.2 and uv take the first link, pip since 20.3 the last.
# Seen: pip 20.2.4: first, pip 26.3: last, uv 0.13.9: first.
# Why it matters to a wheelhouse: an index that lists the builds of two directories under one file name serves
# different builds to different installers; a page must list one of them only.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
for release in 20.2.4 26.3; do
    "$work/tools/bin/pip" -q --disable-pip-version-check install --no-deps --target "$work/pip-$release" "pip==$release"
done
"$work/tools/bin/pip" -q --disable-pip-version-check install uv==0.13.9
python3 - "$work" <<'PY'
import os, sys, zipfile
info, name = "demo-1.0.dist-info", "demo-1.0-py3-none-any.whl"
links = ""
for place in ("first", "last"):
    os.makedirs(f"{sys.argv[1]}/{place}")
    with zipfile.ZipFile(f"{sys.argv[1]}/{place}/{name}", "w") as wheel:
        wheel.writestr("demo.py", f"print({place!r})\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    links += f'<a href="../../{place}/{name}">{name}</a>\n'
os.makedirs(f"{sys.argv[1]}/index/demo")
with open(f"{sys.argv[1]}/index/demo/index.html", "w") as page:
    page.write(f"<!DOCTYPE html><html><body>{links}</body></html>")
PY
index=(--index-url "file://$work/index" --no-deps)
for release in 20.2.4 26.3; do
    PYTHONPATH=$work/pip-$release "$work/tools/bin/python" -m pip -q --isolated --no-cache-dir --disable-pip-version-check \
        install "${index[@]}" --target "$work/by-pip-$release" demo
done
"$work/tools/bin/uv" pip install -q --no-config --no-cache "${index[@]}" --target "$work/by-uv" \
    --python "$work/tools/bin/python" demo
took() { PYTHONPATH=$work/by-$1 python3 -c 'import demo'; }
seen="pip 20.2.4: $(took pip-20.2.4), pip 26.3: $(took pip-26.3), uv 0.13.9: $(took uv)"
echo "$seen"
[[ $seen == "pip 20.2.4: first, pip 26.3: last, uv 0.13.9: first" ]]
