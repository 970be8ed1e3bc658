-- The levels, low to high: what /proc/cpuinfo must show for each (any one of its ways), and the level with
-- all below it that a CPU of it has, too.
local levels = { "@levels@" }
local own = { "@own@" } -- those that have directories here
local files = { "@files@" } -- which of these a host has -> what is below the directory for it
local called = { "@called@" } -- every name that an override may use -> the level's name
local directory = "@directory@"

-- The keys that identify a CPU; those of the first processor count.
local identifying = {
  ["vendor_id"] = 1, ["flags"] = 1, ["Features"] = 1, ["CPU implementer"] = 1, ["CPU part"] = 1,
  ["model name"] = 1, ["cpu"] = 1, ["uarch"] = 1, ["isa"] = 1, ["ISA"] = 1, ["Model Name"] = 1,
  ["cpu model"] = 1,
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
  local power = (found["cpu"] or ""):upper():match("^POWER(%d*)")
  local flags = {}
  for flag in (found["flags"] or found["Features"] or ""):gmatch("%S+") do
    flags[flag] = true
  end
  if found["flags"] then
    family, vendor = "x86_64", found["vendor_id"]
  elseif found["CPU implementer"] then -- LoongArch has a line `Features`, too; and a 32-bit Arm both
    family, vendor = flags["thumb"] and "arm" or "aarch64", found["CPU implementer"]
  elseif power then
    family = "ppc64le"
  elseif found["uarch"] or (found["isa"] or ""):find("^rv") then
    family = "riscv64"
  end
  return {
    family = family,
    vendor = vendor or "",
    flags = flags,
    generation = tonumber(power) or 0,
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

-- The level that counts for this host, the path of its configuration, and a warning.
local function choose()
  local host, runs, able, by_name, highest = cpu(), {}, {}, {}, nil
  for _, level in ipairs(levels) do
    by_name[level.name] = level
    for _, way in ipairs(level.ways) do
      if has(host, way) then runs[level.name] = true end
    end
    able[level.name] = true
    for _, name in ipairs(level.lower) do able[level.name] = able[level.name] and runs[name] end
    if able[level.name] then highest = level end
  end
  local variable, asked = "WHEELHOUSE_ARCH", os.getenv("WHEELHOUSE_ARCH")
  if not asked or asked == "" then
    variable, asked = "RSNT_ARCH", os.getenv("RSNT_ARCH")
  end
  local warning = nil
  if asked and asked ~= "" then
    if not called[asked] then
      LmodError("wheelhouse: unknown arch '" .. asked .. "' in " .. variable)
    end
    highest = by_name[called[asked]]
    if highest and not able[highest.name] then
      warning = variable .. "=" .. asked .. " is above what this host can run"
    end
    able = {}
    for _, name in ipairs(highest and highest.lower or {}) do able[name] = true end
  end
  local here = {}
  for _, name in ipairs(own) do
    if able[name] then here[#here + 1] = name end
  end
  return highest and highest.name or "generic", directory .. "/" .. files[table.concat(here, " ")], warning
end

local arch, chosen, warning = "", "", nil
if mode() == "load" or mode() == "show" then
  arch, chosen, warning = choose()
end
if mode() == "load" and warning then
  -- Not LmodWarning: that makes `module load` fail for a shell, and a job with `set -e` end. Not LmodMessage:
  -- that says nothing where LMOD_QUIET is set.
  io.stderr:write("wheelhouse: warning: " .. warning .. "\n")
end
for _, name in ipairs({ "@needed@" }) do
  if mode() == "load" and not isFile(chosen .. name) then
    LmodError("wheelhouse: " .. chosen .. name .. " does not exist; write it with " .. "@write_command@")
  end
end

-- What users may set themselves, where they have not: text, the name of a variable, text, ... of each. Nothing,
-- where a variable is not set. Of ours, nothing outlasts the module; what they set later does.
for name, parts in pairs({ "@offered@" }) do
  local note, value, known = "WHEELHOUSE_OWN_" .. name, "", true
  for number, part in ipairs(parts) do
    if number % 2 == 0 then part = os.getenv(part) or "" end
    known = known and (number % 2 == 1 or part ~= "")
    value = value .. part
  end
  known = known and (#parts == 1 or value:sub(1, 1) == "/")
  local before, ours = os.getenv(name) or "", os.getenv(note)
  if mode() == "unload" then
    if ours and before == ours then setenv(name, ours) end
    if ours then setenv(note, ours) end
  elseif before == "" and known then
    setenv(name, value)
    setenv(note, value)
  end
end

-- pushenv: unloading gives back what was set before.
pushenv("WHEELHOUSE_ARCH", arch)
