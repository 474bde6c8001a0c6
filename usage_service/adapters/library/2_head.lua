-- What every call needs first: the time, and the head of the partition: its epoch, the versions of plans, and which
-- prices hold. A head that was read says the same whenever it is read, so what was looked up under it is remembered.

local PRICES_REMEMBERED = 5000 -- of one head: models are named by clients
local MAY_READ = 4 -- times what is estimated: that is a fourth of the bytes, and a token has at least one

local function store_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Months since year 0 of a day since 1970 (civil calendar from days: Hinnant's algorithm).
local function month_of(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return (yoe + era * 400 + (month <= 2 and 1 or 0)) * 12 + month - 1
end

-- The day, the month, and the day on which the next one begins.
local today = {}

local function calendar(ms)
  local days = math.floor(ms / 86400000)
  if today.day ~= days then
    local month, after = month_of(days), days + 1
    while month_of(after) == month do after = after + 1 end
    today = {day = days, month = month, next_month = after}
  end
  return today
end

-- The server process: another one after a restart or a failover, when writes may be missing.
local run

local read_head = remembering(function(written)
  run = run or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local head = written == '' and {} or cmsgpack.unpack(written)
  head.is_open = head.epoch ~= nil and string.sub(head.epoch, 1, #run) == run
  head.plans, head.prices, head.priced = head.plans or {}, {}, 0
  return head
end)

local function head_of(partition) return read_head(redis.call('GET', partition .. ':head') or '') end

-- `generation` is other for other prices, whatever was told in which order.
local function write_head(partition, head)
  local plans = next(head.plans) and head.plans or nil
  redis.call('SET', partition .. ':head',
    cmsgpack.pack({epoch = head.epoch, plans = plans, generation = head.generation}))
end

-- A price that depends on how much a call reads, `rate from=rate from=rate`, the least `from` first: a table of them.
local function tiered(written)
  local base, more = string.match(written, '^(%d+)( .+)$')
  if not base then return false end
  local rates = {base = tonumber(base)}
  for from, rate in string.gmatch(more, '(%d+)=(%d+)') do
    rates[#rates + 1] = {from = tonumber(from), rate = tonumber(rate)}
  end
  return rates
end

-- Nano-dollars per million, by tiers where it has some, or false.
local function price_of(partition, head, list, name)
  local known = head.prices[list]
  local found = known and known[name]
  if found ~= nil then return found end
  local written = redis.call('HGET', partition .. ':rates:' .. list, name) or ''
  found = tonumber(written) or tiered(written)
  if head.priced >= PRICES_REMEMBERED then head.prices, head.priced = {}, 0 end
  known = head.prices[list] or {}
  head.prices[list], known[name], head.priced = known, found, head.priced + 1
  return found
end

-- The rate of a call that reads so many tokens.
local function rate_at(found, context)
  if type(found) ~= 'table' then return found or 0 end
  local rate = found.base
  for i = 1, #found do
    if context >= found[i].from then rate = found[i].rate end
  end
  return rate
end

-- The most that a call costs which reads so many tokens or fewer.
local function most_up_to(found, context)
  if type(found) ~= 'table' then return found or 0 end
  local most = found.base
  for i = 1, #found do
    if context >= found[i].from then most = math.max(most, found[i].rate) end
  end
  return most
end

local READ = {input_tokens = true, cached_input_tokens = true, cache_write_tokens = true}

-- For each line, how many tokens its call read: lines of one call stand together, each unit once.
local function contexts_of(lines)
  local found, call, units, first = {}, nil, {}, 1
  for i = 1, #lines + 1 do
    local line = lines[i]
    local name = line and cjson.encode({line[1], line[2], line[3], line[6] or 1})
    if not line or name ~= call or units[line[4]] then
      local read = 0
      for unit, count in pairs(units) do read = read + (READ[unit] and count or 0) end
      for j = first, i - 1 do found[j] = read end
      call, units, first = name, {}, i
    end
    if line then units[line[4]] = amount(line[5]) end
  end
  return found
end

-- What lines ([service, model, provider, unit, amount, attempt], as JSON) come to, by measure; money only for a list
-- of prices, with what the request itself costs (`fee`) at the model that answered: the one that wrote, else the first
-- that somebody provided.
local function sum_lines(partition, head, lines, list, fee)
  local sums = {k = 0, c = 0, a = 0, b = 0, ['$'] = 0}
  if lines == '' or lines == '[]' then return sums end
  local money, wrote, provided, contexts = 0, nil, nil, nil
  local decoded = cjson.decode(lines)
  for i = 1, #decoded do
    local line = decoded[i]
    local unit, units = line[4], amount(line[5])
    if string.sub(unit, -7) == '_tokens' then sums.k = sums.k + units
    elseif unit == 'characters' then sums.c = sums.c + units
    elseif unit == 'audio_milliseconds' then sums.a = sums.a + units
    elseif unit == 'stored_bytes' then sums.b = sums.b + units end
    if list then
      local model = line[3] .. '|' .. line[2]
      local rate = price_of(partition, head, list, model .. '|' .. unit) or 0
      if type(rate) == 'table' then
        contexts = contexts or contexts_of(decoded)
        rate = rate_at(rate, contexts[i])
      end
      money = money + price(units, rate)
      wrote = wrote or ((unit == 'output_tokens' or unit == 'reasoning_tokens') and model)
      provided = provided or (line[3] ~= '' and model)
    end
  end
  if fee and (wrote or provided) then
    money = money + price(1, price_of(partition, head, list, (wrote or provided) .. '|requests') or 0)
  end
  sums['$'] = money
  return sums
end

-- What estimated amounts of a model would cost at most, whoever provides it, for a call that reads `context` tokens or
-- fewer.
local function estimate_cost(partition, head, list, model, amounts, context)
  local function cost(units, unit)
    if not units or units == 0 then return 0 end
    return price(units, most_up_to(price_of(partition, head, list, '|' .. model .. '|' .. unit), context))
  end
  return cost(amounts.input, 'input_tokens') + cost(amounts.output, 'output_tokens') + cost(amounts.c, 'characters')
    + cost(amounts.a, 'audio_milliseconds') + cost(amounts.requests, 'requests')
end

local function has_price(partition, head, list, model)
  for _, unit in ipairs({'input_tokens', 'output_tokens', 'characters', 'audio_milliseconds'}) do
    if price_of(partition, head, list, '|' .. model .. '|' .. unit) then return true end
  end
  return false
end
