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
