-- Sizes of a shard. ARGV: lanes of each place whose first update is worth a look.
local most = tonumber(ARGV[2]) - 1
local heads = {}
for _, set in ipairs({ rz, lx, dl }) do
  for _, lane in ipairs(call('ZRANGE', set, 0, most)) do heads[#heads + 1] = lane end
end
return { call('ZCARD', rz), call('ZCARD', lx), call('ZCARD', dl), call('HGETALL', cnt), call('HVALS', ocnt), heads }
