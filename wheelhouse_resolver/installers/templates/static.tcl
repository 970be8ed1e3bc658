# The levels, low to high: what /proc/cpuinfo must show for each (any one of its ways), and the level with
# all below it that a CPU of it has, too.
set levels {"@levels@"}
set own {"@own@"} ;# those that have directories here
array set files {"@files@"} ;# which of these a host has -> what is below the directory for it
array set called {"@called@"} ;# every name that an override may use -> the level's name
set directory "@directory@"

# The keys that identify a CPU; those of the first processor count.
set identifying {
    vendor_id flags Features "CPU implementer" "CPU part" "model name" cpu uarch isa ISA "Model Name" "cpu model"
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
    } elseif {[info exists "found(CPU implementer)"]} {
        # LoongArch has a line `Features`, too; and a 32-bit Arm both.
        set host(family) aarch64
        if {[info exists found(Features)] && {thumb} in [split $found(Features)]} { set host(family) arm }
        set fields {Features flags "CPU implementer" vendor "CPU part" part}
    } elseif {[info exists found(cpu)] && [regexp -nocase {^POWER(\d*)} $found(cpu) - host(generation)]} {
        set host(family) ppc64le
        if {$host(generation) eq {}} { set host(generation) 0 }
    } elseif {[info exists found(uarch)] || ([info exists found(isa)] && [string match rv* $found(isa)])} {
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

# The level that counts for this host, the path of its configuration, and a warning.
proc choose {} {
    global levels own files called directory
    cpu
    set highest generic
    set runs {}
    set able {}
    foreach level $levels {
        set name [dict get $level name]
        set lower($name) [dict get $level lower]
        foreach way [dict get $level ways] {
            if {$name ni $runs && [has $way]} { lappend runs $name }
        }
        set all 1
        foreach each $lower($name) { if {$each ni $runs} { set all 0 } }
        if {$all} {
            lappend able $name
            set highest $name
        }
    }
    set warning {}
    foreach variable {WHEELHOUSE_ARCH RSNT_ARCH} {
        set asked [value_of $variable]
        if {$asked eq {}} { continue }
        if {![info exists called($asked)]} {
            error "wheelhouse: unknown arch '$asked' in $variable"
        }
        set highest $called($asked)
        if {$highest ne {generic} && $highest ni $able} {
            set warning "$variable=$asked is above what this host can run"
        }
        set able [expr {$highest eq {generic} ? {} : $lower($highest)}]
        break
    }
    set here {}
    foreach name $own { if {$name in $able} { lappend here $name } }
    return [list $highest $directory/$files([join $here]) $warning]
}

set arch {}
set chosen {}
set warning {}
if {[module-info mode load] || [module-info mode display]} {
    lassign [choose] arch chosen warning
}
if {[module-info mode load] && $warning ne {}} {
    puts stderr "wheelhouse: warning: $warning"
}
foreach name {"@needed@"} {
    if {[module-info mode load] && ![file isfile $chosen$name]} {
        set command "@write_command@"
        error "wheelhouse: $chosen$name does not exist; write it with $command"
    }
}

# What users may set themselves, where they have not: text, the name of a variable, text, ... of each. Nothing,
# where a variable is not set. Of ours, nothing outlasts the module; what they set later does.
foreach {name parts} {"@offered@"} {
    set note WHEELHOUSE_OWN_$name
    set value {}
    set known 1
    foreach {text variable} $parts {
        append value [encoding convertfrom [encoding system] $text] [value_in $variable]
        if {$variable ne {} && [value_in $variable] eq {}} { set known 0 }
    }
    if {[llength $parts] > 1 && ![string match /* $value]} { set known 0 }
    if {[module-info mode unload]} {
        set ours [value_in $note]
        # The module that is loaded in this one's place would still see them: Modules unsets them later.
        if {$ours ne {} && [value_in $name] eq $ours} {
            setenv $name $ours
            set env($name) {}
        }
        if {$ours ne {}} { setenv $note $ours }
    } elseif {[value_in $name] eq {} && $known} {
        setenv $name $value
        setenv $note $value
    }
}

# pushenv: unloading gives back what was set before.
push WHEELHOUSE_ARCH $arch
