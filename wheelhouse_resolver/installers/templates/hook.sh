# The lines with NAME are repeated for each variable; comments are left out; the settings follow.
# A start file can be read twice: what counts is what was set before the first time.
if command -v wheelhouse_off >/dev/null; then wheelhouse_off; fi;
_wheelhouse_had_NAME=${NAME+x}; _wheelhouse_old_NAME=${NAME-};
wheelhouse_off() {
    if [ -n "$_wheelhouse_had_NAME" ]; then export NAME="$_wheelhouse_old_NAME"; else unset NAME; fi;
    unset -f wheelhouse_off;
};
