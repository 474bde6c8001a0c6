-- A subject is a tenant, a key or a user. It has terms, which `compile` writes, and counts, a number for each counter of
-- its limits, side by side in one text. It counts exactly what it limits; what it is to count from now on, `compile`
-- gets from the ledger. A call reads all that it needs at once, and writes a subject once.

local SPAN = 61 -- one-second buckets counted: 60 of them would let 112 of 100 pass in some 60 s
local STEP_MS = 10000 -- a clock set back by less stands still until it has caught up
local IDLE_SECONDS = 90000 -- a subject that nobody uses for a day is forgotten; the ledger knows it

local SCOPES = {t = 'tenant', k = 'key', u = 'user'}

local function name_of(partition, kind, tenant, id)
  if kind == 't' then return partition .. ':t:' .. tenant end
  return partition .. ':' .. kind .. ':' .. tenant .. ':' .. id
end

local read_terms = remembering(function(written)
  local version, own, budgets, epoch, compiled, flags, prices, plan, plan_version = cmsgpack.unpack(written)
  return {
    version = version, own = own, epoch = epoch, compiled = compiled, prices = prices, plan = plan,
    plan_version = plan_version, limits = parse_limits(own .. ' ' .. budgets),
    flags = {k = string.find(flags, 'k', 1, true), u = string.find(flags, 'u', 1, true), p = string.find(flags, 'p', 1, true)},
  }
end)

-- A subject out of the texts of its terms and counts; nil if it is not there.
local function subject_of(kind, name, terms, counts)
  if not terms or not counts then return nil end
  terms = read_terms(terms)
  local limits = terms.limits
  if #counts ~= 8 * limits.width then return nil end
  return {name = name, kind = kind, scope = SCOPES[kind], terms = terms, limits = limits,
    counts = {struct.unpack(limits.format, counts)}}
end

-- All that a call needs, in one command: the head, the tenant's compile number, tenant, key and user where they are
-- compiled, and what stands under one more key.
local function read_all(partition, tenant, key, user, more)
  local t = partition .. ':t:' .. tenant
  local names = {partition .. ':head', t .. ':number', t, t .. ':counts'}
  local k, u
  if key ~= '' then
    k = partition .. ':k:' .. tenant .. ':' .. key
    names[5], names[6] = k, k .. ':counts'
  end
  local last = #names
  if user ~= '' then
    u = partition .. ':u:' .. tenant .. ':' .. user
    names[last + 1], names[last + 2] = u, u .. ':counts'
  end
  names[#names + 1] = more
  local found = redis.call('MGET', unpack(names))
  return {
    head = read_head(found[1] or ''), number = found[2] or '0', t = subject_of('t', t, found[3], found[4]),
    k = k and subject_of('k', k, found[5], found[6]), u = u and subject_of('u', u, found[last + 1], found[last + 2]),
    more = more and found[#names],
  }
end

-- The rolling minute: a ring of SPAN slots behind a subject, each with the second that it is of, and what each window
-- got in it. What the newest second gets stands with the counts, until another one begins.

local function ring_of(subject) return subject.name .. ':ring' end

local function slot_at(subject, second) return (second % SPAN) * 8 * (#subject.limits.windows + 1) end

-- Calls `take` with what each window got in each second from first to last that the ring has, the second first.
local function each_slot(subject, first, last, take)
  local ring = not subject.restamped and redis.call('GET', ring_of(subject)) or ''
  local size, format = 8 * (#subject.limits.windows + 1), subject.limits.slot
  for second = first, last do
    local closed, at = subject.closed, slot_at(subject, second)
    if closed and closed[1] == second then take(closed)
    elseif at + size <= #ring then
      local slot = {struct.unpack(format, ring, at + 1)}
      if slot[1] == second then take(slot) end
    end
  end
end

local function add_to_window(subject, row, second, delta)
  if delta == 0 then return end
  local counts, at = subject.counts, row.at
  counts[at] = counts[at] + delta
  if counts[at + SINCE] == 0 then counts[at + SINCE] = second end
  if second > counts[at + NEWEST] then counts[at + NEWEST] = second end
  if second == math.floor(counts[SEEN] / 1000) then
    counts[at + OPEN] = counts[at + OPEN] + delta
  else
    local slot = subject.late or {second}
    slot[row.column + 1] = (slot[row.column + 1] or 0) + delta
    subject.late = slot
  end
end

-- Another second has begun: what the last one got goes into the ring, and what has left the window out of its sum.
local function move_windows(subject, before, second)
  local windows, counts, first = subject.limits.windows, subject.counts, second - SPAN + 1
  local oldest, got, closed = first, false, {before}
  for column, row in ipairs(windows) do
    local since, open = counts[row.at + SINCE], counts[row.at + OPEN]
    if since > 0 and since < oldest then oldest = since end
    got = got or open ~= 0
    closed[column + 1], counts[row.at + OPEN] = open, 0
  end
  if before < first then
    for _, row in ipairs(windows) do counts[row.at] = 0 end
  else
    if got then subject.closed = closed end
    if oldest < first then
      each_slot(subject, oldest, first - 1, function(slot)
        for column, row in ipairs(windows) do
          if slot[1] >= counts[row.at + SINCE] then counts[row.at] = counts[row.at] - slot[column + 1] end
        end
      end)
    end
  end
  for _, row in ipairs(windows) do
    local since = counts[row.at + SINCE]
    if since > 0 and since < first then counts[row.at + SINCE] = first end
  end
end

-- After a clock was set back: all that a window holds counts as of this second, so no span gets more than its limit.
local function restamp(subject, second)
  local counts = subject.counts
  for _, row in ipairs(subject.limits.windows) do
    counts[row.at + SINCE], counts[row.at + NEWEST], counts[row.at + OPEN] = second, second, counts[row.at]
  end
  subject.restamped, subject.closed = true, nil
end

-- The time of a call: the store's, but never a little before what these subjects have seen.
local function clock_of(subjects)
  local ms = store_ms()
  local now = ms
  for _, subject in ipairs(subjects) do
    local seen = subject.counts[SEEN]
    if seen > now and seen - ms <= STEP_MS then now = seen end
  end
  local at = calendar(now)
  return {ms = now, second = math.floor(now / 1000), day = at.day, month = at.month, next_month = at.next_month}
end

local function new_period(subject, place, period, now)
  local before = subject.counts[place]
  -- A day that was already begun stays, however the clock is set: unless that was far off.
  if before == now or before == now + 1 then return end
  subject.counts[place] = now
  for _, row in ipairs(subject.limits.counters) do
    if row.period == period then subject.counts[row.at] = 0 end
  end
end

local function bring_up_to(subject, clock)
  local seen = subject.counts[SEEN]
  new_period(subject, DAY, 'day', clock.day)
  new_period(subject, MONTH, 'month', clock.month)
  subject.counts[SEEN] = clock.ms
  if seen > clock.ms then
    restamp(subject, clock.second)
    return
  end
  local before = math.floor(seen / 1000)
  if before ~= clock.second and #subject.limits.windows > 0 then move_windows(subject, before, clock.second) end
end

local function brought_up(subjects)
  local clock = clock_of(subjects)
  for _, subject in ipairs(subjects) do bring_up_to(subject, clock) end
  return clock
end

local function save_ring(subject)
  local name, format, late = ring_of(subject), subject.limits.slot, subject.late
  if subject.restamped then redis.call('DEL', name) end
  local closed = subject.closed
  if closed then redis.call('SETRANGE', name, slot_at(subject, closed[1]), struct.pack(format, unpack(closed))) end
  if late then
    local at, windows = slot_at(subject, late[1]), #subject.limits.windows
    local held = redis.call('GETRANGE', name, at, at + 8 * (windows + 1) - 1)
    local slot = #held == 8 * (windows + 1) and {struct.unpack(format, held)} or {}
    local there = slot[1] == late[1]
    for column = 2, windows + 1 do slot[column] = (there and slot[column] or 0) + (late[column] or 0) end
    slot[1] = late[1]
    redis.call('SETRANGE', name, at, struct.pack(format, unpack(slot, 1, windows + 1)))
  end
  if closed or late then redis.call('EXPIRE', name, 2 * SPAN) end
  subject.restamped, subject.closed, subject.late = nil, nil, nil
end

local function save(subject)
  local counts, limits = subject.counts, subject.limits
  local hour = math.floor(counts[SEEN] / 3600000)
  if counts[KEPT] ~= hour then
    redis.call('EXPIRE', subject.name, IDLE_SECONDS)
    if subject.kind == 't' then redis.call('EXPIRE', subject.name .. ':number', IDLE_SECONDS) end
    counts[KEPT] = hour
  end
  redis.call('SET', subject.name .. ':counts', struct.pack(limits.format, unpack(counts, 1, limits.width)), 'EX', IDLE_SECONDS)
  if subject.closed or subject.late or subject.restamped then save_ring(subject) end
end

local function save_all(subjects)
  for _, subject in ipairs(subjects) do save(subject) end
end

-- What admits and counts nothing writes nothing, unless the clock was set back: a window that is counted as of now must
-- not be so again with each call.
local function save_steps(subjects)
  for _, subject in ipairs(subjects) do
    if subject.restamped then return save_all(subjects) end
  end
end

-- Counts amounts by measure, all new.
local function charge(subject, costs, second)
  local counts = subject.counts
  for _, row in ipairs(subject.limits.counters) do
    local cost = costs[row.measure] or 0
    if cost ~= 0 then
      if row.period == 'minute' then add_to_window(subject, row, second, cost)
      else counts[row.at] = counts[row.at] + cost end
    end
  end
end

-- Counts `after` where `before` was counted, at lease.second, lease.day, lease.month. What was too much goes back where
-- it came from while that still counts; what was too little counts now.
local function recount(subject, before, after, lease, clock)
  local counts = subject.counts
  for _, row in ipairs(subject.limits.counters) do
    local delta = (after[row.measure] or 0) - (before[row.measure] or 0)
    local period, sum = row.period, counts[row.at] + delta
    if delta == 0 then -- nothing to do
    elseif period == 'minute' then
      -- A bucket before the window's first holds nothing of it: it was counted anew since, in a later one.
      local since = counts[row.at + SINCE]
      local came_from = since > 0 and lease.second >= since and lease.second <= clock.second
      if delta > 0 then add_to_window(subject, row, clock.second, delta)
      elseif came_from then add_to_window(subject, row, lease.second, delta) end
    elseif period == 'gauge' then counts[row.at] = math.max(0, sum)
    elseif period == 'day' then
      if delta > 0 or lease.day == counts[DAY] then counts[row.at] = sum end
    elseif period == 'month' then
      if delta > 0 or lease.month == counts[MONTH] then counts[row.at] = sum end
    else counts[row.at] = sum end
  end
end

-- Milliseconds until `need` more fit into a window.
local function wait_in_window(subject, row, need, clock)
  local over, window = subject.counts[row.at] + need - row.bound, nil
  for column, counted in ipairs(subject.limits.windows) do
    if counted.at == row.at then window = column + 1 end
  end
  local free
  each_slot(subject, clock.second - SPAN + 1, clock.second - 1, function(slot)
    over = over - slot[window]
    if over <= 0 and not free then free = slot[1] end
  end)
  if not free and over <= subject.counts[row.at + OPEN] then free = clock.second end
  return free and (free + SPAN) * 1000 - clock.ms or SPAN * 1000
end

local function until_free(subject, row, clock)
  if row.period == 'day' then return 86400000 - clock.ms % 86400000 end
  if row.period == 'month' then return clock.next_month * 86400000 - clock.ms end
  if row.period ~= 'minute' or subject.counts[row.at] <= 0 then return 0 end
  return math.max(0, (subject.counts[row.at + NEWEST] + SPAN) * 1000 - clock.ms)
end

local function binds(subject, row, costs)
  local cost = costs[row.measure] or 0
  return not row.soft and cost > 0 and subject.counts[row.at] + cost > row.bound
end

-- Appends a row after `size` items: scope, name (of a mark with a ~), limit, used, milliseconds; the new size.
local function report(answer, size, subject, row, ms)
  answer[size + 1], answer[size + 2], answer[size + 3] = subject.scope, row.told, row.limit
  answer[size + 4] = math.ceil(subject.counts[row.at] / row.scale)
  answer[size + 5] = ms
  return size + 5
end

local function report_all(answer, subjects, clock)
  local size = #answer
  for _, subject in ipairs(subjects) do
    for _, row in ipairs(subject.limits) do
      size = report(answer, size, subject, row, until_free(subject, row, clock))
    end
  end
  return answer
end
