#!lua name=aisp_meter_v1

-- The meter: admits work against every limit of a tenant and a key at once, all or nothing, and settles it.
-- Contract: protos/aisp/usage/v1/METER.md. All keys of a call share the hash tag of the tenant's partition.
-- Times are the store's; amounts are integers, formatted with %.0f (Lua would write 1e14 as "1e+14").

local MAX = 9007199254740992 -- 2^53: beyond it a double skips integers
local SPAN = 61 -- one-second buckets counted: 60 of them would let 112 of 100 pass in some 60 s
local STATE_SECONDS = 90000
local TOMBSTONE_SECONDS = 86400
local UNTOLD_SHARE = 4 -- an output that nobody bounded reserves at most a quarter of a minute's tokens

-- name, kind, field: how each limit is counted
local LIMITS = {
  {'requests_per_minute', 'window', 'r'},
  {'tokens_per_minute', 'window', 'k'},
  {'requests_per_day', 'day', 'dr'},
  {'tokens_per_day', 'day', 'dk'},
  {'concurrent_requests', 'live', 'live'},
  {'storage_bytes', 'gauge', 'bytes'},
  {'management_requests_per_minute', 'window', 'm'},
}

local function text(number) return string.format('%.0f', number) end

local function amount(value)
  local number = tonumber(value)
  if not number or number ~= math.floor(number) or math.abs(number) > MAX then
    error({err = 'ERR amount out of range: ' .. tostring(value)})
  end
  return number
end

local function flat_to_map(flat)
  local map = {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

-- A subject is a tenant or a key: its compiled limits, its state, its buckets.
local function load_subject(prefix, scope, clock)
  local subject = {prefix = prefix, scope = scope, state = flat_to_map(redis.call('HGETALL', prefix .. ':s'))}
  subject.limits = flat_to_map(redis.call('HGETALL', prefix .. ':l'))
  local seen = tonumber(subject.state.t) or 0
  if seen > clock.ms then clock.ms = seen end -- a failover may step the clock back; the meter's does not
  return subject
end

local function number_in(subject, field) return tonumber(subject.state[field]) or 0 end

-- Drops the buckets that have left the window out of the running sum.
local function advance(subject, window, second)
  local low = tonumber(subject.state[window .. 'lo'])
  local first = second - SPAN + 1
  if not low or low >= first then return end
  local sum = number_in(subject, window .. 'sum')
  if second - low > 2 * SPAN then
    sum = 0
    local gone = {}
    for _, field in ipairs(redis.call('HKEYS', subject.prefix .. ':w')) do
      if string.sub(field, 1, 1) == window then gone[#gone + 1] = field end
    end
    if #gone > 0 then redis.call('HDEL', subject.prefix .. ':w', unpack(gone)) end
  else
    for bucket = low, first - 1 do
      local held = redis.call('HGET', subject.prefix .. ':w', window .. text(bucket))
      if held then
        sum = sum - tonumber(held)
        redis.call('HDEL', subject.prefix .. ':w', window .. text(bucket))
      end
    end
  end
  subject.state[window .. 'sum'] = text(sum)
  subject.state[window .. 'lo'] = text(first)
end

local function prepare(subject, clock)
  local second = math.floor(clock.ms / 1000)
  local day = text(math.floor(second / 86400))
  for _, window in ipairs({'r', 'k', 'm'}) do advance(subject, window, second) end
  if subject.state.day ~= day then
    subject.state.day = day
    subject.state.dr = '0'
    subject.state.dk = '0'
  end
  subject.state.bytes = redis.call('GET', subject.prefix .. ':b') or '0'
  subject.state.t = text(clock.ms)
end

local function used(subject, kind, field)
  if kind == 'window' then return number_in(subject, field .. 'sum') end
  return number_in(subject, field)
end

-- Milliseconds until `need` more fit under the limit of a window.
local function wait_in_window(subject, field, limit, need, ms)
  local over = number_in(subject, field .. 'sum') + need - limit
  local second = math.floor(ms / 1000)
  for bucket = second - SPAN + 1, second do
    over = over - (tonumber(redis.call('HGET', subject.prefix .. ':w', field .. text(bucket))) or 0)
    if over <= 0 then return (bucket + SPAN) * 1000 - ms end
  end
  return SPAN * 1000
end

local function until_midnight(ms) return 86400000 - ms % 86400000 end

local function reset_ms(subject, kind, field, ms)
  if kind == 'day' then return until_midnight(ms) end
  if kind ~= 'window' then return 0 end
  local newest = tonumber(subject.state[field .. 'hi'])
  if number_in(subject, field .. 'sum') <= 0 or not newest then return 0 end
  return math.max(0, (newest + SPAN) * 1000 - ms)
end

local function costs_of(class, counts, tokens, bytes)
  local requests = counts and 1 or 0
  if class == 'management' then return {m = 1} end
  if class == 'effect' then return {m = 1, bytes = bytes} end
  return {r = requests, dr = requests, k = tokens, dk = tokens, live = requests, bytes = bytes}
end

-- Appends to `answer`: scope, name, limit, used, wait or reset in ms.
local function report(answer, subject, ms, only_bound, costs)
  local bound = false
  for _, row in ipairs(LIMITS) do
    local name, kind, field = row[1], row[2], row[3]
    local limit = tonumber(subject.limits[name])
    if limit then
      local spent, cost = used(subject, kind, field), costs and costs[field] or 0
      local binds = costs and cost > 0 and spent + cost > limit
      if binds or not only_bound then
        local wait = reset_ms(subject, kind, field, ms)
        if binds and kind == 'window' then wait = wait_in_window(subject, field, limit, cost, ms) end
        answer[#answer + 1] = subject.scope
        answer[#answer + 1] = name
        answer[#answer + 1] = text(limit)
        answer[#answer + 1] = text(spent)
        answer[#answer + 1] = text(wait)
      end
      bound = bound or binds
    end
  end
  return bound
end

local function save(subject)
  local flat = {}
  for field, value in pairs(subject.state) do
    if field ~= 'bytes' then flat[#flat + 1] = field; flat[#flat + 1] = value end
  end
  redis.call('HSET', subject.prefix .. ':s', unpack(flat))
  redis.call('EXPIRE', subject.prefix .. ':s', STATE_SECONDS)
end

local function add_to_window(subject, window, second, delta)
  if delta == 0 then return end
  redis.call('HINCRBY', subject.prefix .. ':w', window .. text(second), text(delta))
  redis.call('EXPIRE', subject.prefix .. ':w', 2 * SPAN)
  subject.state[window .. 'sum'] = text(number_in(subject, window .. 'sum') + delta)
  if not subject.state[window .. 'lo'] then subject.state[window .. 'lo'] = text(second) end
  local newest = tonumber(subject.state[window .. 'hi']) or 0
  if second > newest then subject.state[window .. 'hi'] = text(second) end
end

local function add_bytes(subject, delta)
  if delta == 0 then return end
  local bytes = math.max(0, number_in(subject, 'bytes') + delta)
  subject.state.bytes = text(bytes)
  redis.call('SET', subject.prefix .. ':b', text(bytes))
end

local function charge(subject, costs, second)
  for _, window in ipairs({'r', 'k', 'm'}) do add_to_window(subject, window, second, costs[window] or 0) end
  for _, field in ipairs({'dr', 'dk', 'live'}) do
    if (costs[field] or 0) ~= 0 then subject.state[field] = text(number_in(subject, field) + costs[field]) end
  end
  add_bytes(subject, costs.bytes or 0)
end

local function store_clock()
  local time = redis.call('TIME')
  return {ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)}
end

local function subjects_of(partition, tenant, key, clock)
  local found = {load_subject(partition .. ':t:' .. tenant, 'tenant', clock)}
  if key ~= '' then found[2] = load_subject(partition .. ':k:' .. key, 'key', clock) end
  for _, subject in ipairs(found) do prepare(subject, clock) end
  return found
end

-- KEYS[1] partition prefix. ARGV: tenant, tenant version, key, key version, lease, class, counts (0|1), input tokens,
-- output tokens, output is a bound (0|1), storage bytes, lease ms, descriptor, fallback lines.
local function reserve(keys, argv)
  local partition, tenant, key, lease, class = keys[1], argv[1], argv[3], argv[5], argv[6]
  local clock = store_clock()
  local subjects = subjects_of(partition, tenant, key, clock)
  if (tonumber(subjects[1].limits.v) or -1) < amount(argv[2]) then return {'NEED_LIMITS', 'tenant'} end
  if subjects[2] and amount(argv[4]) > 0 and (tonumber(subjects[2].limits.v) or -1) < amount(argv[4]) then
    return {'NEED_LIMITS', 'key'}
  end
  local input, output, bytes = amount(argv[8]), amount(argv[9]), amount(argv[11])
  local per_minute = tonumber(subjects[1].limits.tokens_per_minute)
  if argv[10] == '0' and per_minute then output = math.min(output, math.floor(per_minute / UNTOLD_SHARE)) end
  local costs = costs_of(class, argv[7] == '1', input + output, bytes)
  local refused, any = {'LIMITED'}, false
  for _, subject in ipairs(subjects) do any = report(refused, subject, clock.ms, true, costs) or any end
  if any then
    local all = {}
    for _, subject in ipairs(subjects) do report(all, subject, clock.ms, false, nil) end
    table.insert(refused, 2, text((#refused - 1) / 5))
    for _, item in ipairs(all) do refused[#refused + 1] = item end
    return refused
  end
  local second = math.floor(clock.ms / 1000)
  if class ~= 'management' then
    local name = partition .. ':lease:' .. lease
    if redis.call('EXISTS', name) == 1 then return {'DUPLICATE'} end
    local expires = clock.ms + amount(argv[12])
    redis.call('HSET', name, 'state', 'live', 'tenant', tenant, 'key', key, 'class', class, 'counts', argv[7],
      'tokens', text(costs.k or 0), 'input', text(input), 'bytes', text(bytes), 'second', text(second),
      'day', subjects[1].state.day, 'descriptor', argv[13], 'fallback', argv[14])
    redis.call('ZADD', partition .. ':live', text(expires), lease)
    redis.call('HINCRBY', partition .. ':books', 'admitted', 1)
  end
  local answer = {'OK'}
  for _, subject in ipairs(subjects) do
    charge(subject, costs, second)
    save(subject)
    report(answer, subject, clock.ms, false, nil)
  end
  return answer
end

-- Makes the counters say `tokens` and `bytes` instead of what they hold for the lease.
local function correct(partition, lease, tokens, bytes, forgive_request, release, clock)
  local second = math.floor(clock.ms / 1000)
  for _, subject in ipairs(subjects_of(partition, lease.tenant, lease.key, clock)) do
    local delta = tokens - tonumber(lease.tokens)
    local bucket = tonumber(lease.second)
    if lease.class == 'ai' or lease.class == 'job' then
      if delta > 0 then
        add_to_window(subject, 'k', second, delta)
      elseif bucket > second - SPAN then
        add_to_window(subject, 'k', bucket, delta)
      end
      if delta > 0 or lease.day == subject.state.day then
        subject.state.dk = text(number_in(subject, 'dk') + delta)
      end
      if forgive_request and lease.counts == '1' then
        if bucket > second - SPAN then add_to_window(subject, 'r', bucket, -1) end
        if lease.day == subject.state.day then subject.state.dr = text(number_in(subject, 'dr') - 1) end
      end
      if release and lease.counts == '1' then subject.state.live = text(math.max(0, number_in(subject, 'live') - 1)) end
    end
    add_bytes(subject, bytes - tonumber(lease.bytes))
    save(subject)
  end
end

local function append_event(partition, id, kind, status, lease, lines, prior, ms)
  redis.call('XADD', partition .. ':events', '*', 'id', id, 'kind', kind, 'status', status, 'tenant', lease.tenant,
    'key', lease.key, 'class', lease.class, 'counts', lease.counts, 'descriptor', lease.descriptor, 'lines', lines,
    'prior', prior, 'at', text(ms))
end

local function bury(partition, id, lease, state, tokens, bytes, lines)
  local name = partition .. ':lease:' .. id
  redis.call('DEL', name)
  redis.call('HSET', name, 'state', state, 'tenant', lease.tenant, 'key', lease.key, 'class', lease.class,
    'counts', lease.counts, 'tokens', text(tokens), 'bytes', text(bytes), 'second', lease.second, 'day', lease.day,
    'descriptor', lease.descriptor, 'lines', lines)
  redis.call('EXPIRE', name, TOMBSTONE_SECONDS)
  redis.call('ZREM', partition .. ':live', id)
end

-- KEYS[1] partition prefix. ARGV: lease, tenant, status (settled|partial|replayed), tokens, bytes, lines.
local function settle(keys, argv)
  local partition, id, status = keys[1], argv[1], argv[3]
  local lease = flat_to_map(redis.call('HGETALL', partition .. ':lease:' .. id))
  if not lease.state or lease.tenant ~= argv[2] then return {'CLOSED'} end
  local tokens, bytes, clock = amount(argv[4]), amount(argv[5]), store_clock()
  if lease.state == 'live' then
    correct(partition, lease, tokens, bytes, status == 'replayed', true, clock)
    bury(partition, id, lease, 'settled', tokens, bytes, '')
    redis.call('HINCRBY', partition .. ':books', 'settled', 1)
    append_event(partition, id, 'settle', status, lease, argv[6], '', clock.ms)
    return {'OK'}
  elseif lease.state == 'swept' then
    correct(partition, lease, tokens, bytes, false, false, clock)
    bury(partition, id, lease, 'corrected', tokens, bytes, '')
    redis.call('HINCRBY', partition .. ':books', 'corrected', 1)
    append_event(partition, id, 'correct', status, lease, argv[6], lease.lines or '[]', clock.ms)
    return {'OK'}
  end
  return {'CLOSED'}
end

-- KEYS[1] partition prefix. ARGV: lease, tenant, lease ms, tokens so far, lines so far.
local function checkpoint(keys, argv)
  local name = keys[1] .. ':lease:' .. argv[1]
  local found = redis.call('HMGET', name, 'state', 'tenant')
  if found[1] ~= 'live' or found[2] ~= argv[2] then return {'CLOSED'} end
  if argv[5] ~= '' then redis.call('HSET', name, 'reached', text(amount(argv[4])), 'lines', argv[5]) end
  redis.call('ZADD', keys[1] .. ':live', text(store_clock().ms + amount(argv[3])), argv[1])
  return {'OK'}
end

-- KEYS[1] partition prefix. ARGV: how many leases at most. Settles the expired at their last checkpoint.
local function sweep(keys, argv)
  local partition, clock = keys[1], store_clock()
  local expired = redis.call('ZRANGEBYSCORE', partition .. ':live', '-inf', text(clock.ms), 'LIMIT', 0, amount(argv[1]))
  for _, id in ipairs(expired) do
    local lease = flat_to_map(redis.call('HGETALL', partition .. ':lease:' .. id))
    if lease.state == 'live' then
      local lines = lease.lines or lease.fallback
      local tokens = tonumber(lease.reached) or tonumber(lease.input)
      correct(partition, lease, tokens, 0, false, true, clock)
      bury(partition, id, lease, 'swept', tokens, 0, lines)
      redis.call('HINCRBY', partition .. ':books', 'abandoned', 1)
      append_event(partition, id, 'sweep', 'abandoned', lease, lines, '', clock.ms)
    else
      redis.call('ZREM', partition .. ':live', id)
    end
  end
  return #expired
end

-- KEYS[1] partition prefix. ARGV: t|k, id, version, then names and limits. Replaces an older version only.
local function limits_set(keys, argv)
  local name = keys[1] .. ':' .. argv[1] .. ':' .. argv[2] .. ':l'
  if (tonumber(redis.call('HGET', name, 'v')) or -1) > amount(argv[3]) then return {'NEWER'} end
  redis.call('DEL', name)
  local flat = {'v', text(amount(argv[3]))}
  for i = 4, #argv, 2 do
    flat[#flat + 1] = argv[i]
    flat[#flat + 1] = text(amount(argv[i + 1]))
  end
  redis.call('HSET', name, unpack(flat))
  return {'OK'}
end

-- KEYS[1] partition prefix. ARGV: tenant, key. Tells scope, name, limit, used, reset for each limit.
local function limits_state(keys, argv)
  local clock, answer = store_clock(), {}
  for _, subject in ipairs(subjects_of(keys[1], argv[1], argv[2], clock)) do
    report(answer, subject, clock.ms, false, nil)
    save(subject)
  end
  return answer
end

-- KEYS[1] partition prefix. Tells admitted, settled, abandoned, live.
local function books(keys)
  local found = redis.call('HMGET', keys[1] .. ':books', 'admitted', 'settled', 'abandoned')
  return {tonumber(found[1]) or 0, tonumber(found[2]) or 0, tonumber(found[3]) or 0,
    redis.call('ZCARD', keys[1] .. ':live')}
end

redis.register_function{function_name = 'aisp_v1_reserve', callback = reserve}
redis.register_function{function_name = 'aisp_v1_settle', callback = settle, flags = {'allow-oom'}}
redis.register_function{function_name = 'aisp_v1_checkpoint', callback = checkpoint, flags = {'allow-oom'}}
redis.register_function{function_name = 'aisp_v1_sweep', callback = sweep, flags = {'allow-oom'}}
redis.register_function{function_name = 'aisp_v1_limits_set', callback = limits_set}
redis.register_function{function_name = 'aisp_v1_limits_state', callback = limits_state, flags = {'allow-oom'}}
redis.register_function{function_name = 'aisp_v1_books', callback = books, flags = {'no-writes'}}
