-- The names of limits, amounts, and what things cost. First part of the library aisp_meter_v3.
-- Contract: protos/aisp/usage/v1/METER.md. Amounts are integers, written with %.0f (Lua would write 1e14 as "1e+14").

local MAX = 9007199254740992 -- 2^53: beyond it a double skips integers
local PARSED_AT_MOST = 1000

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
  if not number or number ~= math.floor(number) or math.abs(number) > MAX then
    fail('amount out of range: ' .. tostring(value))
  end
  return number
end

local function to_map(flat)
  local map = {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

-- Tenants of one plan have the same text of limits: it is read once. A name that this version does not know is left out:
-- `compile` of the version that knows it wrote it. `name=number` is a limit; `name~number` a mark, which is counted and
-- reported but never binds. `counters`: a row for each counter, however many limits and marks read it.
local parsed, parsed_count = {}, 0

local function parse_limits(written)
  local rows = parsed[written]
  if rows then return rows end
  rows = {counters = {}}
  local counted = {}
  for name, sign, value in string.gmatch(written, '([%w_]+)([=~])(%d+)') do
    local known = LIMITS[name]
    if known then
      local row = {
        name = name, period = known.period, measure = known.measure, field = known.period .. '.' .. known.measure,
        scale = known.scale, limit = tonumber(value), bound = tonumber(value) * known.scale, soft = sign == '~',
      }
      rows[#rows + 1] = row
      if not counted[row.field] then
        counted[row.field] = true
        rows.counters[#rows.counters + 1] = row
      end
      rows.money = rows.money or known.measure == '$'
      rows.hard_money = rows.hard_money or (known.measure == '$' and not row.soft)
    end
  end
  if parsed_count >= PARSED_AT_MOST then parsed, parsed_count = {}, 0 end
  parsed[written], parsed_count = rows, parsed_count + 1
  return rows
end

-- Nano-dollars of an amount at a price per million, rounded half up. In two parts: the product may pass 2^53.
local function price(units, per_million)
  local sign = units < 0 and -1 or 1
  units = math.abs(units)
  local whole = math.floor(per_million / 1000000)
  return sign * (units * whole + math.floor((units * (per_million - whole * 1000000) + 500000) / 1000000))
end

local function prices_of(partition, list, names)
  local found = redis.call('HMGET', partition .. ':prices:' .. list, unpack(names))
  for i = 1, #names do found[i] = tonumber(found[i]) or 0 end
  return found
end

-- What lines ([service, model, provider, unit, amount, attempt], as JSON) come to, by measure; money only for a list
-- of prices, with what the request itself costs (`fee`) at the model that answered: the one that wrote, else the first
-- that somebody provided.
local function sum_lines(partition, lines, list, fee)
  local sums = {k = 0, c = 0, a = 0, b = 0, ['$'] = 0}
  local names, amounts, wrote, provided = {}, {}, nil, nil
  for _, line in ipairs(lines ~= '' and lines ~= '[]' and cjson.decode(lines) or {}) do
    local unit, units = line[4], amount(line[5])
    if string.sub(unit, -7) == '_tokens' then sums.k = sums.k + units
    elseif unit == 'characters' then sums.c = sums.c + units
    elseif unit == 'audio_milliseconds' then sums.a = sums.a + units
    elseif unit == 'stored_bytes' then sums.b = sums.b + units end
    local model = line[3] .. '|' .. line[2]
    names[#names + 1] = model .. '|' .. unit
    amounts[#amounts + 1] = units
    wrote = wrote or ((unit == 'output_tokens' or unit == 'reasoning_tokens') and model)
    provided = provided or (line[3] ~= '' and model)
  end
  if fee and (wrote or provided) then
    names[#names + 1] = (wrote or provided) .. '|requests'
    amounts[#amounts + 1] = 1
  end
  if list and #names > 0 then
    for i, per_million in ipairs(prices_of(partition, list, names)) do
      sums['$'] = sums['$'] + price(amounts[i], per_million)
    end
  end
  return sums
end

-- What estimated amounts of a model would cost at most, whoever provides it.
local function estimate_cost(partition, list, model, amounts)
  local found = prices_of(partition, list, {'|' .. model .. '|input_tokens', '|' .. model .. '|output_tokens',
    '|' .. model .. '|characters', '|' .. model .. '|audio_milliseconds', '|' .. model .. '|requests'})
  return price(amounts.input, found[1]) + price(amounts.output, found[2]) + price(amounts.c, found[3])
    + price(amounts.a, found[4]) + price(amounts.requests or 0, found[5])
end
