#!/usr/bin/env bash
# pip 26.3, uv 0.13.9. Expected: a wheel whose METADATA names another version than its file name is dealt with as any
# other faulty wheel: pip goes to an older version, as it does for an invalid requirement.
# Happens: pip drops that one file and takes the lower BUILD of the same version, though an invalid requirement in
# the same place costs the whole version; uv chooses the faulty build and then fails to install it.
# Seen: "pip: other version 2.0-1, bad requirement 1.0-1" / "uv: other version failed".
# Why it matters to a wheelhouse: which fault the best build has decides whether users get the next build, an older
# version or an error; nothing short of a check before publishing treats all users alike.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/version" "$work/requirement"
python3 - "$work" <<'PY'
import sys, zipfile
good = (("1.0", 1, "1.0"), ("2.0", 1, "2.0"))
for fault, bad in (("version", "2.1"), ("requirement", "2.0\nRequires-Dist: foo===>1")):
    for version, build, inside in (*good, ("2.0", 2, bad)):
        info = f"demo-{version}.dist-info"
        with zipfile.ZipFile(f"{sys.argv[1]}/{fault}/demo-{version}-{build}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("demo.py", f"print('{version}-{build}')\n")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {inside}\n")
            wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\nBuild: {build}\n")
            wheel.writestr(f"{info}/RECORD", f"demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
PY
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install pip==26.3 uv==0.13.9
for fault in version requirement; do
    "$work/tools/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-index --no-cache-dir \
        --find-links "$work/$fault" --target "$work/by-pip/$fault" demo 2>/dev/null
done
by_pip() { PYTHONPATH=$work/by-pip/$1 python3 -c 'import demo'; }
by_uv=installed
"$work/tools/bin/uv" pip install -q --no-config --no-cache --no-index --find-links "$work/version" --target "$work/uv" \
    demo 2>"$work/said" || by_uv=failed
seen=("pip: other version $(by_pip version), bad requirement $(by_pip requirement)" "uv: other version $by_uv")
printf '%s\n' "${seen[@]}"
grep -q 'version does not match filename' "$work/said"
[[ "${seen[*]}" == "pip: other version 2.0-1, bad requirement 1.0-1 uv: other version failed" ]]
