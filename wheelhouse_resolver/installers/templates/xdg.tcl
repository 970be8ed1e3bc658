# What loading adds is noted, for unloading to take away, on another node too. Where the variable is not set,
# programs look into /etc/xdg, and go on doing so.
set note WHEELHOUSE_OWN_XDG_CONFIG_DIRS
set root $chosen
set default {}
if {[module-info mode unload]} {
    lassign [split [value_in $note] :] root default
    # For this process: the module that is loaded in this one's place goes on with it.
    set env(_wheelhouse_default) $default
} elseif {$chosen ne {} && [value_in XDG_CONFIG_DIRS] eq {}} {
    set default /etc/xdg
} elseif {$chosen ne {}} {
    set default [value_in _wheelhouse_default]
}
if {$root ne {}} {
    prepend-path XDG_CONFIG_DIRS $root
    setenv $note [join [concat [list $root] $default] :]
}
if {$default ne {}} { append-path XDG_CONFIG_DIRS $default }
