"""Module files for Lmod and Environment Modules, and hooks for shells without either.

A static module file decides the arch in the module language, from a table that is generated here from the
site's ladder, and names one of the files that `pip-conf --all` wrote: no Python starts. A dynamic one
takes over what `pip-conf --format sh` prints at each load.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wheelhouse_resolver.errors import UnsafeValueError
from wheelhouse_resolver.host.cpu import Way, ways_to
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.utils.text import invalid_character

if TYPE_CHECKING:
    from wheelhouse_resolver.site.model import Site

__all__ = ["DIALECTS", "EVALUATE", "dynamic_modulefile", "static_modulefile"]


#: The module languages: Lmod's Lua, and the Tcl of Environment Modules (>= 5.1), which Lmod reads too.
DIALECTS = ("lmod", "tcl")


#: The script that evaluates what a command prints, for `source-sh`.
EVALUATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates", "evaluate.sh")


#: Modules of this family exclude each other.
_FAMILY = "wheelhouse"


class _Level(NamedTuple):
    """An arch as a module file sees it.

    ways:  what /proc/cpuinfo must show, any one of them.
    lower: it and the archs below it of its CPU family, low to high.
    file:  the configuration for hosts of this arch; None: the layer has no directory for it.
    needs: the archs whose directories are in that file. A CPU can lack one that is below its own.
    """

    name: str
    ways: tuple[Way, ...]
    lower: tuple[str, ...]
    file: str | None
    needs: tuple[str, ...]


class _Table(NamedTuple):
    """All that a static module file knows of its site.

    called: every name by which an override may ask for an arch -> the ladder's name.
    """

    levels: tuple[_Level, ...]
    called: Mapping[str, str]
    generic: str


def _table(site: Site, layer_name: str | None) -> _Table:
    layer = site.layer(layer_name)
    levels: list[_Level] = []
    for arch in site.ladder:
        has = layer is not None and arch.name in layer.archs
        file = f"pip-{layer.name_of(arch.name)}-{layer.name}.conf" if layer is not None and has else None
        path = site.search_path_for(layer_name, arch.name) if has else ()
        needs = tuple(dict.fromkeys(each.arch for each in reversed(path) if each.arch != GENERIC))
        levels.append(_Level(arch.name, ways_to(arch), site.lower(arch), file, needs))
    names = {arch.name for arch in site.ladder}
    names |= {called for each in site.layers for _, called in each.names}
    called = {GENERIC: GENERIC}
    for name in sorted(names):
        found = site.arch(name, layer)
        called[name] = found.name if found is not None else GENERIC
    generic = f"pip-generic-{layer.name}.conf" if layer is not None else "pip-generic.conf"
    return _Table(tuple(levels), called, generic)


def static_modulefile(
    site: Site, layer: str | None, dialect: str, directory: str, *, cpuinfo: str = "/proc/cpuinfo"
) -> str:
    """A module file that picks the right file of `pip-conf --all --output-dir DIRECTORY` for its host.

    layer:   whose module file it is; None: for hosts without a layer.
    dialect: one of `DIALECTS`.
    cpuinfo: where the CPU is read from.

    Raises `UnsafeValueError`, `UnknownLayerError`.
    """
    table = _table(site, layer)
    directory = os.path.abspath(directory)
    quoted = _QUOTES[dialect]
    _check("--static", directory, dialect)
    parts = {
        "head": _head(site, layer, dialect),
        "directory": quoted(directory),
        "cpuinfo": quoted(cpuinfo),
        "generic": quoted(table.generic),
        "layer": quoted(layer or NO_LAYER),
        "site": _site_variable(site, dialect),
        "push": _TCL_PUSH.strip(),
    }
    return (_lua_static if dialect == "lmod" else _tcl_static)(table, parts)


def dynamic_modulefile(site: Site, layer: str | None, dialect: str, command: Sequence[str]) -> str:
    """A module file that evaluates `pip-conf --format sh` at each load, by the module system's own means.

    Tcl: by `source-sh`, with which a user's own earlier PIP_FIND_LINKS is gone after unloading.
    Lmod: by `capture` and `pushenv`, which give it back. Not by `source_sh`: that takes a variable that
    was set before for a search path, and splits the URLs in it at their colons (Lmod 8.6.19).

    command: runs our command line: `[python, "-m", "wheelhouse_resolver"]`.

    Raises `UnsafeValueError`, `UnknownLayerError`.
    """
    site.layer(layer)
    # Here the layer is told, not detected: so that a module of one layer never configures another's.
    words = [*command, "pip-conf", "--format", "sh", "--layer", layer or NO_LAYER]
    words += ["--config", site.source] if site.source is not None else ["--root", site.root]
    for word in words:
        _check("the command", word, "lmod")
    for option, value in site.pip.items() if dialect == "tcl" else ():
        if not isinstance(value, Mapping) and set("$`") & set(str(value)):
            problem = "source-sh of Environment Modules 5.2 puts a backslash before $ and `"
            raise UnsafeValueError(f"[pip] {option}", str(value), problem)
    quoted = _QUOTES[dialect]
    if dialect == "lmod":
        run = quoted(" ".join(map(_shell_quoted, words)))
    else:
        run = " ".join(map(quoted, [EVALUATE, *words]))
    parts = {
        "head": _head(site, layer, dialect),
        "command": run,
        "layer": quoted(layer or NO_LAYER),
        "site": _site_variable(site, dialect),
        "push": _TCL_PUSH.strip(),
    }
    return (_LUA_DYNAMIC if dialect == "lmod" else _TCL_DYNAMIC).format(**parts)


def _head(site: Site, layer: str | None, dialect: str) -> str:
    """What module files begin with: help, whatis, family and conflict. Raises `UnsafeValueError`."""
    _check("the site file", site.source or "", dialect)
    _check("the root", site.root, dialect)
    where = f"layer {layer}" if layer else "no layer"
    summary = f"pip and uv use the wheelhouse ({where})"
    details = [
        f"Makes pip (and what reads its configuration) find the wheels in {site.root}",
        "that this node can run, the most specific ones first.",
        "WHEELHOUSE_ARCH or RSNT_ARCH, if set before, say the CPU level instead of /proc/cpuinfo.",
    ]
    if dialect == "lmod":
        text = "\\n".join(_lua_quoted(line)[1:-1] for line in details)
        return (
            "-- -*- lua -*- generated by wheelhouse-resolver modulefile\n"
            f'help("{text}")\n'
            'whatis("Name: wheelhouse")\n'
            f"whatis({_lua_quoted('Description: ' + summary)})\n"
            f'family("{_FAMILY}")\n'
            f'conflict("{_FAMILY}")\n'
        )
    lines = "\n".join(f"    puts stderr {_tcl_quoted(line)}" for line in details)
    return (
        "#%Module -*- tcl -*- generated by wheelhouse-resolver modulefile\n"
        f"proc ModulesHelp {{}} {{\n{lines}\n}}\n"
        f"module-whatis {_tcl_quoted(summary)}\n"
        f"family {_FAMILY}\n"
        f"conflict {_FAMILY}\n"
    )


def _check(what: str, value: str, dialect: str) -> None:
    problem = invalid_character(value)
    if problem is None and dialect == "tcl" and ":" in value:
        problem = "Environment Modules keeps what pushenv saves in a list that it splits at colons"
    if problem is not None:
        raise UnsafeValueError(what, value, problem)


def _site_variable(site: Site, dialect: str) -> str:
    """The line that lets our own commands find the same site."""
    name, value = ("WHEELHOUSE_CONFIG", site.source) if site.source else ("WHEELHOUSE_ROOT", site.root)
    value = os.path.abspath(value)
    if dialect == "lmod":
        return f'pushenv("{name}", {_lua_quoted(value)})'
    return f"push {name} {_tcl_quoted(value)}"


def _lua_quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _tcl_quoted(text: str) -> str:
    # Braces too: a quoted one would still count in the block that it stands in.
    return '"' + "".join("\\" + char if char in '\\"$[]{};#' else char for char in text) + '"'


def _shell_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_QUOTES: dict[str, Callable[[str], str]] = {"lmod": _lua_quoted, "tcl": _tcl_quoted}


_LUA_STATIC = """\
{head}
-- The levels, low to high: what /proc/cpuinfo must show for each (any one of its ways), the levels below
-- it, the configuration for it, and the levels whose directories are in that.
local levels = {{
{levels}
}}
local called = {{ {called} }}
local directory = {directory}

-- What tells one CPU from another, of the first processor.
local telling = {{
  ["vendor_id"] = 1, ["flags"] = 1, ["Features"] = 1, ["CPU implementer"] = 1, ["CPU part"] = 1,
  ["model name"] = 1, ["cpu"] = 1, ["uarch"] = 1, ["isa"] = 1,
}}

local function cpu()
  local found = {{}}
  local file = io.open({cpuinfo})
  if file then
    for line in file:lines() do
      local key, value = line:match("^([^:]-)%s*:%s*(.-)%s*$")
      if key then
        if telling[key] then found[key] = value end
      elseif next(found) then
        break
      end
    end
    file:close()
  end
  local family, vendor = "unknown", nil
  if found["flags"] then
    family, vendor = "x86_64", found["vendor_id"]
  elseif found["Features"] or found["CPU implementer"] then
    family, vendor = "aarch64", found["CPU implementer"]
  elseif (found["cpu"] or ""):find("POWER", 1, true) then
    family = "ppc64le"
  elseif found["isa"] or found["uarch"] then
    family = "riscv64"
  end
  local flags = {{}}
  for flag in (found["flags"] or found["Features"] or ""):gmatch("%S+") do
    flags[flag] = true
  end
  return {{
    family = family,
    vendor = vendor or "",
    flags = flags,
    generation = tonumber((found["cpu"] or ""):match("POWER(%d+)")) or 0,
    name = found["uarch"] or "",
  }}
end

local function contains(list, value)
  for _, each in ipairs(list) do
    if each == value then return true end
  end
  return false
end

local function has(host, way)
  if way.family ~= host.family or host.generation < way.generation then return false end
  if #way.vendors > 0 and not contains(way.vendors, host.vendor) then return false end
  if #way.names > 0 and not contains(way.names, host.name) then return false end
  for _, group in ipairs(way.flags) do
    local any = false
    for _, flag in ipairs(group) do any = any or host.flags[flag] end
    if not any then return false end
  end
  return true
end

-- The level that counts for this host, and the file for it.
local function choose()
  local host, able, by_name, highest = cpu(), {{}}, {{}}, nil
  for _, level in ipairs(levels) do
    by_name[level.name] = level
    for _, way in ipairs(level.ways) do
      if has(host, way) then able[level.name] = true end
    end
    if able[level.name] then highest = level end
  end
  local variable, asked = "WHEELHOUSE_ARCH", os.getenv("WHEELHOUSE_ARCH")
  if not asked or asked == "" then
    variable, asked = "RSNT_ARCH", os.getenv("RSNT_ARCH")
  end
  local beyond = false
  if asked and asked ~= "" then
    if not called[asked] then
      LmodError("wheelhouse: unknown arch '" .. asked .. "' in " .. variable)
    end
    highest = by_name[called[asked]]
    beyond = highest ~= nil and not able[highest.name]
    if beyond then
      -- Not LmodWarning: that makes `module load` fail for a shell, and a job with `set -e` end.
      LmodMessage("wheelhouse: warning: " .. variable .. "=" .. asked .. " is above what this host can run")
    end
  end
  local file = {generic}
  for _, name in ipairs(highest and highest.lower or {{}}) do
    local level = by_name[name]
    local fits = level.file and (beyond or able[name])
    for _, needed in ipairs(level.needs) do fits = fits and (beyond or able[needed]) end
    if fits then file = level.file end
  end
  return highest and highest.name or "generic", directory .. "/" .. file
end

local arch, file = "", ""
if mode() == "load" or mode() == "show" then
  arch, file = choose()
end
if mode() == "load" and not isFile(file) then
  LmodError("wheelhouse: " .. file .. " is not there; write it with wheelhouse-resolver pip-conf --all")
end
-- pushenv: unloading gives back what was set before.
pushenv("PIP_CONFIG_FILE", file)
pushenv("WHEELHOUSE_ARCH", arch)
pushenv("WHEELHOUSE_LAYER", {layer})
{site}
"""


_TCL_STATIC = """\
{head}
# The levels, low to high: name, the ways /proc/cpuinfo can show it (family, vendors, groups of flags, POWER
# generation, names; any one way), the levels below it, the configuration for it, and the levels whose
# directories are in that.
set levels {{
{levels}
}}
array set called {{ {called} }}
set directory {directory}

# What tells one CPU from another, of the first processor.
set telling {{
    vendor_id flags Features "CPU implementer" "CPU part" "model name" cpu uarch isa
}}

# Puts what is found into `host`, and each flag into `present`.
proc cpu {{}} {{
    global telling host present
    unset -nocomplain host present
    array set found {{}}
    if {{![catch {{open {cpuinfo}}} file]}} {{
        while {{[gets $file line] >= 0}} {{
            set at [string first : $line]
            if {{$at >= 0}} {{
                set key [string trim [string range $line 0 [expr {{$at - 1}}]]]
                if {{$key in $telling}} {{
                    set found($key) [string trim [string range $line [expr {{$at + 1}}] end]]
                }}
            }} elseif {{[array size found] > 0}} {{
                break
            }}
        }}
        close $file
    }}
    array set host {{family unknown vendor {{}} flags {{}} generation 0 name {{}}}}
    set telltale {{}}
    if {{[info exists found(flags)]}} {{
        set host(family) x86_64
        set telltale {{flags flags vendor_id vendor}}
    }} elseif {{[info exists found(Features)] || [info exists "found(CPU implementer)"]}} {{
        set host(family) aarch64
        set telltale {{Features flags "CPU implementer" vendor}}
    }} elseif {{[info exists found(cpu)] && [regexp {{POWER(\\d*)}} $found(cpu) - host(generation)]}} {{
        set host(family) ppc64le
        if {{$host(generation) eq {{}}}} {{ set host(generation) 0 }}
    }} elseif {{[info exists found(isa)] || [info exists found(uarch)]}} {{
        set host(family) riscv64
        set telltale {{uarch name}}
    }}
    foreach {{key into}} $telltale {{
        if {{[info exists found($key)]}} {{ set host($into) $found($key) }}
    }}
    foreach flag [split $host(flags)] {{ set present($flag) 1 }}
}}

proc has {{way}} {{
    global host present
    lassign $way family vendors groups generation names
    if {{$family ne $host(family) || $host(generation) < $generation}} {{ return 0 }}
    if {{[llength $vendors] && $host(vendor) ni $vendors}} {{ return 0 }}
    if {{[llength $names] && $host(name) ni $names}} {{ return 0 }}
    foreach group $groups {{
        set any 0
        foreach flag $group {{ if {{[info exists present($flag)]}} {{ set any 1 }} }}
        if {{!$any}} {{ return 0 }}
    }}
    return 1
}}

{push}
# The level that counts for this host, and the file for it.
proc choose {{}} {{
    global levels called directory
    cpu
    set highest generic
    set able {{}}
    foreach level $levels {{
        lassign $level name ways
            lassign [lrange $level 2 end] lower($name) file($name) needs($name)
        foreach way $ways {{
            if {{$name ni $able && [has $way]}} {{
                lappend able $name
                set highest $name
            }}
        }}
    }}
    set beyond 0
    foreach variable {{WHEELHOUSE_ARCH RSNT_ARCH}} {{
        set asked [value_of $variable]
        if {{$asked eq {{}}}} {{ continue }}
        if {{![info exists called($asked)]}} {{
            error "wheelhouse: unknown arch '$asked' in $variable"
        }}
        set highest $called($asked)
        set beyond [expr {{$highest ne {{generic}} && $highest ni $able}}]
        if {{$beyond}} {{
            puts stderr "wheelhouse: warning: $variable=$asked is above what this host can run"
        }}
        break
    }}
    set chosen {generic}
    if {{$highest ne {{generic}}}} {{
        foreach name $lower($highest) {{
            set fits [expr {{$file($name) ne {{}} && ($beyond || $name in $able)}}]
            foreach needed $needs($name) {{ if {{!$beyond && $needed ni $able}} {{ set fits 0 }} }}
            if {{$fits}} {{ set chosen $file($name) }}
        }}
    }}
    return [list $highest $directory/$chosen]
}}

set arch {{}}
set file {{}}
if {{[module-info mode load] || [module-info mode display]}} {{
    lassign [choose] arch file
}}
if {{[module-info mode load] && ![file isfile $file]}} {{
    error "wheelhouse: $file is not there; write it with wheelhouse-resolver pip-conf --all"
}}
# pushenv: unloading gives back what was set before.
push PIP_CONFIG_FILE $file
push WHEELHOUSE_ARCH $arch
push WHEELHOUSE_LAYER {layer}
{site}
"""


_LUA_DYNAMIC = """\
{head}
-- At load the settings are asked for; at unload their names are known from a variable of our own.
if mode() == "load" then
  local names = {{}}
  for line in capture({command}):gmatch("[^\\n]+") do
    local name, value = line:match("^export ([%w_]+)='(.*)';$")
    if name then
      names[#names + 1] = name
      pushenv(name, (value:gsub("'\\\\''", "'")))
    end
  end
  if #names == 0 then
    LmodError("wheelhouse: pip-conf gave no settings; see what it says: " .. {command})
  end
  pushenv("WHEELHOUSE_SETTINGS", table.concat(names, " "))
elseif mode() == "unload" then
  for name in (os.getenv("WHEELHOUSE_SETTINGS") or ""):gmatch("%S+") do
    pushenv(name, "")
  end
  pushenv("WHEELHOUSE_SETTINGS", "")
end
pushenv("WHEELHOUSE_LAYER", {layer})
{site}
"""


_TCL_DYNAMIC = """\
{head}
{push}
source-sh bash {command}
push WHEELHOUSE_LAYER {layer}
{site}
"""


#: What Environment Modules 5.2 needs besides `pushenv`. It keeps the values in a variable of its own, as
#: `module&value:...:&value before all modules`. To take a value back, it must be told that value. And in one
#: process that unloads and loads (swap, reload), the emptied stack passes for one that has the value before
#: all modules already, and a variable that was not set before still has the value of the unloaded module.
#: So the unloaded one leaves a note in the process: no setenv, so that no shell sees it.
_TCL_PUSH = r"""
# Environment Modules 5.2 loses what was set before when modules that push one variable are swapped. So the
# module that is unloaded notes it, for this process only, for the one that is loaded in its place.
proc noted {variable} { return [list _wheelhouse_was_set_$variable _wheelhouse_before_$variable] }

# What was set before this module, in a swap too; empty if nothing was.
proc value_of {variable} {
    global env
    lassign [noted $variable] was_set before
    if {[info exists env($was_set)] && $env($was_set) ne {}} {
        return [expr {$env($was_set) ? $env($before) : {}}]
    }
    return [expr {[info exists env($variable)] ? $env($variable) : {}}]
}

proc push {variable value} {
    global env
    lassign [noted $variable] was_set before
    set stack __MODULES_PUSHENV_$variable
    if {[module-info mode load] && [info exists env($was_set)] && $env($was_set) ne {}} {
        if {$env($was_set) && [info exists env($stack)] && $env($stack) eq {}} {
            prepend-path $stack &$env($before)
        }
        set env($was_set) {}
    }
    if {[module-info mode unload] && [info exists env($stack)]} {
        # pushenv takes back the value that it is given.
        set mine [module-info name]&
        set rest {}
        foreach each [split $env($stack) :] {
            if {[string equal -length [string length $mine] $mine $each]} {
                set value [string range $each [string length $mine] end]
            } else {
                lappend rest $each
            }
        }
        set env($was_set) [expr {[llength $rest] > 0}]
        set env($before) [string range [lindex $rest 0] [string first & [lindex $rest 0]]+1 end]
    }
    pushenv $variable $value
}
"""


def _lua_static(table: _Table, parts: Mapping[str, str]) -> str:
    def listed(values: Sequence[str]) -> str:
        return "{ " + ", ".join(map(_lua_quoted, values)) + " }" if values else "{}"

    def shown(way: Way) -> str:
        groups = ", ".join(listed(group) for group in way.flags)
        return (
            f"      {{ family = {_lua_quoted(way.family)}, vendors = {listed(way.vendors)}, "
            f"generation = {way.generation}, names = {listed(way.names)},\n"
            f"        flags = {{ {groups} }} }},"
        )

    levels = [
        f"  {{ name = {_lua_quoted(level.name)}, lower = {listed(level.lower)}, "
        f"file = {_lua_quoted(level.file) if level.file else 'nil'}, needs = {listed(level.needs)}, "
        "ways = {\n" + "\n".join(map(shown, level.ways)) + "\n  } },"
        for level in table.levels
    ]
    called = ", ".join(f"[{_lua_quoted(name)}] = {_lua_quoted(arch)}" for name, arch in table.called.items())
    return _LUA_STATIC.format(levels="\n".join(levels), called=called, **parts)


def _tcl_static(table: _Table, parts: Mapping[str, str]) -> str:
    # Names, flags and vendors have no character that is special within braces, white space apart.
    def listed(values: Sequence[str]) -> str:
        return "{" + " ".join(f"{{{each}}}" if " " in each else each for each in values) + "}"

    def shown(way: Way) -> str:
        groups = " ".join(listed(group) for group in way.flags)
        words = [way.family, listed(way.vendors), f"{{{groups}}}", str(way.generation), listed(way.names)]
        return f"        {{{' '.join(words)}}}"

    levels = [
        f"    {{{level.name} {{\n"
        + "\n".join(map(shown, level.ways))
        + f"\n    }} {listed(level.lower)} {{{level.file or ''}}} {listed(level.needs)}}}"
        for level in table.levels
    ]
    called = " ".join(f"{name} {arch}" for name, arch in table.called.items())
    return _TCL_STATIC.format(levels="\n".join(levels), called=called, **parts)
