#!lua name=aisp_meter_v3
-- revision 4
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

-- A subject is a tenant, a key or a user: one hash with its compiled limits and a counter for each of them. It counts
-- exactly what it limits; what it is to count from now on, `compile` gets from the ledger.

local SPAN = 61 -- one-second buckets counted: 60 of them would let 112 of 100 pass in some 60 s
local STEP_MS = 10000 -- a clock set back by less stands still until it has caught up
local IDLE_SECONDS = 90000 -- a subject that nobody uses for a day is forgotten; the ledger knows it

local function store_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Days since 1970 and months since year 0 (civil calendar from days: Hinnant's algorithm), as text.
local function calendar(ms)
  local days = math.floor(ms / 86400000)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return text(days), text(year * 12 + month - 1)
end

-- Milliseconds until the next month (UTC).
local function until_month(ms)
  local _, month = calendar(ms)
  local low, high = 0, 31
  while low < high do
    local middle = math.floor((low + high) / 2)
    local _, then_month = calendar(ms + middle * 86400000)
    if then_month ~= month then high = middle else low = middle + 1 end
  end
  return low * 86400000 - ms % 86400000
end

local function name_of(partition, kind, tenant, id)
  if kind == 't' then return partition .. ':t:' .. tenant end
  return partition .. ':' .. kind .. ':' .. tenant .. ':' .. id
end

local SCOPES = {t = 'tenant', k = 'key', u = 'user'}

local function load_subject(partition, kind, tenant, id)
  local name = name_of(partition, kind, tenant, id)
  local state = to_map(redis.call('HGETALL', name))
  return {
    name = name, kind = kind, scope = SCOPES[kind], state = state, limits = parse_limits(state.limits or ''), changed = {},
  }
end

local function get(subject, field) return tonumber(subject.state[field]) or 0 end

local function set(subject, field, value)
  subject.state[field] = value
  subject.changed[field] = true
end

local function window_of(subject, measure) return subject.name .. ':' .. measure end

-- Buckets of a window are a ring of SPAN slots: the slot of a second is free again when that second has left it.
local function add_to_window(subject, row, second, delta)
  if delta == 0 then return end
  local name, field = window_of(subject, row.measure), row.field
  local held = redis.call('HINCRBY', name, text(second % SPAN), text(delta))
  if held == delta then redis.call('EXPIRE', name, 2 * SPAN) end
  set(subject, field, get(subject, field) + delta)
  if not subject.state[field .. '.low'] then set(subject, field .. '.low', second) end
  if second > get(subject, field .. '.high') then set(subject, field .. '.high', second) end
end

-- Takes the buckets that have left the window out of its sum.
local function advance(subject, row, second)
  local field = row.field
  local low, first = tonumber(subject.state[field .. '.low']), second - SPAN + 1
  if not low or low >= first then return end
  if get(subject, field .. '.high') < first then
    redis.call('DEL', window_of(subject, row.measure))
    set(subject, field, 0)
  else
    local gone, name = {}, window_of(subject, row.measure)
    for bucket = low, first - 1 do gone[#gone + 1] = text(bucket % SPAN) end
    local sum = get(subject, field)
    for _, held in ipairs(redis.call('HMGET', name, unpack(gone))) do sum = sum - (tonumber(held) or 0) end
    redis.call('HDEL', name, unpack(gone))
    set(subject, field, sum)
  end
  set(subject, field .. '.low', first)
end

-- After a clock was set back: all that a window holds counts as of this second, so no span gets more than its limit.
local function restamp(subject, row, second)
  local sum = get(subject, row.field)
  redis.call('DEL', window_of(subject, row.measure))
  set(subject, row.field, 0)
  set(subject, row.field .. '.low', second)
  set(subject, row.field .. '.high', second)
  add_to_window(subject, row, second, sum)
end

-- The time of a call: the store's, but never a little before what these subjects have seen.
local function clock_of(subjects)
  local ms = store_ms()
  local now = ms
  for _, subject in ipairs(subjects) do
    local seen = get(subject, 'seen')
    if seen > now and seen - ms <= STEP_MS then now = seen end
  end
  local day, month = calendar(now)
  return {ms = now, second = math.floor(now / 1000), day = day, month = month}
end

local function new_period(subject, period, now)
  local before = subject.state[period]
  -- A day that was already begun stays, however the clock is set: unless that was far off.
  if before == now or (before and tonumber(before) == tonumber(now) + 1) then return end
  set(subject, period, now)
  for _, row in ipairs(subject.limits) do
    if row.period == period then set(subject, row.field, 0) end
  end
end

local function bring_up_to(subject, clock)
  new_period(subject, 'day', clock.day)
  new_period(subject, 'month', clock.month)
  local stepped = get(subject, 'seen') > clock.ms
  for _, row in ipairs(subject.limits) do
    if row.period == 'minute' then
      if stepped then restamp(subject, row, clock.second) else advance(subject, row, clock.second) end
    end
  end
  set(subject, 'seen', clock.ms)
end

local function save(subject)
  local flat = {}
  for field in pairs(subject.changed) do
    local value = subject.state[field]
    flat[#flat + 1] = field
    flat[#flat + 1] = type(value) == 'number' and text(value) or value
  end
  if #flat == 0 then return end
  redis.call('HSET', subject.name, unpack(flat))
  redis.call('EXPIRE', subject.name, IDLE_SECONDS)
  subject.changed = {}
end

local function save_all(subjects)
  for _, subject in ipairs(subjects) do save(subject) end
end

-- Counts amounts by measure, all new.
local function charge(subject, costs, second)
  for _, row in ipairs(subject.limits.counters) do
    local cost = costs[row.measure] or 0
    if cost ~= 0 then
      if row.period == 'minute' then add_to_window(subject, row, second, cost)
      else set(subject, row.field, get(subject, row.field) + cost) end
    end
  end
end

-- Counts `after` where `before` was counted, at lease.second, lease.day, lease.month. What was too much goes back where
-- it came from while that still counts; what was too little counts now.
local function recount(subject, before, after, lease, clock)
  for _, row in ipairs(subject.limits.counters) do
    local delta = (after[row.measure] or 0) - (before[row.measure] or 0)
    local period, sum = row.period, get(subject, row.field) + delta
    if delta == 0 then -- nothing to do
    elseif period == 'minute' then
      -- A bucket before the window's first holds nothing of it: it was counted anew since, in a later one.
      local low = tonumber(subject.state[row.field .. '.low'])
      local came_from = low and lease.second >= low and lease.second <= clock.second
      if delta > 0 then add_to_window(subject, row, clock.second, delta)
      elseif came_from then add_to_window(subject, row, lease.second, delta) end
    elseif period == 'gauge' then set(subject, row.field, math.max(0, sum))
    elseif period == 'day' or period == 'month' then
      if delta > 0 or lease[period] == subject.state[period] then set(subject, row.field, sum) end
    else set(subject, row.field, sum) end
  end
end

-- Milliseconds until `need` more fit into a window.
local function wait_in_window(subject, row, need, clock)
  local over = get(subject, row.field) + need - row.bound
  local held = to_map(redis.call('HGETALL', window_of(subject, row.measure)))
  for bucket = clock.second - SPAN + 1, clock.second do
    over = over - (tonumber(held[text(bucket % SPAN)]) or 0)
    if over <= 0 then return (bucket + SPAN) * 1000 - clock.ms end
  end
  return SPAN * 1000
end

local function until_free(subject, row, clock)
  if row.period == 'day' then return 86400000 - clock.ms % 86400000 end
  if row.period == 'month' then return until_month(clock.ms) end
  if row.period ~= 'minute' or get(subject, row.field) <= 0 then return 0 end
  return math.max(0, (get(subject, row.field .. '.high') + SPAN) * 1000 - clock.ms)
end

local function binds(subject, row, costs)
  local cost = costs[row.measure] or 0
  return not row.soft and cost > 0 and get(subject, row.field) + cost > row.bound
end

-- Appends a row: scope, name (of a mark with a ~), limit, used, milliseconds.
local function report(answer, subject, row, ms)
  local size = #answer
  answer[size + 1] = subject.scope
  answer[size + 2] = row.soft and row.name .. '~' or row.name
  answer[size + 3] = text(row.limit)
  answer[size + 4] = text(math.ceil(get(subject, row.field) / row.scale))
  answer[size + 5] = text(ms)
end

local function report_all(answer, subjects, clock)
  for _, subject in ipairs(subjects) do
    for _, row in ipairs(subject.limits) do report(answer, subject, row, until_free(subject, row, clock)) end
  end
end

-- Leases: what was admitted and has not ended. A lease ends once, and each end appends one event to the partition's
-- stream. Nothing is answered by a server that has started anew until the usage service has opened the partition.

local SWEPT_SECONDS = 86400 -- so long a late settlement corrects a swept lease
local ENDED_SECONDS = 300 -- ended leases are known by name for one to two of these
local UNTOLD_SHARE = 4 -- an output that nobody bounded reserves at most a quarter of a limit

-- The server process: another one after a restart or a failover, when writes may be missing.
local run

local function epoch_of(partition)
  run = run or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local epoch = redis.call('GET', partition .. ':epoch')
  if epoch and string.sub(epoch, 1, #run) == run then return epoch end
  return nil
end

local function lease_name(partition, id) return partition .. ':lease:' .. id end

local function ended_name(partition, second, back)
  return partition .. ':ended:' .. text(math.floor(second / ENDED_SECONDS) - back)
end

local function has_ended(partition, id, second)
  for back = 0, 1 do
    if redis.call('SISMEMBER', ended_name(partition, second, back), id) == 1 then return true end
  end
  return false
end

local function load_lease(partition, id)
  local lease = to_map(redis.call('HGETALL', lease_name(partition, id)))
  if not lease.state then return nil end
  lease.second, lease.user, lease.month = tonumber(lease.second) or 0, lease.user or '', lease.month or ''
  lease.amounts = {}
  for _, measure in ipairs(MEASURES) do lease.amounts[measure] = tonumber(lease[measure]) or 0 end
  return lease
end

local function flat_amounts(flat, amounts)
  for _, measure in ipairs(MEASURES) do
    if (amounts[measure] or 0) ~= 0 then
      flat[#flat + 1] = measure
      flat[#flat + 1] = text(amounts[measure])
    end
  end
  return flat
end

-- The subjects that count: compiled, of tenant, key and user.
local function subjects_of(partition, tenant, key, user)
  local found = {load_subject(partition, 't', tenant, '')}
  if key ~= '' then found[#found + 1] = load_subject(partition, 'k', tenant, key) end
  if user ~= '' then found[#found + 1] = load_subject(partition, 'u', tenant, user) end
  local compiled = {}
  for _, subject in ipairs(found) do
    if subject.state.compiled then compiled[#compiled + 1] = subject end
  end
  return compiled
end

local function brought_up(subjects)
  local clock = clock_of(subjects)
  for _, subject in ipairs(subjects) do bring_up_to(subject, clock) end
  return clock
end

local function money_list(subjects)
  for _, subject in ipairs(subjects) do
    if subject.limits.money then return subjects[1].state.prices or 'standard' end
  end
  return nil
end

-- Subjects as `reserve` needs them, or nil and whose limits are missing.
local function standing(partition, asked)
  local epoch = epoch_of(partition)
  if not epoch then return nil, 'partition' end
  local tenant = load_subject(partition, 't', asked.tenant, '')
  local compiled = tenant.state.c or '0'
  if not (tenant.state.epoch == epoch and tenant.state.compiled == compiled and get(tenant, 'v') >= asked.version) then
    return nil, 'tenant'
  end
  -- A plan is edited for all of its tenants by one number: each is compiled anew when it next asks.
  local plan = tenant.state.plan or ''
  if plan ~= '' and (tonumber(redis.call('HGET', partition .. ':plans', plan)) or 0) > get(tenant, 'pv') then
    return nil, 'tenant'
  end
  local found, flags = {tenant}, tenant.state.flags or ''
  for _, kind in ipairs({'k', 'u'}) do
    local id = kind == 'k' and asked.key or asked.user
    local wanted = (kind == 'k' and asked.key_version > 0) or string.find(flags, kind, 1, true)
    if id ~= '' and wanted then
      local subject = load_subject(partition, kind, asked.tenant, id)
      local state = subject.state
      local enough = kind == 'u' or get(subject, 'v') >= asked.key_version
      if not (state.epoch == epoch and state.compiled == compiled and enough) then return nil, subject.scope end
      found[#found + 1] = subject
    end
  end
  return found
end

-- Amounts to reserve. What nobody bounded is estimated at a share of the limits at most: a client that omits
-- max_tokens is not refused for it.
local function estimate(partition, asked, subjects)
  if asked.class == 'management' then return {m = 1} end
  if asked.class == 'effect' then return {m = 1, b = asked.bytes} end
  local output, list, untold = asked.output, money_list(subjects), not asked.bounded
  if untold then
    for _, subject in ipairs(subjects) do
      for _, row in ipairs(subject.limits) do
        if row.measure == 'k' and not row.soft then output = math.min(output, math.floor(row.bound / UNTOLD_SHARE)) end
      end
    end
  end
  local counts = asked.counts and 1 or 0
  local costs = {r = counts, n = counts, k = asked.input + output, c = asked.c, a = asked.a, b = asked.bytes}
  if list then
    local known = {input = asked.input, output = untold and 0 or output, c = asked.c, a = asked.a, requests = counts}
    costs['$'] = estimate_cost(partition, list, asked.model, known)
    if untold then
      local more = estimate_cost(partition, list, asked.model, {input = 0, output = output, c = 0, a = 0})
      for _, subject in ipairs(subjects) do
        for _, row in ipairs(subject.limits) do
          if row.measure == '$' and not row.soft then more = math.min(more, math.floor(row.bound / UNTOLD_SHARE)) end
        end
      end
      costs['$'] = costs['$'] + more
    end
  end
  return costs
end

-- Rows of the limits that `costs` do not fit into, with the time until they do.
local function binding(subjects, costs, clock)
  local rows = {}
  for _, subject in ipairs(subjects) do
    for _, row in ipairs(subject.limits) do
      if binds(subject, row, costs) then
        local wait = row.period == 'minute' and wait_in_window(subject, row, costs[row.measure], clock)
          or until_free(subject, row, clock)
        report(rows, subject, row, wait)
      end
    end
  end
  return rows
end

local function open_lease(partition, asked, costs, clock)
  local flat = {'state', 'live', 'tenant', asked.tenant, 'key', asked.key, 'user', asked.user, 'class', asked.class,
    'second', text(clock.second), 'day', clock.day, 'month', clock.month, 'descriptor', asked.descriptor,
    'fallback', asked.fallback}
  redis.call('HSET', lease_name(partition, asked.lease), unpack(flat_amounts(flat, costs)))
  redis.call('ZADD', partition .. ':live', text(clock.ms + asked.lease_ms), asked.lease)
  redis.call('HINCRBY', partition .. ':books', 'admitted', 1)
end

-- Makes the counters of a lease's subjects say what its lines (and, with `fee`, its request) come to; what that is, by
-- measure.
local function count_lines(partition, lease, lines, keep, fee)
  local subjects = subjects_of(partition, lease.tenant, lease.key, lease.user)
  local clock = brought_up(subjects)
  local after = sum_lines(partition, lines, money_list(subjects), fee)
  for measure, value in pairs(keep) do after[measure] = value end
  for _, subject in ipairs(subjects) do recount(subject, lease.amounts, after, lease, clock) end
  save_all(subjects)
  return after, clock, subjects
end

local function append_event(partition, id, kind, status, lease, lines, prior, clock)
  return redis.call('XADD', partition .. ':events', '*', 'id', id, 'kind', kind, 'status', status, 'tenant', lease.tenant,
    'key', lease.key, 'user', lease.user, 'class', lease.class, 'counts', text(lease.amounts.r), 'day', lease.day,
    'month', lease.month, 'descriptor', lease.descriptor, 'lines', lines, 'prior', prior, 'at', text(clock.ms))
end

local function forget_lease(partition, id, clock)
  redis.call('DEL', lease_name(partition, id))
  redis.call('ZREM', partition .. ':live', id)
  local name = ended_name(partition, clock.second, 0)
  redis.call('SADD', name, id)
  redis.call('EXPIRE', name, 2 * ENDED_SECONDS)
end

-- Ends a live lease, or corrects a swept one; the event's entry, the subjects that counted it, and the time.
local function end_lease(partition, id, lease, status, lines)
  local swept = lease.state == 'swept'
  local requests = status == 'replayed' and not swept and 0 or lease.amounts.r
  local keep, fee = {r = requests, n = 0, m = lease.amounts.m}, status ~= 'replayed' and requests > 0
  local _, clock, subjects = count_lines(partition, lease, lines, keep, fee)
  forget_lease(partition, id, clock)
  redis.call('HINCRBY', partition .. ':books', swept and 'corrected' or 'settled', 1)
  local kind = swept and 'correct' or 'settle'
  return append_event(partition, id, kind, status, lease, lines, lease.lines or '', clock), subjects, clock
end

local function sweep_lease(partition, id, lease)
  local lines = lease.lines or lease.fallback or '[]'
  local keep = {r = lease.amounts.r, n = 0, m = lease.amounts.m}
  local after, clock = count_lines(partition, lease, lines, keep)
  local name = lease_name(partition, id)
  redis.call('DEL', name)
  redis.call('HSET', name, unpack(flat_amounts({'state', 'swept', 'tenant', lease.tenant, 'key', lease.key,
    'user', lease.user, 'class', lease.class, 'second', text(lease.second), 'day', lease.day, 'month', lease.month,
    'descriptor', lease.descriptor, 'lines', lines}, after)))
  redis.call('EXPIRE', name, SWEPT_SECONDS)
  redis.call('ZREM', partition .. ':live', id)
  redis.call('HINCRBY', partition .. ':books', 'abandoned', 1)
  append_event(partition, id, 'sweep', 'abandoned', lease, lines, '', clock)
end

-- Compiling: the usage service tells what a subject may use, and what the ledger says that it has used.

local PRICES_AT_ONCE = 1000

-- Adds amounts to a tally by counter, as of a time.
local function add_to_tally(tally, amounts, at, clock)
  for measure, value in pairs(amounts) do
    local function count(period)
      local field = period .. '.' .. measure
      tally[field] = (tally[field] or 0) + value
    end
    count('total')
    count('gauge')
    if at.day == clock.day then count('day') end
    if at.month == clock.month then count('month') end
    if at.second > clock.second - SPAN then count('minute') end
  end
end

local function belongs(kind, id, found)
  return kind == 't' or (kind == 'k' and found.key == id) or (kind == 'u' and found.user == id)
end

-- What the events after `position` say that the ledger does not know yet.
local function tally_events(partition, tally, wanted, clock)
  for _, entry in ipairs(redis.call('XRANGE', partition .. ':events', '(' .. wanted.position, '+')) do
    local event = to_map(entry[2])
    if event.tenant == wanted.tenant and belongs(wanted.kind, wanted.id, event) then
      local fee = event.kind ~= 'sweep' and event.status ~= 'replayed' and event.counts == '1'
      local sums = sum_lines(partition, event.lines, wanted.prices, fee)
      if event.kind == 'correct' then
        for measure, value in pairs(sum_lines(partition, event.prior, wanted.prices)) do
          sums[measure] = sums[measure] - value
        end
      elseif event.status ~= 'replayed' then sums.r = tonumber(event.counts) or 0 end
      local at = {day = event.day, month = event.month, second = math.floor((tonumber(event.at) or 0) / 1000)}
      add_to_tally(tally, sums, at, clock)
    end
  end
end

local function tally_leases(partition, tally, wanted, clock)
  for _, id in ipairs(redis.call('ZRANGE', partition .. ':live', 0, -1)) do
    local lease = load_lease(partition, id)
    if lease and lease.tenant == wanted.tenant and belongs(wanted.kind, wanted.id, lease) then
      add_to_tally(tally, lease.amounts, lease, clock)
      tally['live.n'] = (tally['live.n'] or 0) + lease.amounts.n
    end
  end
end

-- Sets every counter to what ledger, later events and live leases say. A window is trusted where the subject was there;
-- where it was lost, what was used in the last minute counts as of now.
local function rebuild(partition, subject, tally, wanted, clock, was_there)
  tally_events(partition, tally, wanted, clock)
  tally_leases(partition, tally, wanted, clock)
  for _, row in ipairs(subject.limits) do
    local said = tally[row.field] or 0
    if row.period ~= 'minute' then set(subject, row.field, row.period == 'gauge' and math.max(0, said) or said)
    elseif not was_there then add_to_window(subject, row, clock.second, math.max(0, said - get(subject, row.field))) end
  end
end

local function drop_other_counters(subject)
  local kept = {}
  for _, row in ipairs(subject.limits) do kept[row.field] = true end
  for field in pairs(subject.state) do
    local counter = string.match(field, '^%a+%.[%a$]')
    if counter and not kept[counter] then
      redis.call('HDEL', subject.name, field)
      subject.state[field], subject.changed[field] = nil, nil
      if string.sub(counter, 1, 7) == 'minute.' then redis.call('DEL', window_of(subject, string.sub(counter, 8))) end
    end
  end
end

local function read_tally(argv, first)
  local tally = {}
  for i = first, #argv, 5 do
    for offset, period in ipairs(PERIODS) do tally[period .. '.' .. argv[i]] = amount(argv[i + offset]) end
  end
  tally['gauge.b'] = tally['total.b']
  return tally
end

local function check_names(written)
  for name, value in string.gmatch(written, '([^%s=~]+)[=~](%S+)') do
    if not LIMITS[name] then fail('no such limit: ' .. name) end
    amount(value)
    if tonumber(value) * LIMITS[name].scale > MAX then fail('limit out of range: ' .. name) end
  end
end

-- KEYS[1] partition. ARGV: tenant, kind (t k u), id, epoch, compile number, version, flags, price list, limits, budgets,
-- position, a tenant's plan and its version, then for each measure of the ledger five items: its letter, and what was
-- used in the last minute, day, month and in all (b: in all). OK, or AGAIN: the tenant was invalidated, or the server
-- started anew, meanwhile.
local function compile(keys, argv)
  local partition, tenant, kind, id = keys[1], argv[1], argv[2], argv[3]
  local number = redis.call('HGET', name_of(partition, 't', tenant, ''), 'c') or '0'
  if epoch_of(partition) ~= argv[4] or number ~= argv[5] then return {'AGAIN'} end
  check_names(argv[9])
  check_names(argv[10])
  local subject = load_subject(partition, kind, tenant, id)
  local was_there, same_epoch = subject.state.compiled ~= nil, subject.state.epoch == argv[4]
  local clock = brought_up({subject})
  local version = amount(argv[6])
  if get(subject, 'v') <= version then
    set(subject, 'v', version)
    set(subject, 'own', argv[9])
  end
  set(subject, 'budgets', argv[10])
  set(subject, 'limits', subject.state.own .. ' ' .. argv[10])
  subject.limits = parse_limits(subject.state.limits)
  drop_other_counters(subject)
  local complete = same_epoch
  for _, row in ipairs(subject.limits) do
    complete = complete and (subject.state[row.field] ~= nil)
    if not subject.state[row.field] then set(subject, row.field, 0) end
  end
  if not complete then
    local wanted = {tenant = tenant, kind = kind, id = id, position = argv[11], prices = argv[8]}
    rebuild(partition, subject, read_tally(argv, 14), wanted, clock, was_there)
  end
  local told = {epoch = argv[4], compiled = argv[5], flags = argv[7], prices = argv[8], plan = argv[12], pv = argv[13]}
  for field, value in pairs(told) do set(subject, field, value) end
  save(subject)
  return {'OK'}
end

-- KEYS[1] partition. ARGV: tenant. The epoch ('' if the partition is not open) and the tenant's compile number, which
-- `compile` wants back: read both before what is compiled.
local function opening(keys, argv)
  local number = redis.call('HGET', name_of(keys[1], 't', argv[1], ''), 'c') or '0'
  return {epoch_of(keys[1]) or '', number}
end

-- KEYS[1] partition. ARGV: tenant. Everything that was compiled for the tenant, its keys and users is compiled anew
-- before the next admission.
local function invalidate(keys, argv)
  local name = name_of(keys[1], 't', argv[1], '')
  redis.call('HINCRBY', name, 'c', 1)
  redis.call('EXPIRE', name, IDLE_SECONDS)
  return {'OK'}
end

-- KEYS[1] partition. ARGV: plan, version. Every tenant on an older version of the plan is compiled anew before its next
-- admission.
local function set_plan(keys, argv)
  redis.call('HSET', keys[1] .. ':plans', argv[1], text(amount(argv[2])))
  return {'OK'}
end

-- KEYS[1] partition. ARGV: the last entry that the ledger has of the stream (or 0-0). Entries to come get greater ids,
-- however the clock is set. The epoch.
local function open(keys, argv)
  local partition = keys[1]
  local epoch = epoch_of(partition)
  if epoch then return epoch end
  local ms, sequence = string.match(argv[1], '^(%d+)-(%d+)$')
  if store_ms() <= tonumber(ms) then
    redis.pcall('XADD', partition .. ':events', ms .. '-' .. text(tonumber(sequence) + 1), 'kind', 'mark')
  end
  epoch = run .. ':' .. text(redis.call('INCR', partition .. ':epochs'))
  redis.call('SET', partition .. ':epoch', epoch)
  return epoch
end

-- KEYS[1] partition. ARGV: list, and as one text a line for each price: `provider|model|unit` (`|model|unit`: at most,
-- whoever provides it), a tab, nano-dollars per million. Replaces the list.
local function set_prices(keys, argv)
  local name, flat = keys[1] .. ':prices:' .. argv[1], {}
  redis.call('DEL', name)
  for price, rate in string.gmatch(argv[2], '([^\t\n]+)\t(%d+)\n') do
    flat[#flat + 1] = price
    flat[#flat + 1] = text(amount(rate))
    if #flat == PRICES_AT_ONCE then
      redis.call('HSET', name, unpack(flat))
      flat = {}
    end
  end
  if #flat > 0 then redis.call('HSET', name, unpack(flat)) end
  return {'OK'}
end

-- The functions that admit and settle. Last part of the library.

local function read_request(argv)
  return {
    tenant = argv[1], version = amount(argv[2]), key = argv[3], key_version = amount(argv[4]), user = argv[5],
    lease = argv[6], class = argv[7], counts = argv[8] == '1', model = argv[9], input = amount(argv[10]),
    output = amount(argv[11]), bounded = argv[12] == '1', c = amount(argv[13]), a = amount(argv[14]),
    bytes = amount(argv[15]), lease_ms = amount(argv[16]), descriptor = argv[17], fallback = argv[18],
  }
end

-- Whether a model has no price although what it costs must be known: a limit of money counts it, or the operator
-- refuses all such work (flag p).
local function is_unpriced(partition, asked, subjects)
  if asked.model == '' or (asked.class ~= 'ai' and asked.class ~= 'job') then return false end
  local wanted = string.find(subjects[1].state.flags or '', 'p', 1, true)
  for _, subject in ipairs(subjects) do wanted = wanted or subject.limits.hard_money end
  if not wanted then return false end
  local name = '|' .. asked.model .. '|'
  local found = redis.call('HMGET', partition .. ':prices:' .. (subjects[1].state.prices or 'standard'),
    name .. 'input_tokens', name .. 'output_tokens', name .. 'characters', name .. 'audio_milliseconds')
  return not (found[1] or found[2] or found[3] or found[4])
end

-- KEYS[1] partition. ARGV: see read_request.
local function reserve(keys, argv)
  local partition, asked = keys[1], read_request(argv)
  local subjects, missing = standing(partition, asked)
  if not subjects then return {'NEED_LIMITS', missing} end
  if is_unpriced(partition, asked, subjects) then return {'UNPRICED'} end
  local clock = brought_up(subjects)
  local costs = estimate(partition, asked, subjects)
  local refused = binding(subjects, costs, clock)
  if #refused > 0 then
    local answer = {'LIMITED', text(#refused / 5)}
    for _, item in ipairs(refused) do answer[#answer + 1] = item end
    report_all(answer, subjects, clock)
    save_all(subjects) -- buckets that have left their window are gone
    return answer
  end
  if asked.class ~= 'management' then
    local name = lease_name(partition, asked.lease)
    if redis.call('EXISTS', name) == 1 or has_ended(partition, asked.lease, clock.second) then
      save_all(subjects)
      return {'DUPLICATE'}
    end
    open_lease(partition, asked, costs, clock)
  end
  for _, subject in ipairs(subjects) do charge(subject, costs, clock.second) end
  save_all(subjects)
  local answer = {'OK'}
  report_all(answer, subjects, clock)
  return answer
end

-- KEYS[1] partition. ARGV: as for reserve. What reserve would answer, and the estimated cost; admits and counts nothing.
local function preview(keys, argv)
  local partition, asked = keys[1], read_request(argv)
  local subjects, missing = standing(partition, asked)
  if not subjects then return {'NEED_LIMITS', missing} end
  if is_unpriced(partition, asked, subjects) then return {'UNPRICED'} end
  local clock = brought_up(subjects)
  local costs = estimate(partition, asked, subjects)
  local refused = binding(subjects, costs, clock)
  local list = subjects[1].state.prices or 'standard'
  local cost = estimate_cost(partition, list, asked.model,
    {input = asked.input, output = asked.output, c = asked.c, a = asked.a, requests = asked.counts and 1 or 0})
  local answer = {#refused > 0 and 'LIMITED' or 'OK', text(cost), text(#refused / 5)}
  for _, item in ipairs(refused) do answer[#answer + 1] = item end
  save_all(subjects)
  report_all(answer, subjects, clock)
  return answer
end

-- KEYS[1] partition. ARGV: lease, tenant, status (settled, partial, replayed), lines, 1 to be told of the limits. OK, the
-- event's entry, the epoch: who settles keeps it until the ledger has that entry, and settles again if the epoch changes
-- before. Then rows, if they are wanted.
local function settle(keys, argv)
  local partition, id = keys[1], argv[1]
  local epoch = epoch_of(partition)
  if not epoch then return {'NOT_OPEN'} end
  local lease = load_lease(partition, id)
  if lease and lease.tenant == argv[2] then
    local entry, subjects, clock = end_lease(partition, id, lease, argv[3], argv[4])
    local answer = {'OK', entry, epoch}
    if argv[5] == '1' then report_all(answer, subjects, clock) end
    return answer
  end
  if lease or has_ended(partition, id, math.floor(store_ms() / 1000)) then return {'CLOSED'} end
  return {'UNKNOWN'}
end

-- KEYS[1] partition. ARGV: lease, tenant, status, lines, key, user, class, counts, descriptor. Books the settlement of a
-- lease that the store has lost: admitted and settled at once, counted as of now.
local function record(keys, argv)
  local partition, id = keys[1], argv[1]
  local epoch = epoch_of(partition)
  if not epoch then return {'NOT_OPEN'} end
  local lease = load_lease(partition, id)
  if lease or has_ended(partition, id, math.floor(store_ms() / 1000)) then return settle(keys, argv) end
  lease = {tenant = argv[2], key = argv[5], user = argv[6], class = argv[7], descriptor = argv[9], amounts = {r = 0},
    second = 0}
  local requests = argv[8] == '1' and 1 or 0
  requests = argv[3] == 'replayed' and 0 or requests
  local _, clock = count_lines(partition, lease, argv[4], {r = requests}, requests > 0)
  lease.day, lease.month, lease.amounts.r = clock.day, clock.month, argv[8] == '1' and 1 or 0
  forget_lease(partition, id, clock)
  for _, entry in ipairs({'admitted', 'settled', 'recorded'}) do
    redis.call('HINCRBY', partition .. ':books', entry, 1)
  end
  return {'OK', append_event(partition, id, 'settle', argv[3], lease, argv[4], '', clock), epoch}
end

-- KEYS[1] partition. ARGV: lease, tenant, lease ms, lines so far or ''. What goes beyond the estimate counts at once;
-- EXHAUSTED and rows where a limit does not carry it: the work should end.
local function checkpoint(keys, argv)
  local partition, id = keys[1], argv[1]
  if not epoch_of(partition) then return {'NOT_OPEN'} end
  local lease = load_lease(partition, id)
  if not lease or lease.state ~= 'live' or lease.tenant ~= argv[2] then return {lease and 'CLOSED' or 'UNKNOWN'} end
  redis.call('ZADD', partition .. ':live', text(store_ms() + amount(argv[3])), id)
  if argv[4] == '' then return {'OK'} end
  local keep, list = {r = lease.amounts.r, n = lease.amounts.n, m = lease.amounts.m, b = lease.amounts.b}, nil
  local subjects = subjects_of(partition, lease.tenant, lease.key, lease.user)
  list = money_list(subjects)
  for measure, value in pairs(sum_lines(partition, argv[4], list)) do
    if not keep[measure] then keep[measure] = math.max(value, lease.amounts[measure]) end
  end
  local after, clock = count_lines(partition, lease, '', keep)
  redis.call('HSET', lease_name(partition, id), unpack(flat_amounts({'lines', argv[4]}, after)))
  local answer = {'EXHAUSTED'}
  for _, subject in ipairs(subjects_of(partition, lease.tenant, lease.key, lease.user)) do
    for _, row in ipairs(subject.limits) do
      local grown = after[row.measure] and after[row.measure] > (lease.amounts[row.measure] or 0)
      if grown and not row.soft and get(subject, row.field) > row.bound then
        report(answer, subject, row, until_free(subject, row, clock))
      end
    end
  end
  return #answer > 1 and answer or {'OK'}
end

-- KEYS[1] partition. ARGV: how many at most. Settles expired leases at their last checkpoint; how many.
local function sweep(keys, argv)
  local partition = keys[1]
  if not epoch_of(partition) then return 0 end
  local until_now = text(store_ms())
  local expired = redis.call('ZRANGEBYSCORE', partition .. ':live', '-inf', until_now, 'LIMIT', 0, amount(argv[1]))
  for _, id in ipairs(expired) do
    local lease = load_lease(partition, id)
    if lease and lease.state == 'live' then sweep_lease(partition, id, lease)
    else redis.call('ZREM', partition .. ':live', id) end
  end
  return #expired
end

-- KEYS[1] partition. ARGV: tenant, key, user. OK and rows, or NEED_LIMITS.
local function limits_state(keys, argv)
  local asked = {tenant = argv[1], version = 0, key = argv[2], key_version = 0, user = argv[3]}
  local subjects, missing = standing(keys[1], asked)
  if not subjects then return {'NEED_LIMITS', missing} end
  if asked.key ~= '' and not string.find(subjects[1].state.flags or '', 'k', 1, true) then
    local key = load_subject(keys[1], 'k', asked.tenant, asked.key)
    if key.state.compiled then table.insert(subjects, 2, key) end
  end
  local clock, answer = brought_up(subjects), {'OK'}
  save_all(subjects)
  report_all(answer, subjects, clock)
  return answer
end

-- KEYS[1] partition. Tells admitted, settled, abandoned, live, recorded.
local function books(keys)
  local found = redis.call('HMGET', keys[1] .. ':books', 'admitted', 'settled', 'abandoned', 'recorded')
  for i = 1, 4 do found[i] = tonumber(found[i]) or 0 end
  return {found[1], found[2], found[3], redis.call('ZCARD', keys[1] .. ':live'), found[4]}
end

-- KEYS[1] partition. Tells the epoch ('' if not open) and how far the ledger is in the stream.
local function progress(keys)
  return {epoch_of(keys[1]) or '', redis.call('GET', keys[1] .. ':committed') or '0-0'}
end

local function register(name, callback, flag)
  redis.register_function{function_name = 'aisp_v3_' .. name, callback = callback, flags = {flag}}
end

register('reserve', reserve)
register('preview', preview)
register('compile', compile)
register('set_prices', set_prices)
register('set_plan', set_plan)
-- What gives memory back, or says that it may be given back, works where there is none left.
register('open', open, 'allow-oom')
register('settle', settle, 'allow-oom')
register('record', record, 'allow-oom')
register('checkpoint', checkpoint, 'allow-oom')
register('sweep', sweep, 'allow-oom')
register('limits_state', limits_state, 'allow-oom')
register('invalidate', invalidate, 'allow-oom')
register('opening', opening, 'no-writes')
register('books', books, 'no-writes')
register('progress', progress, 'no-writes')
