# Evaluates what a command prints: sourced by module files, with the command as its arguments.
_wheelhouse_settings=$("$@") || return 1
eval "$_wheelhouse_settings"
unset _wheelhouse_settings
