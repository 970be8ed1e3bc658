# The lines with NAME are repeated for each variable; comments are left out; the settings follow.
# A start file can be read twice: what counts is what was set before the first time.
functions -q wheelhouse_off; and wheelhouse_off;
set -q NAME; and set -g _wheelhouse_old_NAME $NAME; or set -e _wheelhouse_old_NAME;
function wheelhouse_off;
    set -q _wheelhouse_old_NAME; and set -gx NAME $_wheelhouse_old_NAME; or set -e NAME;
    functions -e wheelhouse_off;
end;
