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
