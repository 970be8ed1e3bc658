# Evaluates what a command prints: sourced by module files in a shell of their own, with the command as its
# arguments. When that fails, it ends the shell: Environment Modules then refuses to load, and shows why.
_wheelhouse_settings=$("$@") || exit 1
eval "$_wheelhouse_settings"
unset _wheelhouse_settings
