-- The names of limits, and amounts. First part of the library aisp_meter_v3.
-- Contract: protos/aisp/usage/v1/METER.md. Amounts are integers; text is written with %.0f (Lua would write 1e14 as
-- "1e+14").

local MAX = 9007199254740992 -- 2^53: beyond it a double skips integers
local REMEMBERED = 1000 -- texts that many tenants share are read once; so many of each kind are kept

-- What is measured, by the letter under which leases and counters hold it:
-- r requests, k tokens, c characters, a audio (ms), $ money (nano-dollars), m management requests,
-- n requests at work, b stored bytes.
local MEASURES = {'r', 'k', 'c', 'a', '$', 'm', 'n', 'b'}
local PERIODS = {'minute', 'day', 'month', 'total'} -- what the ledger knows, in this order

-- name -> period, measure, how many of the measure one of the limit is
local LIMITS = {
  concurrent_requests = {period = 'live', measure = 'n', scale = 1},
  storage_bytes = {period = 'gauge', measure = 'b', scale = 1},
  management_requests_per_minute = {period = 'minute', measure = 'm', scale = 1},
}
local NOUNS = {
  {'requests', 'r', 1}, {'tokens', 'k', 1}, {'characters', 'c', 1}, {'audio_seconds', 'a', 1000}, {'cost_nano_usd', '$', 1},
}
for i = 1, #NOUNS do -- while a library is loaded there is no ipairs
  for j = 1, #PERIODS do
    local noun, period = NOUNS[i], PERIODS[j]
    local name = noun[1] .. (period == 'total' and '_total' or '_per_' .. period)
    LIMITS[name] = {period = period, measure = noun[2], scale = noun[3]}
  end
end

local function text(number) return string.format('%.0f', number) end

local function fail(message) error({err = 'ERR ' .. message}) end

local function amount(value)
  local number = tonumber(value)
  if not number or number % 1 ~= 0 or number > MAX or number < -MAX then
    fail('amount out of range: ' .. tostring(value))
  end
  return number
end

local function to_map(flat)
  local map = {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

-- `read` of a text, which says the same whenever it is read: so it is read once.
local function remembering(read)
  local found, count = {}, 0
  return function(written)
    local known = found[written]
    if known then return known end
    known = read(written)
    if count >= REMEMBERED then found, count = {}, 0 end
    found[written], count = known, count + 1
    return known
  end
end

-- A subject's counts are numbers side by side: these four, then a place for each counter, and for a rolling minute four.
local SEEN, DAY, MONTH, KEPT, FIRST = 1, 2, 3, 4, 5 -- last time seen (ms), days, months, hour in which its keys were kept
local SINCE, NEWEST, OPEN = 1, 2, 3 -- after a window's sum: from which second on it knows, its newest, and what that has

-- Limits as they are written. Tenants of one plan have the same text. A name that this version does not know is left out:
-- `compile` of the version that knows it wrote it. `name=number` is a limit; `name~number` a mark, which is counted and
-- reported but never binds. `counters`: a row for each counter, however many limits and marks read it; `windows`: those
-- of them that roll.
local parse_limits = remembering(function(written)
  local rows, places = {counters = {}, windows = {}, width = FIRST - 1}, {}
  for name, sign, value in string.gmatch(written, '([%w_]+)([=~])(%d+)') do
    local known = LIMITS[name]
    if known then
      local field, soft = known.period .. '.' .. known.measure, sign == '~'
      local row = {
        told = soft and name .. '~' or name, period = known.period, measure = known.measure, field = field,
        scale = known.scale, limit = tonumber(value), bound = tonumber(value) * known.scale, soft = soft,
      }
      rows[#rows + 1] = row
      if not places[field] then
        places[field] = rows.width + 1
        rows.width = rows.width + (row.period == 'minute' and 1 + OPEN or 1)
        rows.counters[#rows.counters + 1] = row
        if row.period == 'minute' then
          rows.windows[#rows.windows + 1] = row
          row.column = #rows.windows
        end
      end
      row.at = places[field]
      rows.money = rows.money or row.measure == '$'
      rows.hard_money = rows.hard_money or (row.measure == '$' and not soft)
    end
  end
  rows.format = '<' .. string.rep('d', rows.width)
  rows.slot = '<' .. string.rep('d', #rows.windows + 1)
  return rows
end)

-- Nano-dollars of an amount at a price per million, rounded half up. In two parts: the product may pass 2^53.
local function price(units, per_million)
  if units == 0 then return 0 end
  local sign = units < 0 and -1 or 1
  units = math.abs(units)
  local whole = math.floor(per_million / 1000000)
  return sign * (units * whole + math.floor((units * (per_million - whole * 1000000) + 500000) / 1000000))
end
