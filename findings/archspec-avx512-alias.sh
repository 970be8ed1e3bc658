#!/usr/bin/env bash
# archspec 0.2.5. Expected: the feature alias `avx512` means what compilers mean by the x86-64-v4 level.
# Happens: the alias is true for Knights Landing and Knights Mill, which have AVX-512 F and CD but neither BW, DQ nor
# VL; the microarchitecture x86_64_v4 is not among their ancestors.
# Seen: "mic_knl: avx512 in target -> True, target >= x86_64_v4 -> False".
# Why it matters to a wheelhouse: a directory `avx512` whose wheels are built with -march=x86-64-v4 (or
# skylake-avx512) is offered to Xeon Phi nodes when the alias decides, and its wheels die of SIGILL there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install archspec==0.2.5
seen=$("$work/tools/bin/python" - <<'PY'
from archspec.cpu import TARGETS
knl = TARGETS["mic_knl"]
print(f"mic_knl: avx512 in target -> {'avx512' in knl}, target >= x86_64_v4 -> {knl >= TARGETS['x86_64_v4']}")
PY
)
echo "$seen"
[[ $seen == "mic_knl: avx512 in target -> True, target >= x86_64_v4 -> False" ]]
