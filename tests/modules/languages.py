"""Module files evaluated by a bare Lua or Tcl, many of them in one process.

The functions of the module systems are stand-ins here that note what they were asked for; the CPU and the
overrides are those of each question. What the real engines make of the same files is tested elsewhere.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

__all__ = ["Answer", "Language"]

#: Between the fields of a question or an answer; in none of them.
_BETWEEN = "\x1f"

_LUA = r"""
local chunks = {}
for question in io.lines() do
  local word = {}
  for each in (question .. "\31"):gmatch("(.-)\31") do word[#word + 1] = each end
  local path, cpuinfo, arch, rsnt, mode = table.unpack(word)
  local pushed, warnings = {}, {}
  local function nothing() end
  if not chunks[path] then
    local env = setmetatable({}, { __index = _G })
    chunks[path] = { env, assert(loadfile(path, "t", env)) }
  end
  local env, chunk = table.unpack(chunks[path])
  env.help, env.whatis, env.family, env.conflict = nothing, nothing, nothing, nothing
  env.mode = function() return mode end
  env.isFile = function() return true end
  env.pushenv = function(name, value) pushed[#pushed + 1] = name .. "=" .. value end
  env.LmodError = function(text) error(text, 0) end
  local stderr = { write = function(_, text) warnings[#warnings + 1] = "!" .. text:gsub("\n$", "") end }
  env.io = { open = function() return io.open(cpuinfo) end, stderr = stderr }
  env.os = { getenv = function(name) return ({ WHEELHOUSE_ARCH = arch, RSNT_ARCH = rsnt })[name] end }
  local fine, problem = pcall(chunk)
  local answer = { fine and "" or problem }
  for _, each in ipairs(pushed) do answer[#answer + 1] = each end
  for _, each in ipairs(warnings) do answer[#answer + 1] = each end
  print(table.concat(answer, "\31"))
  io.flush()
end
"""

_TCL = r"""
foreach channel {stdin stdout} { fconfigure $channel -encoding utf-8 }
fconfigure stdout -buffering line
encoding system utf-8
while {[gets stdin question] >= 0} {
    lassign [split $question \x1f] path cpuinfo arch rsnt mode
    set interpreter [interp create]
    foreach {name value} [list WHEELHOUSE_ARCH $arch RSNT_ARCH $rsnt] {
        $interpreter eval [list unset -nocomplain env($name)]
        if {$value ne {}} { $interpreter eval [list set env($name) $value] }
    }
    $interpreter eval [list set the_cpuinfo $cpuinfo]
    $interpreter eval [list set the_mode $mode]
    $interpreter eval {
        set noted {}
        rename open _open
        proc open {path} { _open $::the_cpuinfo }
        rename puts _puts
        proc puts {stream text} { lappend ::noted !$text }
        rename file _file
        proc file {command args} {
            if {$command eq {isfile}} { return 1 }
            _file $command {*}$args
        }
        proc module-info {what {which {}}} { expr {$what eq {mode} ? $which eq $::the_mode : {x/1}} }
        proc pushenv {name value} { lappend ::noted $name=$value }
        foreach name {module-whatis family conflict prepend-path} { proc $name {args} {} }
    }
    set problem {}
    if {[catch {
        set file [open $path]
        fconfigure $file -encoding utf-8
        $interpreter eval [read $file]
    } problem]} { } else { set problem {} }
    close $file
    puts [join [list $problem {*}[$interpreter eval {set noted}]] \x1f]
    interp delete $interpreter
}
"""


class Answer(NamedTuple):
    """What a module file did.

    error:    why it refused; empty if it did not.
    pushed:   the variables that it set.
    warnings: what it said besides.
    """

    error: str
    pushed: dict[str, str]
    warnings: tuple[str, ...]


class Language:
    """A running interpreter of one module language."""

    def __init__(self, dialect: str, scratch: Path) -> None:
        names, source = (("lua5.4", "lua5.3", "lua"), _LUA) if dialect == "lmod" else (("tclsh",), _TCL)
        command = next(filter(None, map(shutil.which, names)), None)
        if command is None:
            pytest.skip(f"none of {', '.join(names)} is installed")
        script = scratch / f"questions.{dialect}"
        script.write_text(source)
        self.dialect = dialect
        self._process = subprocess.Popen(
            [command, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            bufsize=1,
        )

    def ask(
        self, modulefile: Path, cpuinfo: Path, *, arch: str = "", rsnt: str = "", mode: str = "load"
    ) -> Answer:
        """Evaluate *modulefile* on a host with that *cpuinfo*, WHEELHOUSE_ARCH and RSNT_ARCH."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        question = _BETWEEN.join([str(modulefile), str(cpuinfo), arch, rsnt, mode])
        self._process.stdin.write(question + "\n")
        line = self._process.stdout.readline()
        assert line.endswith("\n"), f"{self.dialect}: {question}"
        error, *noted = line.rstrip("\n").split(_BETWEEN)
        pushed = dict(each.split("=", 1) for each in noted if not each.startswith("!"))
        return Answer(error, pushed, tuple(each[1:] for each in noted if each.startswith("!")))

    def close(self) -> None:
        """End the interpreter."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
