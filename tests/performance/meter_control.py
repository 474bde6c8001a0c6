"""The meter's commands without the meter: what a store itself pays for them, so that the rest can be told apart.

The same commands in the same order on as many keys, of the same sizes and with the same times to live, of as many
tenants in as many partitions; nothing is read out of them, counted or decided.
"""

import asyncio
from collections.abc import Sequence

from gateway.limits.resp import RespClient
from usage_service.adapters.valkey import number_of

SOURCE = """#!lua name=meter_control
local function names(partition, tenant)
  local t = partition .. ':t:' .. tenant
  return {partition .. ':head', t .. ':number', t, t .. ':counts'}
end
local function answer(entry)
  local rows = {'OK', entry}
  for i = 1, 30 do rows[i + 2] = i end
  return rows
end
local function write(partition, tenant, counts)
  redis.call('SET', partition .. ':t:' .. tenant .. ':counts', counts, 'EX', 90000)
end
redis.register_function('control_make', function(keys, argv)
  redis.call('SET', keys[1] .. ':head', string.rep('h', 60))
  redis.call('SET', keys[1] .. ':t:' .. argv[1], string.rep('t', 250), 'EX', 90000)
  write(keys[1], argv[1], string.rep('c', 128))
  return 'OK'
end)
redis.register_function('control_reserve', function(keys, argv)
  local p, wanted = keys[1], names(keys[1], argv[1])
  wanted[5] = p .. ':lease:' .. argv[2]
  local found = redis.call('MGET', unpack(wanted))
  redis.call('TIME')
  redis.call('SISMEMBER', p .. ':ended:1', argv[2])
  redis.call('SADD', p .. ':ended:2', argv[2])
  redis.call('HSETNX', p .. ':leases', argv[2], string.rep('l', 200))
  redis.call('HINCRBY', p .. ':books', 'admitted', 1)
  write(p, argv[1], found[4])
  return answer('')
end)
redis.register_function('control_settle', function(keys, argv)
  local p = keys[1]
  redis.call('HGET', p .. ':leases', argv[2])
  local found = redis.call('MGET', unpack(names(p, argv[1])))
  redis.call('TIME')
  write(p, argv[1], found[4])
  redis.call('HDEL', p .. ':leases', argv[2])
  redis.call('HINCRBY', p .. ':books', 'settled', 1)
  local entry = redis.call('XADD', p .. ':events', '*', 'id', argv[2], 'kind', 'settle', 'status', 'settled',
    'tenant', argv[1], 'key', '', 'user', '', 'class', 'ai', 'counts', '1', 'day', '20000', 'month', '24000',
    'descriptor', string.rep('d', 30), 'lines', string.rep('n', 80), 'prior', '', 'at', '1700000000000')
  return answer(entry)
end)
"""


class Control:
    """Calls them as a gateway calls the meter."""

    def __init__(self, resp: RespClient) -> None:
        self._resp = resp

    async def call(self, function: str, tenant: str, *arguments: str) -> None:
        partition = f"c:{{p{number_of(tenant)}}}"
        await self._resp.call("FCALL", "control_" + function, 1, partition, tenant, *arguments)

    async def load(self) -> None:
        await self._resp.call("FUNCTION", "LOAD", "REPLACE", SOURCE)

    async def make(self, tenants: Sequence[str]) -> None:
        await asyncio.gather(*(self.call("make", tenant) for tenant in tenants))
