#!/usr/bin/env bash
# pip 26.2 and 26.3. Expected: two wheels of one version, one tagged manylinux_2_17_x86_64 and one linux_x86_64, are
# ranked alike by neighbouring releases of pip.
# Happens: 26.2 takes the manylinux wheel, 26.3 the linux one (its newer packaging lists linux_* first), whatever the
# build tags say: the platform tag is compared before the build tag.
# Seen: "pip 26.2: manylinux" / "pip 26.3: linux".
# Why it matters to a wheelhouse: a site's own linux_* wheel beats or loses to an adopted manylinux wheel of the same
# version depending on each user's pip; only equal tag sets make the build tag count.
set -euo pipefail
[[ $(uname -m) == x86_64 ]] || { echo "needs x86_64"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/wheels"
python3 - "$work/wheels" <<'PY'
import sys, zipfile
info = "demo-1.0.dist-info"
for build, kind in ((9, "manylinux_2_17"), (1, "linux")):
    tag = f"py3-none-{kind}_x86_64"
    with zipfile.ZipFile(f"{sys.argv[1]}/demo-1.0-{build}-{tag}.whl", "w") as wheel:
        wheel.writestr("demo.py", f"print({kind.partition('_')[0]!r})\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\nBuild: {build}\n")
        wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
python3 -m venv "$work/tools"
seen=()
for version in 26.2 26.3; do
    "$work/tools/bin/python" -m pip -q --disable-pip-version-check install "pip==$version"
    "$work/tools/bin/python" -m pip -q --disable-pip-version-check install --no-index --no-cache-dir \
        --find-links "$work/wheels" --target "$work/$version" demo
    seen+=("pip $version: $(PYTHONPATH=$work/$version python3 -c 'import demo')")
done
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "pip 26.2: manylinux pip 26.3: linux" ]]
