# What loading adds is noted, for unloading to take away, on another node too. Where the variable is not set,
# programs look into /etc/xdg, and go on doing so.
set added $chosen
if {[module-info mode unload]} {
    set added [value_in WHEELHOUSE_OWN_XDG_CONFIG_DIRS]
} elseif {$chosen ne {} && [value_in XDG_CONFIG_DIRS] eq {}} {
    append added :/etc/xdg
}
if {$added ne {}} {
    prepend-path XDG_CONFIG_DIRS $added
    setenv WHEELHOUSE_OWN_XDG_CONFIG_DIRS $added
}
