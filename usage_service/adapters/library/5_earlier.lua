-- What revisions before the fifth left in the store: until then a lease was a hash of its own, and a sorted set had the
-- times of those that live. Counters need nothing: they are compiled anew, out of the ledger, before the next admission.
-- It goes with the next version.

local function earlier_lease(partition, id)
  local found = redis.pcall('HGETALL', swept_name(partition, id))
  if found.err or #found == 0 then return nil end
  found = to_map(found)
  local lease = {
    expires = 0, tenant = found.tenant, key = found.key, user = found.user, class = found.class,
    second = tonumber(found.second), day = tonumber(found.day), month = tonumber(found.month),
    descriptor = found.descriptor, fallback = found.fallback or '', lines = found.lines or '', amounts = {},
    swept = found.state == 'swept',
  }
  for _, measure in ipairs(MEASURES) do lease.amounts[measure] = tonumber(found[measure]) or 0 end
  return lease
end

-- Takes live leases, and what was swept and may still be corrected, into the present form. While a partition is opened.
local function take_over(partition)
  local live = redis.call('ZRANGE', partition .. ':live', 0, -1, 'WITHSCORES')
  for i = 1, #live, 2 do
    local lease = earlier_lease(partition, live[i])
    if lease then
      lease.expires = tonumber(live[i + 1])
      redis.call('HSET', leases_of(partition), live[i], write_lease(lease))
      make_known(partition, live[i], math.floor(store_ms() / 1000))
      redis.call('DEL', swept_name(partition, live[i]))
    end
  end
  redis.call('DEL', partition .. ':live', partition .. ':epoch', partition .. ':plans')
end

local function load_earlier(partition, id)
  local lease = earlier_lease(partition, id)
  return lease and lease.swept and lease or nil
end
