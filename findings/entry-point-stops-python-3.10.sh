#!/usr/bin/env bash
# pip 26.3 on Python 3.10 and 3.11. Expected: whether a pure-Python wheel installs does not depend on the running Python,
# where its Requires-Python admits both.
# Happens: on 3.10 pip reads entry_points.txt by its copy of pkg_resources, which stops at a group with a blank in its
# name or an entry that is no module and object; on 3.11 it reads it by importlib.metadata, which takes both.
# Seen: "python3.10: group stops, entry stops" / "python3.11: group installs, entry installs".
# Why it matters to a wheelhouse: a py3-none-any wheel that was tried on the newest Python fails for the users of the
# older one; what every installer takes has to be checked without relying on one interpreter.
set -euo pipefail
for python in python3.10 python3.11; do
    "$python" -c 'import venv' 2>/dev/null || { echo "needs python3.10 and python3.11"; exit 0; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/group" "$work/entry"
python3.11 - "$work" <<'PY'
import sys, zipfile
info = "demo-1.0.dist-info"
for directory, points in (("group", "[demo plug-ins]\none = demo\n"), ("entry", "[demo.data]\none = tables/one.txt\n")):
    with zipfile.ZipFile(f"{sys.argv[1]}/{directory}/demo-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("demo.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", points)
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in (*wheel.namelist(), f"{info}/RECORD")))
PY
seen=()
for python in python3.10 python3.11; do
    "$python" -m venv "$work/$python"
    "$work/$python/bin/pip" -q --disable-pip-version-check install pip==26.3
    line="$python:"
    for fault in group entry; do
        result=installs
        "$work/$python/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-index --no-cache-dir \
            --find-links "$work/$fault" --target "$work/$python-$fault" demo 2>"$work/said" || result=stops
        [[ $result == installs ]] || grep -q 'Error parsing entry points' "$work/said"
        line+=" $fault $result,"
    done
    seen+=("${line%,}")
done
printf '%s\n' "${seen[@]}"
[[ "${seen[*]}" == "python3.10: group stops, entry stops python3.11: group installs, entry installs" ]]
