#!/usr/bin/env bash
# pip 26.3, uv 0.13.9. Expected: a link whose data-requires-python is `!=3.X.*` or `<3.X` is for no Python 3.X (PEP 503).
# Happens: pip obeys both; uv looks at lower bounds only, and takes the newer version that the page denies this Python.
# Seen: != : pip 1.0, uv 2.0; < : pip 1.0, uv 2.0; >= (a later Python) : pip 1.0, uv 1.0.
# Why it matters to a wheelhouse: a page that offers a build to some Pythons and another build to the others can say so
# to pip in every case, to uv only where the build is for the later Pythons.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install pip==26.3 uv==0.13.9
"$work/tools/bin/python" - "$work" <<'PY'
import os, sys, zipfile
own = "%d.%d" % sys.version_info[:2]
later = "%d.%d" % (sys.version_info[0], sys.version_info[1] + 1)
for project, denied in (("other", f"!={own}.*"), ("upper", f"&lt;{own}"), ("lower", f"&gt;={later}")):
    page = ""
    os.makedirs(f"{sys.argv[1]}/index/{project}")
    for version in ("1.0", "2.0"):
        info, name = f"{project}-{version}.dist-info", f"{project}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(f"{sys.argv[1]}/index/{project}/{name}", "w") as wheel:
            wheel.writestr(f"{project}.py", f"print({version!r})\n")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", f"{project}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
        limit = f' data-requires-python="{denied}"' if version == "2.0" else ""
        page += f'<a href="{name}"{limit}>{name}</a>\n'
    with open(f"{sys.argv[1]}/index/{project}/index.html", "w") as file:
        file.write(f"<!DOCTYPE html><html><body>{page}</body></html>")
PY
index=(--index-url "file://$work/index" --no-deps)
"$work/tools/bin/python" -m pip -q --isolated --no-cache-dir --disable-pip-version-check \
    install "${index[@]}" --target "$work/pip" other upper lower
"$work/tools/bin/uv" pip install -q --no-config --no-cache "${index[@]}" --target "$work/uv" \
    --python "$work/tools/bin/python" other upper lower
took() { PYTHONPATH=$work/$1 python3 -c "import $2"; }
line() { echo "$1 : pip $(took pip "$2"), uv $(took uv "$2")"; }
seen="$(line != other); $(line '<' upper); $(line '>= (a later Python)' lower)"
echo "$seen"
[[ $seen == "!= : pip 1.0, uv 2.0; < : pip 1.0, uv 2.0; >= (a later Python) : pip 1.0, uv 1.0" ]]
