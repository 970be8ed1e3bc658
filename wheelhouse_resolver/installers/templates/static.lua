-- The levels, low to high: what /proc/cpuinfo must show for each (any one of its ways), the levels below
-- it, the configuration file for it (empty: none), and the levels whose directories are in that.
local levels = { "@levels@" }
local called = { "@called@" } -- every name that an override may use -> the level's name
local directory = "@directory@"

-- The keys that identify a CPU; those of the first processor count.
local identifying = {
  ["vendor_id"] = 1, ["flags"] = 1, ["Features"] = 1, ["CPU implementer"] = 1, ["CPU part"] = 1,
  ["model name"] = 1, ["cpu"] = 1, ["uarch"] = 1, ["isa"] = 1,
}

local function cpu()
  local found = {}
  local file = io.open("@cpuinfo@")
  if file then
    for line in file:lines() do
      local key, value = line:match("^([^:]-)%s*:%s*(.-)%s*$")
      if key then
        if identifying[key] then found[key] = value end
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
  local flags = {}
  for flag in (found["flags"] or found["Features"] or ""):gmatch("%S+") do
    flags[flag] = true
  end
  return {
    family = family,
    vendor = vendor or "",
    flags = flags,
    generation = tonumber((found["cpu"] or ""):match("POWER(%d+)")) or 0,
    names = { found["uarch"] or "", found["model name"] or "" },
    part = found["CPU part"] or "",
  }
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
  if #way.names > 0 and not contains(way.names, host.names[1]) and not contains(way.names, host.names[2]) then
    return false
  end
  if host.family == "aarch64" and contains(way.other_parts, host.part) then return false end
  for _, group in ipairs(way.flags) do
    local any = false
    for _, flag in ipairs(group) do any = any or host.flags[flag] end
    if not any then return false end
  end
  return true
end

-- The level that counts for this host, and the file for it.
local function choose()
  local host, able, by_name, highest = cpu(), {}, {}, nil
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
  local file = "@generic@"
  for _, name in ipairs(highest and highest.lower or {}) do
    local level = by_name[name]
    local fits = level.file ~= "" and (beyond or able[name])
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
  LmodError("wheelhouse: " .. file .. " does not exist; write it with " .. "@write_command@")
end
-- pushenv: unloading gives back what was set before.
pushenv("PIP_CONFIG_FILE", file)
pushenv("WHEELHOUSE_ARCH", arch)
