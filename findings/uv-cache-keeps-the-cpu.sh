#!/usr/bin/env bash
# uv 0.13.9, preview feature wheel-variants. Expected: of wheel variants for x86-64-v2 and x86-64-v4, a host gets the one
# that its CPU runs.
# Happens: uv keeps the flags of /proc/cpuinfo in its cache, with what it knows of the Python interpreter. With a cache
# in a shared home directory, the first node decides for all: one without AVX-512 installs the wheel for it.
# Seen: "v4 node: v4, then v2 node: v4, with --refresh: v2".
# Why it matters to a wheelhouse: variants replace the module file only where each kind of node has a cache of its own.
set -euo pipefail
if ! unshare --mount true 2>/dev/null; then echo "not run: this needs the right to mount" && exit 0; fi
if [[ $(uname -m) != x86_64 ]]; then echo "not run: this is about x86-64" && exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install uv==0.13.9
mkdir "$work/wheels"
python3 - "$work" <<'PY'
import json, sys, zipfile
def said(*levels):
    return json.dumps({
        "$schema": "https://variants-schema.wheelnext.dev/peps/850/v0.2.0.json",
        "default-priorities": {"namespace": ["x86_64"]},
        "providers": {"x86_64": {"requires": ["x86-64-variant-provider"]}},
        "variants": {level: {"x86_64": {"level": [level]}} for level in levels},
    })
info = "demo-1.0.dist-info"
for level in ("v2", "v4"):
    with zipfile.ZipFile(f"{sys.argv[1]}/wheels/demo-1.0-py3-none-any-{level}.whl", "w") as wheel:
        wheel.writestr("demo.py", f"print({level!r})\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/variant.json", said(level))
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*wheel.namelist(), f"{info}/RECORD"]))
with open(f"{sys.argv[1]}/wheels/demo-1.0-variants.json", "w") as file:
    file.write(said("v2", "v4"))
v2 = "fpu cmov cx8 fxsr mmx sse sse2 pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm"
v4 = f"{v2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave avx512f avx512bw avx512cd avx512dq avx512vl"
for level, flags in (("v2", v2), ("v4", v4)):
    with open(f"{sys.argv[1]}/{level}", "w") as file:
        file.write(f"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: {flags}\n\n")
PY
get() {
    rm -rf "$work/got"
    unshare --mount sh -c 'mount --bind "$0" /proc/cpuinfo && exec "$@"' "$work/$1" "$work/tools/bin/uv" pip install -q \
        --no-config --preview-features wheel-variants --cache-dir "$work/cache" --python "$work/tools/bin/python" \
        --no-index --find-links "$work/wheels" --target "$work/got" "${@:2}" demo >/dev/null
    PYTHONPATH=$work/got python3 -c 'import demo'
}
seen="v4 node: $(get v4), then v2 node: $(get v2), with --refresh: $(get v2 --refresh)"
echo "$seen"
[[ $seen == "v4 node: v4, then v2 node: v4, with --refresh: v2" ]]
