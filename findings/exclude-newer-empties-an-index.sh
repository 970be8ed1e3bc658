#!/usr/bin/env bash
# uv 0.13.9. Expected: `exclude-newer`, which many users set for reproducible environments, hides what was uploaded
# later, and treats a static page, which tells no upload times, like a directory of the same wheels.
# Happens: every file of an index page without upload times is hidden, whatever the date; files of a find-links
# directory and of an index with `format = "flat"` are all taken.
# Seen: page: nothing, find-links: 1.0, flat: 1.0.
# Why it matters to a wheelhouse: one line in a user's uv.toml makes a static index look empty, and uv says only that
# there is no such version.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install uv==0.13.9
python3 - "$work" <<'PY'
import os, sys, zipfile
info, name = "demo-1.0.dist-info", "demo-1.0-py3-none-any.whl"
os.makedirs(f"{sys.argv[1]}/wheels")
os.makedirs(f"{sys.argv[1]}/index/demo")
with zipfile.ZipFile(f"{sys.argv[1]}/wheels/{name}", "w") as wheel:
    wheel.writestr("demo.py", "")
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
with open(f"{sys.argv[1]}/index/demo/index.html", "w") as page:
    page.write(f'<!DOCTYPE html><html><body><a href="../../wheels/{name}">{name}</a></body></html>')
PY
flat="[[index]]
name = \"flat\"
url = \"file://$work/wheels\"
format = \"flat\"
default = true"
printf 'index-url = "file://%s/index"\n' "$work" >"$work/page.toml"
printf 'no-index = true\nfind-links = ["file://%s/wheels"]\n' "$work" >"$work/find-links.toml"
printf '%s\n' "$flat" >"$work/flat.toml"
seen=
for form in page find-links flat; do
    sed -i '1i exclude-newer = "2100-01-01T00:00:00Z"' "$work/$form.toml"
    took=nothing
    if "$work/tools/bin/uv" pip install -q --no-cache --config-file "$work/$form.toml" --target "$work/by-$form" \
        --python "$work/tools/bin/python" demo 2>/dev/null; then took=1.0; fi
    seen+="$form: $took, "
done
echo "${seen%, }"
[[ $seen == "page: nothing, find-links: 1.0, flat: 1.0, " ]]
