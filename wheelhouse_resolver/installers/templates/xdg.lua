-- What loading adds is noted, for unloading to take away, on another node too. Where the variable is not set,
-- programs look into /etc/xdg, and go on doing so.
local note = "WHEELHOUSE_OWN_XDG_CONFIG_DIRS"
local root, default = chosen, ""
if mode() == "unload" then
  root, default = (os.getenv(note) or ""):match("^([^:]*):?(.*)$")
  wheelhouse_default = default -- global: the module that is loaded in this one's place goes on with it
elseif chosen ~= "" and (os.getenv("XDG_CONFIG_DIRS") or "") == "" then
  default = "/etc/xdg"
elseif chosen ~= "" then
  default = wheelhouse_default or ""
end
if root ~= "" then
  prepend_path("XDG_CONFIG_DIRS", root)
  setenv(note, root .. (default ~= "" and ":" .. default or ""))
end
if default ~= "" then append_path("XDG_CONFIG_DIRS", default) end
