# The levels, low to high: what /proc/cpuinfo must show for each (any one of its ways), the levels below
# it, the configuration file for it (empty: none), and the levels whose directories are in that.
set levels {"@levels@"}
array set called {"@called@"} ;# every name that an override may use -> the level's name
set directory "@directory@"

# The keys that identify a CPU; those of the first processor count.
set identifying {
    vendor_id flags Features "CPU implementer" "CPU part" "model name" cpu uarch isa
}

# Puts what is found into `host`, and each flag into `present`.
proc cpu {} {
    global identifying host present
    unset -nocomplain host present
    array set found {}
    if {![catch {open "@cpuinfo@"} file]} {
        while {[gets $file line] >= 0} {
            set at [string first : $line]
            if {$at >= 0} {
                set key [string trim [string range $line 0 [expr {$at - 1}]]]
                if {$key in $identifying} {
                    set found($key) [string trim [string range $line [expr {$at + 1}] end]]
                }
            } elseif {[array size found] > 0} {
                break
            }
        }
        close $file
    }
    array set host {family unknown vendor {} flags {} generation 0 name {} model {} part {}}
    set fields {}
    if {[info exists found(flags)]} {
        set host(family) x86_64
        set fields {flags flags vendor_id vendor}
    } elseif {[info exists found(Features)] || [info exists "found(CPU implementer)"]} {
        set host(family) aarch64
        set fields {Features flags "CPU implementer" vendor "CPU part" part}
    } elseif {[info exists found(cpu)] && [regexp {POWER(\d*)} $found(cpu) - host(generation)]} {
        set host(family) ppc64le
        if {$host(generation) eq {}} { set host(generation) 0 }
    } elseif {[info exists found(isa)] || [info exists found(uarch)]} {
        set host(family) riscv64
        set fields {uarch name "model name" model}
    }
    foreach {key into} $fields {
        if {[info exists found($key)]} { set host($into) $found($key) }
    }
    foreach flag [split $host(flags)] { set present($flag) 1 }
}

proc has {way} {
    global host present
    dict with way {}
    if {$family ne $host(family) || $host(generation) < $generation} { return 0 }
    if {[llength $vendors] && $host(vendor) ni $vendors} { return 0 }
    if {[llength $names] && $host(name) ni $names && $host(model) ni $names} { return 0 }
    if {$host(part) in $other_parts} { return 0 }
    foreach group $flags {
        set any 0
        foreach flag $group { if {[info exists present($flag)]} { set any 1 } }
        if {!$any} { return 0 }
    }
    return 1
}

# The level that counts for this host, and the file for it.
proc choose {} {
    global levels called directory
    cpu
    set highest generic
    set able {}
    foreach level $levels {
        set name [dict get $level name]
        foreach key {lower file needs} { set ${key}($name) [dict get $level $key] }
        foreach way [dict get $level ways] {
            if {$name ni $able && [has $way]} {
                lappend able $name
                set highest $name
            }
        }
    }
    set beyond 0
    foreach variable {WHEELHOUSE_ARCH RSNT_ARCH} {
        set asked [value_of $variable]
        if {$asked eq {}} { continue }
        if {![info exists called($asked)]} {
            error "wheelhouse: unknown arch '$asked' in $variable"
        }
        set highest $called($asked)
        set beyond [expr {$highest ne {generic} && $highest ni $able}]
        if {$beyond} {
            puts stderr "wheelhouse: warning: $variable=$asked is above what this host can run"
        }
        break
    }
    set chosen "@generic@"
    if {$highest ne {generic}} {
        foreach name $lower($highest) {
            set fits [expr {$file($name) ne {} && ($beyond || $name in $able)}]
            foreach needed $needs($name) { if {!$beyond && $needed ni $able} { set fits 0 } }
            if {$fits} { set chosen $file($name) }
        }
    }
    return [list $highest $directory/$chosen]
}

set arch {}
set file {}
if {[module-info mode load] || [module-info mode display]} {
    lassign [choose] arch file
}
if {[module-info mode load] && ![file isfile $file]} {
    set command "@write_command@"
    error "wheelhouse: $file does not exist; write it with $command"
}
# pushenv: unloading gives back what was set before.
push PIP_CONFIG_FILE $file
push WHEELHOUSE_ARCH $arch
