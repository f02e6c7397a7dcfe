-- Reads an outbox for its new holder. ARGV: lane, fence, messages of a turn.
local lane, most = ARGV[2], tonumber(ARGV[4])
if not held(ox, lane, ARGV[3]) then return { {}, {} } end -- check: load-out-fence
local doubt = call('HGET', odoubt, lane)
if doubt then
  local list = doubt == 'u' and qurgent or qout
  local first = call('LINDEX', list, 0)
  -- Begun, or of the kind that is begun without a note.
  if first and (string.sub(first, 1, 1) == 'b' or string.sub(first, 3, 3) == 'r') then mark(list, '-', true, 0) end
  call('HDEL', odoubt, lane)
end
local urgent = call('LRANGE', qurgent, 0, most - 1)
local others = #urgent < most and call('LRANGE', qout, 0, most - #urgent - 1) or {}
if #urgent > 0 then call('HSET', ogu, lane, #urgent) end
return { urgent, others }
