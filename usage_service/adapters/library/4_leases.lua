-- Leases: what was admitted and has not ended. A lease ends once, and each end appends one event to the partition's
-- stream. Nothing is answered by a server that has started anew until the usage service has opened the partition.
-- Those that live stand in one hash of the partition, each as one text; what was swept, for a day under a name of its own.

local SWEPT_SECONDS = 86400 -- so long a late settlement corrects a swept lease
local ENDED_SECONDS = 300 -- leases that were admitted or ended are known by name for one to two of these
local UNTOLD_SHARE = 4 -- an output that nobody bounded reserves at most a quarter of a limit

local function swept_name(partition, id) return partition .. ':lease:' .. id end

local function ended_name(partition, second, back)
  return partition .. ':ended:' .. text(math.floor(second / ENDED_SECONDS) - back)
end

local function has_ended(partition, id, second)
  for back = 0, 1 do
    if redis.call('SISMEMBER', ended_name(partition, second, back), id) == 1 then return true end
  end
  return false
end

-- A span's names go by themselves. It is told so by the first name that this process puts there, and, since a store can
-- be emptied under it, now and then again.
local TOLD_EVERY = 32
local told_of, told_ago = {}, 0

-- False if it is known in this span already.
local function make_known(partition, id, second)
  local name = ended_name(partition, second, 0)
  if redis.call('SADD', name, id) == 0 then return false end
  told_ago = (told_ago + 1) % TOLD_EVERY
  if told_of[partition] ~= name or told_ago == 0 then
    redis.call('EXPIRE', name, 2 * ENDED_SECONDS)
    told_of[partition] = name
  end
  return true
end

-- The time at which it expires comes first: the sweeper reads no more of most.
local function write_lease(lease)
  local amounts = lease.amounts
  return cmsgpack.pack(lease.expires, lease.tenant, lease.key, lease.user, lease.class, lease.second, lease.day,
    lease.month, lease.descriptor, lease.fallback, lease.lines, amounts.r or 0, amounts.k or 0, amounts.c or 0,
    amounts.a or 0, amounts['$'] or 0, amounts.m or 0, amounts.n or 0, amounts.b or 0)
end

local function read_lease(written)
  local found = {cmsgpack.unpack(written)}
  return {
    expires = found[1], tenant = found[2], key = found[3], user = found[4], class = found[5], second = found[6],
    day = found[7], month = found[8], descriptor = found[9], fallback = found[10], lines = found[11],
    amounts = {r = found[12], k = found[13], c = found[14], a = found[15], ['$'] = found[16], m = found[17],
      n = found[18], b = found[19]},
  }
end

local function leases_of(partition) return partition .. ':leases' end

local function load_lease(partition, id)
  local written = redis.call('HGET', leases_of(partition), id)
  return written and read_lease(written)
end

local function load_swept(partition, id)
  local written = redis.call('GET', swept_name(partition, id))
  local lease = written and read_lease(written)
  if lease then lease.swept = true end
  return lease
end

-- Those of tenant, key and user that are compiled: they count.
local function counting(found)
  local subjects = {}
  if found.t then subjects[1] = found.t end
  if found.k then subjects[#subjects + 1] = found.k end
  if found.u then subjects[#subjects + 1] = found.u end
  return subjects
end

-- The list of prices by which money is counted, where some limit counts it.
local function money_list(found, subjects)
  for _, subject in ipairs(subjects) do
    if subject.limits.money then return found.t and found.t.terms.prices or 'standard' end
  end
  return nil
end

-- Subjects as `reserve` needs them, or nil and whose limits are missing.
local function standing(asked, found)
  local head, number = found.head, found.number
  if not head.is_open then return nil, 'partition' end
  local tenant = found.t
  local terms = tenant and tenant.terms
  if not (terms and terms.epoch == head.epoch and terms.compiled == number and terms.version >= asked.version) then
    return nil, 'tenant'
  end
  -- A plan is edited for all of its tenants by one number: each is compiled anew when it next asks.
  if (head.plans[terms.plan] or 0) > terms.plan_version then return nil, 'tenant' end
  local subjects, flags = {tenant}, terms.flags
  if asked.key ~= '' and (asked.key_version > 0 or flags.k) then
    local key = found.k and found.k.terms
    if not (key and key.epoch == head.epoch and key.compiled == number and key.version >= asked.key_version) then
      return nil, 'key'
    end
    subjects[2] = found.k
  end
  if asked.user ~= '' and flags.u then
    local user = found.u and found.u.terms
    if not (user and user.epoch == head.epoch and user.compiled == number) then return nil, 'user' end
    subjects[#subjects + 1] = found.u
  end
  return subjects
end

-- Who has no limits any more counts no more: what it would miss, it gets from the ledger when it next has some.
local function forget_others(found, subjects)
  local kept = {}
  for _, subject in ipairs(subjects) do kept[subject] = true end
  for _, kind in ipairs({'k', 'u'}) do
    local subject = found[kind]
    if subject and not kept[subject] then redis.call('DEL', subject.name, subject.name .. ':counts') end
  end
end

-- Amounts to reserve. What nobody bounded is estimated at a share of the limits at most: a client that omits
-- max_tokens is not refused for it.
local function estimate(partition, asked, found, subjects)
  if asked.class == 'management' then return {m = 1} end
  if asked.class == 'effect' then return {m = 1, b = asked.bytes} end
  local output, list, untold = asked.output, money_list(found, subjects), not asked.bounded
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
    local context = MAY_READ * asked.input
    costs['$'] = estimate_cost(partition, found.head, list, asked.model, known, context)
    if untold then
      local more = estimate_cost(partition, found.head, list, asked.model, {output = output}, context)
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

-- Rows of the limits that `costs` do not fit into, with the time until they do; how many.
local function binding(subjects, costs, clock)
  local rows, size = {}, 0
  for _, subject in ipairs(subjects) do
    for _, row in ipairs(subject.limits) do
      if binds(subject, row, costs) then
        local wait = row.period == 'minute' and wait_in_window(subject, row, costs[row.measure], clock)
          or until_free(subject, row, clock)
        size = report(rows, size, subject, row, wait)
      end
    end
  end
  return rows, size / 5
end

local ROOM = 10 -- calls

-- Whether, with `costs` charged, so many calls like it would be admitted, and all that its end will change is tokens: who
-- ends it then need not wait until that is known here, and knows what is left without being told. Money is known here only.
local function leaves_room(subjects, costs)
  if (costs.k or 0) == 0 or costs.c > 0 or costs.a > 0 or costs.b > 0 then return false end
  for _, subject in ipairs(subjects) do
    if subject.limits.money then return false end
    for _, row in ipairs(subject.limits) do
      if not row.soft and subject.counts[row.at] + ROOM * (costs[row.measure] or 0) > row.bound then return false end
    end
  end
  return true
end

-- False if the id is known.
local function open_lease(partition, asked, costs, clock)
  if redis.call('SISMEMBER', ended_name(partition, clock.second, 1), asked.lease) == 1 then return false end
  if not make_known(partition, asked.lease, clock.second) then return false end
  local lease = {
    expires = clock.ms + asked.lease_ms, tenant = asked.tenant, key = asked.key, user = asked.user, class = asked.class,
    second = clock.second, day = clock.day, month = clock.month, descriptor = asked.descriptor,
    fallback = asked.fallback, lines = '', amounts = costs,
  }
  if redis.call('HSETNX', leases_of(partition), asked.lease, write_lease(lease)) == 0 then return false end
  redis.call('HINCRBY', partition .. ':books', 'admitted', 1)
  return true
end

-- Makes the counters of a lease's subjects say what its lines (and, with `fee`, its request) come to; what that is, by
-- measure.
local function count_lines(partition, found, lease, lines, keep, fee)
  local subjects = counting(found)
  local clock = brought_up(subjects)
  local after = sum_lines(partition, found.head, lines, money_list(found, subjects), fee)
  for measure, value in pairs(keep) do after[measure] = value end
  for _, subject in ipairs(subjects) do recount(subject, lease.amounts, after, lease, clock) end
  save_all(subjects)
  return after, clock, subjects
end

local function read_subjects(partition, lease) return read_all(partition, lease.tenant, lease.key, lease.user) end

local function append_event(partition, id, kind, status, lease, lines, prior, clock)
  return redis.call('XADD', partition .. ':events', '*', 'id', id, 'kind', kind, 'status', status, 'tenant', lease.tenant,
    'key', lease.key, 'user', lease.user, 'class', lease.class, 'counts', text(lease.amounts.r or 0),
    'day', text(lease.day), 'month', text(lease.month), 'descriptor', lease.descriptor, 'lines', lines, 'prior', prior,
    'at', text(clock.ms))
end

-- Ends a live lease, or corrects a swept one; the event's entry, the subjects that counted it, and the time.
local function end_lease(partition, found, id, lease, status, lines)
  local swept, admitted = lease.swept, lease.amounts
  local requests = status == 'replayed' and not swept and 0 or admitted.r
  local keep, fee = {r = requests, n = 0, m = admitted.m}, status ~= 'replayed' and requests > 0
  local _, clock, subjects = count_lines(partition, found, lease, lines, keep, fee)
  if swept then redis.call('DEL', swept_name(partition, id))
  else redis.call('HDEL', leases_of(partition), id) end
  -- It is known by name since it was admitted: of a long one that is forgotten.
  if swept or math.floor(lease.second / ENDED_SECONDS) ~= math.floor(clock.second / ENDED_SECONDS) then
    make_known(partition, id, clock.second)
  end
  redis.call('HINCRBY', partition .. ':books', swept and 'corrected' or 'settled', 1)
  local kind = swept and 'correct' or 'settle'
  return append_event(partition, id, kind, status, lease, lines, lease.lines, clock), subjects, clock
end

local function sweep_lease(partition, id, lease)
  local lines = lease.lines ~= '' and lease.lines or lease.fallback ~= '' and lease.fallback or '[]'
  local keep = {r = lease.amounts.r, n = 0, m = lease.amounts.m}
  local after, clock = count_lines(partition, read_subjects(partition, lease), lease, lines, keep)
  lease.lines, lease.fallback, lease.amounts = lines, '', after
  redis.call('SET', swept_name(partition, id), write_lease(lease), 'EX', SWEPT_SECONDS)
  redis.call('HDEL', leases_of(partition), id)
  redis.call('HINCRBY', partition .. ':books', 'abandoned', 1)
  append_event(partition, id, 'sweep', 'abandoned', lease, lines, '', clock)
end
