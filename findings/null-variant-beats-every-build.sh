#!/usr/bin/env bash
# uv 0.13.9. Expected (PEP 825, draft of August 2026: variants are grouped by name, version and build number): of two
# wheels of one version, the one with the higher build tag is taken.
# Happens: with the preview feature wheel-variants, a null variant without any build tag is taken before every plain wheel,
# in whatever directory, if a demo-1.0-variants.json lies beside it.
# Seen: "without the JSON: build 9, with it: null, without the preview: build 9".
# Why it matters to a wheelhouse: one such file in any directory undoes what the build tags say, for these users only.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install uv==0.13.9
mkdir "$work/wheels" "$work/other"
python3 - "$work" <<'PY'
import json, sys, zipfile
said = json.dumps({
    "$schema": "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json",
    "default-priorities": {"namespace": ["x86_64"]},
    "variants": {"null": {}},
})
info = "demo-1.0.dist-info"
for name, mark in (("wheels/demo-1.0-9-py3-none-any", "build 9"), ("other/demo-1.0-py3-none-any-null", "null")):
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}.whl", "w") as wheel:
        wheel.writestr("demo.py", f"print({mark!r})\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/variant.json", said)
        wheel.writestr(f"{info}/RECORD", "".join(f"{each},,\n" for each in [*wheel.namelist(), f"{info}/RECORD"]))
with open(f"{sys.argv[1]}/said", "w") as file:
    file.write(said)
PY
get() {
    rm -rf "$work/got"
    "$work/tools/bin/uv" pip install -q --no-config --no-cache "$@" --no-index --find-links "$work/wheels" \
        --find-links "$work/other" --target "$work/got" demo >/dev/null 2>&1 || { echo none; return; }
    PYTHONPATH=$work/got python3 -c 'import demo'
}
preview=(--preview-features wheel-variants)
seen="without the JSON: $(get "${preview[@]}")"
cp "$work/said" "$work/other/demo-1.0-variants.json"
seen+=", with it: $(get "${preview[@]}"), without the preview: $(get)"
echo "$seen"
[[ $seen == "without the JSON: build 9, with it: null, without the preview: build 9" ]]
