#!/usr/bin/env bash
# pip 23.3.2, pip 24.0, uv 0.13.9. Expected: of equal wheels in two find-links directories each takes the one of the
# directory whose name comes first, as they do with plain directories.
# Happens: where that directory is a symbolic link, pip up to 23.3 goes by the name of what it leads to, and takes the
# other wheel; pip 24.0 and uv go by the name that they were given.
# Seen: "pip 23.3.2: b / pip 24.0: z / uv: z", for the directories b and a, which is a link to z.
# Why it matters to a wheelhouse: directories that are links (generic -> common, a layer's second name) change the
# winner of a tie with an upgrade of pip; and what `pip install --report` names is in one case not where one looked.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work"/{b,z}
ln -s z "$work/a"
for directory in b z; do
    python3 - "$work/$directory" <<'PY'
import os, sys, zipfile
info, name = "demo-1.0.dist-info", os.path.basename(sys.argv[1])
with zipfile.ZipFile(f"{sys.argv[1]}/demo-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("demo.py", f"print({name!r})\n")
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
done
where=(--no-index --find-links "$work/a" --find-links "$work/b")
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install uv==0.13.9
seen=()
for version in 23.3.2 24.0; do
    "$work/tools/bin/python" -m pip -q --disable-pip-version-check install "pip==$version"
    "$work/tools/bin/python" -m pip -q --isolated --disable-pip-version-check install "${where[@]}" --target "$work/$version" demo
    seen+=("pip $version: $(PYTHONPATH=$work/$version python3 -c 'import demo') /")
done
"$work/tools/bin/uv" pip install -q --no-config --no-cache "${where[@]}" --target "$work/uv" demo
seen+=("uv: $(PYTHONPATH=$work/uv python3 -c 'import demo')")
echo "${seen[*]}"
[[ ${seen[*]} == "pip 23.3.2: b / pip 24.0: z / uv: z" ]]
