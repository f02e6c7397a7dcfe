-- Notes that the first message is about to be sent. ARGV: lane, fence.
local lane = ARGV[2]
if not held(ox, lane, ARGV[3]) then return 0 end -- check: begin-fence
local list = call('HGET', ogu, lane) and qurgent or qout
local first = call('LINDEX', list, 0)
if not first then return 0 end
if string.sub(first, 3, 3) == 's' and string.sub(first, 1, 1) ~= 'b' then mark(list, 'b', false, 0) end -- check: begin-note
return 1
