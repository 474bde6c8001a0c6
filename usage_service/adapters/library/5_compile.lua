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

local function belongs(wanted, found)
  if found.tenant ~= wanted.tenant then return false end
  return wanted.kind == 't' or (wanted.kind == 'k' and found.key == wanted.id) or (wanted.kind == 'u' and found.user == wanted.id)
end

-- What the events after `position` say that the ledger does not know yet.
local function tally_events(partition, head, tally, wanted, clock)
  for _, entry in ipairs(redis.call('XRANGE', partition .. ':events', '(' .. wanted.position, '+')) do
    local event = to_map(entry[2])
    if belongs(wanted, event) then
      local fee = event.kind ~= 'sweep' and event.status ~= 'replayed' and event.counts == '1'
      local sums = sum_lines(partition, head, event.lines, wanted.prices, fee)
      if event.kind == 'correct' then
        for measure, value in pairs(sum_lines(partition, head, event.prior, wanted.prices)) do
          sums[measure] = sums[measure] - value
        end
      elseif event.status ~= 'replayed' then sums.r = tonumber(event.counts) or 0 end
      local at = {day = tonumber(event.day), month = tonumber(event.month),
        second = math.floor((tonumber(event.at) or 0) / 1000)}
      add_to_tally(tally, sums, at, clock)
    end
  end
end

local function tally_leases(partition, tally, wanted, clock)
  for _, written in ipairs(redis.call('HVALS', leases_of(partition))) do
    local lease = read_lease(written)
    if belongs(wanted, lease) then
      add_to_tally(tally, lease.amounts, lease, clock)
      tally['live.n'] = (tally['live.n'] or 0) + lease.amounts.n
    end
  end
end

-- Sets every counter to what ledger, later events and live leases say. A window is trusted where the subject was there;
-- where it was lost, what was used in the last minute counts as of now.
local function rebuild(partition, head, subject, tally, wanted, clock, was_there)
  tally_events(partition, head, tally, wanted, clock)
  tally_leases(partition, tally, wanted, clock)
  local counts = subject.counts
  for _, row in ipairs(subject.limits.counters) do
    local said = tally[row.field] or 0
    if row.period ~= 'minute' then counts[row.at] = row.period == 'gauge' and math.max(0, said) or said
    elseif not was_there then add_to_window(subject, row, clock.second, math.max(0, said - counts[row.at])) end
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

-- The subject under other terms: what both count goes on; whether that is all of it.
local function carried_over(before, kind, name, terms, clock)
  local limits = terms.limits
  local counts, columns, complete = {clock.ms, clock.day, clock.month, 0}, {}, before ~= nil
  for place = FIRST, limits.width do counts[place] = 0 end
  local was = {}
  for _, row in ipairs(before and before.limits.counters or {}) do was[row.field] = row end
  for _, row in ipairs(limits.counters) do
    local old = was[row.field]
    complete = complete and old ~= nil
    for offset = 0, old and (row.period == 'minute' and OPEN or 0) or -1 do
      counts[row.at + offset] = before.counts[old.at + offset]
    end
    if old and row.column then columns[row.column] = old.column end
  end
  local subject = {name = name, kind = kind, scope = SCOPES[kind], terms = terms, limits = limits, counts = counts}
  local slots = {}
  if before then
    counts[DAY], counts[MONTH] = before.counts[DAY], before.counts[MONTH]
    each_slot(before, clock.second - SPAN + 1, clock.second - 1, function(slot)
      local moved = {slot[1]}
      for column = 1, #limits.windows do moved[column + 1] = columns[column] and slot[columns[column] + 1] or 0 end
      slots[#slots + 1] = moved
    end)
  end
  redis.call('DEL', ring_of(subject))
  if #limits.windows > 0 and #slots > 0 then
    for _, slot in ipairs(slots) do
      redis.call('SETRANGE', ring_of(subject), slot_at(subject, slot[1]), struct.pack(limits.slot, unpack(slot)))
    end
    redis.call('EXPIRE', ring_of(subject), 2 * SPAN)
  end
  return subject, complete
end

-- KEYS[1] partition. ARGV: tenant, kind (t k u), id, epoch, compile number, version, flags, price list, limits, budgets,
-- position, a tenant's plan and its version, then for each measure of the ledger five items: its letter, and what was
-- used in the last minute, day, month and in all (b: in all). OK, or AGAIN: the tenant was invalidated, or the server
-- started anew, meanwhile.
local function compile(keys, argv)
  local partition, tenant, kind, id = keys[1], argv[1], argv[2], argv[3]
  local name = name_of(partition, kind, tenant, id)
  local found = redis.call('MGET', partition .. ':head', name_of(partition, 't', tenant, '') .. ':number', name, name .. ':counts')
  local head = read_head(found[1] or '')
  if not head.is_open or head.epoch ~= argv[4] or (found[2] or '0') ~= argv[5] then return {'AGAIN'} end
  check_names(argv[9])
  check_names(argv[10])
  local before = subject_of(kind, name, found[3], found[4])
  local version, own = amount(argv[6]), argv[9]
  local known = found[3] and read_terms(found[3])
  if known and known.version > version then version, own = known.version, known.own end
  local clock = brought_up({before})
  local written = cmsgpack.pack(version, own, argv[10], argv[4], argv[5], argv[7], argv[8], argv[12], amount(argv[13]))
  local subject, complete = carried_over(before, kind, name, read_terms(written), clock)
  if not complete or before.terms.epoch ~= argv[4] then
    local wanted = {tenant = tenant, kind = kind, id = id, position = argv[11], prices = argv[8]}
    rebuild(partition, head, subject, read_tally(argv, 14), wanted, clock, before ~= nil)
  end
  redis.call('SET', name, written, 'EX', IDLE_SECONDS)
  save(subject)
  return {'OK'}
end

-- KEYS[1] partition. ARGV: tenant. The epoch ('' if the partition is not open) and the tenant's compile number, which
-- `compile` wants back: read both before what is compiled.
local function opening(keys, argv)
  local head = head_of(keys[1])
  return {head.is_open and head.epoch or '', redis.call('GET', name_of(keys[1], 't', argv[1], '') .. ':number') or '0'}
end

-- KEYS[1] partition. ARGV: tenant. Everything that was compiled for the tenant, its keys and users is compiled anew
-- before the next admission.
local function invalidate(keys, argv)
  local name = name_of(keys[1], 't', argv[1], '') .. ':number'
  redis.call('INCR', name)
  redis.call('EXPIRE', name, IDLE_SECONDS)
  return {'OK'}
end

-- KEYS[1] partition. ARGV: plan, version. Every tenant on an older version of the plan is compiled anew before its next
-- admission.
local function set_plan(keys, argv)
  local head = head_of(keys[1])
  local plans = {[argv[1]] = amount(argv[2])}
  for plan, version in pairs(head.plans) do plans[plan] = plans[plan] or version end
  write_head(keys[1], {epoch = head.epoch, plans = plans, generation = head.generation})
  return {'OK'}
end

-- KEYS[1] partition. ARGV: the last entry that the ledger has of the stream (or 0-0). Entries to come get greater ids,
-- however the clock is set. The epoch.
local function open(keys, argv)
  local partition = keys[1]
  local head = head_of(partition)
  if head.is_open then return head.epoch end
  local ms, sequence = string.match(argv[1], '^(%d+)-(%d+)$')
  if store_ms() <= tonumber(ms) then
    redis.pcall('XADD', partition .. ':events', ms .. '-' .. text(tonumber(sequence) + 1), 'kind', 'mark')
  end
  local epoch = run .. ':' .. text(redis.call('INCR', partition .. ':epochs'))
  write_head(partition, {epoch = epoch, plans = head.plans, generation = head.generation})
  return epoch
end

-- KEYS[1] partition. ARGV: list, and as one text a line for each price: `provider|model|unit` (`|model|unit`: at most,
-- whoever provides it), a tab, nano-dollars per million, then ` from=rate` for each tier. Replaces the list.
local function set_prices(keys, argv)
  local partition, name, flat = keys[1], keys[1] .. ':rates:' .. argv[1], {}
  redis.call('DEL', name)
  for price, rate, tiers in string.gmatch(argv[2], '([^\t\n]+)\t(%d+)([ =%d]*)\n') do
    flat[#flat + 1] = price
    flat[#flat + 1] = text(amount(rate)) .. tiers
    if #flat == PRICES_AT_ONCE then
      redis.call('HSET', name, unpack(flat))
      flat = {}
    end
  end
  if #flat > 0 then redis.call('HSET', name, unpack(flat)) end
  local head = head_of(partition)
  local generation = redis.sha1hex(argv[1] .. '\n' .. (head.generation or '') .. '\n' .. argv[2])
  write_head(partition, {epoch = head.epoch, plans = head.plans, generation = generation})
  return {'OK'}
end
