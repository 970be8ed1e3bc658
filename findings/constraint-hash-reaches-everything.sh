#!/usr/bin/env bash
# pip 26.3. Expected: a hash in a constraints file checks the one project that the line names, and only when it is installed.
# Happens: any hash in any constraints file in force switches pip's hash-checking mode on for the whole run: every
# requirement that has no hash of its own is refused, though the line's project is not asked for at all.
# Seen: "without: installed" / "with: ERROR: In --require-hashes mode, all requirements must have their versions pinned with ==."
# Why it matters to a wheelhouse: sites put `constraint = FILE` into everybody's pip.conf; one `--hash` in that file
# makes every plain `pip install NAME` at the site fail.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install pip==26.3
"$work/tools/bin/python" -m pip -q --disable-pip-version-check download --no-deps --dest "$work/wheels" six==1.17.0
echo 'six==1.17.0' >"$work/plain.txt"
printf 'unrelated==1.0 --hash=sha256:%064d\n' 0 >"$work/hashed.txt"
try() {
    "$work/tools/bin/python" -m pip -q --isolated --disable-pip-version-check install --no-index \
        --find-links "$work/wheels" --constraint "$1" --target "$work/$2" six 2>&1 | sed -n 1p || true
}
without=$(try "$work/plain.txt" without)
with=$(try "$work/hashed.txt" with)
[[ -z $without && -f $work/without/six.py ]] && echo "without: installed"
echo "with: $with"
[[ -z $without && $with == *"--require-hashes mode"* ]]
