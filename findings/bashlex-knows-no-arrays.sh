#!/usr/bin/env bash
# bashlex 0.18, tree-sitter 0.25.2, tree-sitter-bash 0.25.1. Expected: bashlex, a port of bash's own grammar, reads what
# build recipes in shell consist of.
# Happens: it refuses arrays, `[[ ]]`, `case` and a here-document in `$( )`, with various exceptions; tree-sitter-bash
# reads all of it.
# Seen: "bashlex: assignment yes, here-document no, array no, test no, case no / tree-sitter-bash: yes yes yes yes yes".
# Why it matters to a wheelhouse: who turns shell recipes into data without running them looks for the parser with
# the best name; of some 900 recipes of a large site every thirteenth has such a construct.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install bashlex==0.18 tree-sitter==0.25.2 tree-sitter-bash==0.25.1
seen=$("$work/tools/bin/python" - <<'PY'
import bashlex, tree_sitter, tree_sitter_bash

TEXTS = {
    "assignment": 'MODULES="gcc cuda"\n',
    "here-document": "PATCH=$(cat <<'EOF'\ntext\nEOF\n)\n",
    "array": "ARGS=(--one --two)\n",
    "test": 'if [[ "$ARCH" == avx2 ]]; then FLAG=1; fi\n',
    "case": 'case "$ARCH" in avx2) FLAG=1 ;; esac\n',
}
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))

def lexed(text):
    try:
        bashlex.parse(text)
    except Exception:
        return "no"
    return "yes"

print("bashlex:", ", ".join(f"{name} {lexed(text)}" for name, text in TEXTS.items()), "/ tree-sitter-bash:",
      *("no" if parser.parse(text.encode()).root_node.has_error else "yes" for text in TEXTS.values()))
PY
)
echo "$seen"
[[ $seen == "bashlex: assignment yes, here-document no, array no, test no, case no / tree-sitter-bash: yes yes yes yes yes" ]]
