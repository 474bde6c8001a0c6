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
