-- At load, pip-conf gives the settings; at unload, their names are known from a variable of our own.
local command = "@command@"
if mode() == "load" then
  local names = {}
  for line in capture(command):gmatch("[^\n]+") do
    local name, value = line:match("^export ([%w_]+)='(.*)';$")
    if name then
      names[#names + 1] = name
      pushenv(name, (value:gsub("'\\''", "'")))
    end
  end
  if #names == 0 then
    LmodError("wheelhouse: no settings from pip-conf; run it to see why: " .. command)
  end
  pushenv("WHEELHOUSE_SETTINGS", table.concat(names, " "))
elseif mode() == "unload" then
  for name in (os.getenv("WHEELHOUSE_SETTINGS") or ""):gmatch("%S+") do
    pushenv(name, "")
  end
  pushenv("WHEELHOUSE_SETTINGS", "")
end
