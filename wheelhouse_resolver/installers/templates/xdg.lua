-- What loading adds is noted, for unloading to take away, on another node too. Where the variable is not set,
-- programs look into /etc/xdg, and go on doing so.
local added = chosen
if mode() == "unload" then
  added = os.getenv("WHEELHOUSE_OWN_XDG_CONFIG_DIRS") or ""
elseif chosen ~= "" and (os.getenv("XDG_CONFIG_DIRS") or "") == "" then
  added = chosen .. ":/etc/xdg"
end
if added ~= "" then
  prepend_path("XDG_CONFIG_DIRS", added)
  setenv("WHEELHOUSE_OWN_XDG_CONFIG_DIRS", added)
end
