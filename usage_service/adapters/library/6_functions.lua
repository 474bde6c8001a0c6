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
local function is_unpriced(partition, asked, found, subjects)
  if asked.model == '' or (asked.class ~= 'ai' and asked.class ~= 'job') then return false end
  local terms = subjects[1].terms
  local wanted = terms.flags.p
  for _, subject in ipairs(subjects) do wanted = wanted or subject.limits.hard_money end
  return wanted and not has_price(partition, found.head, terms.prices, asked.model)
end

local function refusal(word, rows, count, subjects, clock)
  local answer = {word, count, unpack(rows)}
  report_all(answer, subjects, clock)
  save_steps(subjects)
  return answer
end

-- KEYS[1] partition. ARGV: see read_request, then 1 to be told, before the rows, how many tokens are reserved, or -1 where
-- they do not leave room (see leaves_room).
local function reserve(keys, argv)
  local partition, asked = keys[1], read_request(argv)
  local found = read_all(partition, asked.tenant, asked.key, asked.user, swept_name(partition, asked.lease))
  local subjects, missing = standing(asked, found)
  if not subjects then return {'NEED_LIMITS', missing} end
  if is_unpriced(partition, asked, found, subjects) then return {'UNPRICED'} end
  local clock = brought_up(subjects)
  local costs = estimate(partition, asked, found, subjects)
  local refused, count = binding(subjects, costs, clock)
  if count > 0 then return refusal('LIMITED', refused, count, subjects, clock) end
  if asked.class ~= 'management' and (found.more or not open_lease(partition, asked, costs, clock)) then
    save_steps(subjects)
    return {'DUPLICATE'}
  end
  for _, subject in ipairs(subjects) do charge(subject, costs, clock.second) end
  save_all(subjects)
  forget_others(found, subjects)
  local answer = {'OK'}
  if argv[19] == '1' then answer[2] = leaves_room(subjects, costs) and costs.k or -1 end
  return report_all(answer, subjects, clock)
end

-- KEYS[1] partition. ARGV: as for reserve. What reserve would answer, and the estimated cost; admits and counts nothing.
local function preview(keys, argv)
  local partition, asked = keys[1], read_request(argv)
  local found = read_all(partition, asked.tenant, asked.key, asked.user)
  local subjects, missing = standing(asked, found)
  if not subjects then return {'NEED_LIMITS', missing} end
  if is_unpriced(partition, asked, found, subjects) then return {'UNPRICED'} end
  local clock = brought_up(subjects)
  local costs = estimate(partition, asked, found, subjects)
  local refused, count = binding(subjects, costs, clock)
  local cost = estimate_cost(partition, found.head, subjects[1].terms.prices, asked.model,
    {input = asked.input, output = asked.output, c = asked.c, a = asked.a, requests = asked.counts and 1 or 0},
    asked.input)
  local answer = {count > 0 and 'LIMITED' or 'OK', cost, count, unpack(refused)}
  save_steps(subjects)
  return report_all(answer, subjects, clock)
end

-- KEYS[1] partition. ARGV: lease, tenant, status (settled, partial, replayed), lines, 1 to be told of the limits. OK, the
-- event's entry, the epoch: who settles keeps it until the ledger has that entry, and settles again if the epoch changes
-- before. Then rows, if they are wanted.
local function settle(keys, argv)
  local partition, id = keys[1], argv[1]
  local lease = load_lease(partition, id) or load_swept(partition, id)
  if lease and lease.tenant == argv[2] then
    local found = read_subjects(partition, lease)
    if not found.head.is_open then return {'NOT_OPEN'} end
    local entry, subjects, clock = end_lease(partition, found, id, lease, argv[3], argv[4])
    local answer = {'OK', entry, found.head.epoch}
    return argv[5] == '1' and report_all(answer, subjects, clock) or answer
  end
  if not head_of(partition).is_open then return {'NOT_OPEN'} end
  if lease or has_ended(partition, id, math.floor(store_ms() / 1000)) then return {'CLOSED'} end
  return {'UNKNOWN'}
end

-- KEYS[1] partition. ARGV: lease, tenant, status, lines, key, user, class, counts, descriptor. Books the settlement of a
-- lease that the store has lost: admitted and settled at once, counted as of now.
local function record(keys, argv)
  local partition, id = keys[1], argv[1]
  local known = load_lease(partition, id) or load_swept(partition, id)
  if known or has_ended(partition, id, math.floor(store_ms() / 1000)) then return settle(keys, argv) end
  local lease = {tenant = argv[2], key = argv[5], user = argv[6], class = argv[7], descriptor = argv[9],
    amounts = {r = 0}, second = 0}
  local found = read_subjects(partition, lease)
  if not found.head.is_open then return {'NOT_OPEN'} end
  local requests = argv[8] == '1' and 1 or 0
  requests = argv[3] == 'replayed' and 0 or requests
  local _, clock = count_lines(partition, found, lease, argv[4], {r = requests}, requests > 0)
  lease.day, lease.month, lease.amounts.r = clock.day, clock.month, argv[8] == '1' and 1 or 0
  make_known(partition, id, clock.second)
  for _, entry in ipairs({'admitted', 'settled', 'recorded'}) do
    redis.call('HINCRBY', partition .. ':books', entry, 1)
  end
  return {'OK', append_event(partition, id, 'settle', argv[3], lease, argv[4], '', clock), found.head.epoch}
end

-- KEYS[1] partition. ARGV: lease, tenant, lease ms, lines so far or ''. What goes beyond the estimate counts at once;
-- EXHAUSTED and rows where a limit does not carry it: the work should end.
local function checkpoint(keys, argv)
  local partition, id = keys[1], argv[1]
  local lease = load_lease(partition, id)
  if not lease or lease.tenant ~= argv[2] then
    if not head_of(partition).is_open then return {'NOT_OPEN'} end
    return {(lease or load_swept(partition, id)) and 'CLOSED' or 'UNKNOWN'}
  end
  local found = read_subjects(partition, lease)
  if not found.head.is_open then return {'NOT_OPEN'} end
  lease.expires = store_ms() + amount(argv[3])
  if argv[4] == '' then
    redis.call('HSET', leases_of(partition), id, write_lease(lease))
    return {'OK'}
  end
  local before = lease.amounts
  local keep = {r = before.r, n = before.n, m = before.m, b = before.b}
  for measure, value in pairs(sum_lines(partition, found.head, argv[4], money_list(found, counting(found)))) do
    if not keep[measure] then keep[measure] = math.max(value, before[measure]) end
  end
  local after, clock, subjects = count_lines(partition, found, lease, '', keep)
  lease.amounts, lease.lines = after, argv[4]
  redis.call('HSET', leases_of(partition), id, write_lease(lease))
  local answer, size = {'EXHAUSTED'}, 1
  for _, subject in ipairs(subjects) do
    for _, row in ipairs(subject.limits) do
      local grown = after[row.measure] and after[row.measure] > (before[row.measure] or 0)
      if grown and not row.soft and subject.counts[row.at] > row.bound then
        size = report(answer, size, subject, row, until_free(subject, row, clock))
      end
    end
  end
  return size > 1 and answer or {'OK'}
end

-- KEYS[1] partition. ARGV: how many at most. Settles expired leases at their last checkpoint; how many.
local function sweep(keys, argv)
  local partition = keys[1]
  local all = redis.call('HGETALL', leases_of(partition))
  if #all == 0 or not head_of(partition).is_open then return 0 end
  local now, expired = store_ms(), {}
  for i = 1, #all, 2 do
    local _, expires = cmsgpack.unpack_one(all[i + 1])
    if expires <= now then expired[#expired + 1] = {id = all[i], written = all[i + 1], expires = expires} end
  end
  table.sort(expired, function(one, other)
    return one.expires < other.expires or (one.expires == other.expires and one.id < other.id)
  end)
  local count = math.min(#expired, amount(argv[1]))
  for i = 1, count do sweep_lease(partition, expired[i].id, read_lease(expired[i].written)) end
  return count
end

-- KEYS[1] partition. ARGV: tenant, key, user. OK and rows, or NEED_LIMITS.
local function limits_state(keys, argv)
  local asked = {tenant = argv[1], version = 0, key = argv[2], key_version = 0, user = argv[3]}
  local found = read_all(keys[1], asked.tenant, asked.key, asked.user)
  local subjects, missing = standing(asked, found)
  if not subjects then return {'NEED_LIMITS', missing} end
  if found.k and subjects[2] ~= found.k then table.insert(subjects, 2, found.k) end
  local clock = brought_up(subjects)
  save_steps(subjects)
  return report_all({'OK'}, subjects, clock)
end

-- KEYS[1] partition. Tells admitted, settled, abandoned, live, recorded.
local function books(keys)
  local found = redis.call('HMGET', keys[1] .. ':books', 'admitted', 'settled', 'abandoned', 'recorded')
  for i = 1, 4 do found[i] = tonumber(found[i]) or 0 end
  return {found[1], found[2], found[3], redis.call('HLEN', leases_of(keys[1])), found[4]}
end

-- KEYS[1] partition. Tells the epoch ('' if not open) and how far the ledger is in the stream.
local function progress(keys)
  local head = head_of(keys[1])
  return {head.is_open and head.epoch or '', redis.call('GET', keys[1] .. ':committed') or '0-0'}
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
