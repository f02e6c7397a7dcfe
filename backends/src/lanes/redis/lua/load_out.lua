-- Reads an outbox for its new holder. ARGV: lane, fence, messages of a turn.
local lane, most = ARGV[2], tonumber(ARGV[4])
if not held(ox, lane, ARGV[3]) then return { {}, {} } end -- check: load-out-fence
settle_doubt(lane)
local urgent = call('LRANGE', qurgent, 0, most - 1)
local others = #urgent < most and call('LRANGE', qout, 0, most - #urgent - 1) or {}
if #urgent > 0 then call('HSET', ogu, lane, #urgent) end
return { urgent, others }
