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
