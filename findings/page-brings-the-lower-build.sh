#!/usr/bin/env bash
# pip 26.3, uv 0.13.9. Expected: whether wheels are found through a page or in a directory makes no difference to which
# of two builds of version 2.0 is taken, of which only the lower one's Requires-Python admits this Python.
# Happens: in a directory both tools drop the whole version and take 1.0. Through a page that states the
# Requires-Python of each file, pip takes the lower build of 2.0, and uv still takes 1.0.
# Seen: directory: pip 1.0, uv 1.0; page: pip 2.0, uv 1.0.
# Why it matters to a wheelhouse: moving a site from find-links to an index changes what its users get, though
# no wheel has changed; and pip and uv no longer agree.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install pip==26.3 uv==0.13.9
mkdir -p "$work/index/demo"
python3 - "$work/index/demo" <<'PY'
import html, sys, zipfile
page = ""
for version, build, python in (("1.0", 1, ">=3"), ("2.0", 1, ">=3"), ("2.0", 2, ">=4")):
    info, name = f"demo-{version}.dist-info", f"demo-{version}-{build}-py3-none-any.whl"
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}", "w") as wheel:
        wheel.writestr("demo.py", f"print({version!r})\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\nRequires-Python: {python}\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\nBuild: {build}\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    page += f'<a href="{name}" data-requires-python="{html.escape(python)}">{name}</a>\n'
with open(f"{sys.argv[1]}/index.html", "w") as file:
    file.write(f"<!DOCTYPE html><html><body>{page}</body></html>")
PY
seen=
for form in directory page; do
    where=(--no-index --find-links "$work/index/demo")
    if [[ $form == page ]]; then where=(--index-url "file://$work/index"); fi
    "$work/tools/bin/python" -m pip -q --isolated --no-cache-dir --disable-pip-version-check \
        install "${where[@]}" --target "$work/$form-pip" demo
    "$work/tools/bin/uv" pip install -q --no-config --no-cache "${where[@]}" --target "$work/$form-uv" \
        --python "$work/tools/bin/python" demo
    seen+="$form: pip $(PYTHONPATH=$work/$form-pip python3 -c 'import demo'), "
    seen+="uv $(PYTHONPATH=$work/$form-uv python3 -c 'import demo'); "
done
echo "${seen%; }"
[[ $seen == "directory: pip 1.0, uv 1.0; page: pip 2.0, uv 1.0; " ]]
