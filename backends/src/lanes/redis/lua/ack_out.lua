-- Acknowledges sends. ARGV: lane, bot, fence, urgent and other messages that the holder was given, sent, dead (none, one,
-- all), reason, detail, chat, cap of dead letters, after (keep, release, delay, flood), until, attempt, lease ms, messages of
-- a turn, latest moment to go on.
local lane, bot = ARGV[2], ARGV[3]
if not held(ox, lane, ARGV[4]) then return { 'FENCED' } end -- check: ack-fence
local urgent, others = tonumber(ARGV[5]), tonumber(ARGV[6])
local sent = math.min(tonumber(ARGV[7]), urgent + others)

-- The holder's order: the urgent messages it was given, the others it was given, then what came since, urgent first.
-- Answers the list whose first message is next.
local function next_list()
  if urgent > 0 then return qurgent end
  if others > 0 then return qout end
  return call('LLEN', qurgent) > 0 and qurgent or qout
end
local function take()
  local list = next_list()
  local message = call('LPOP', list)
  if urgent > 0 then urgent = urgent - 1 elseif others > 0 then others = others - 1 end
  if message then count(ocnt, bot, -1) end
  return message
end

for _ = 1, sent do take() end
if urgent + others > 0 then
  local list = next_list()
  local first = call('LINDEX', list, 0)
  if first and string.sub(first, 1, 1) == 'b' then mark(list, '-', false, 0) end -- check: answered-is-no-doubt
end
local letters = {}
local dead = ARGV[8] == 'all' and call('LLEN', qurgent) + call('LLEN', qout) or (ARGV[8] == 'one' and 1 or 0)
for _ = 1, dead do
  local message = take()
  if not message then break end
  letters[#letters + 1] = bury(dlq, ARGV[12], int(now), ARGV[11], ARGV[9], ARGV[10], tries_of(message),
    message)
end

call('HDEL', odoubt, lane)
call('HDEL', oflood, lane)
if call('LLEN', qurgent) + call('LLEN', qout) == 0 then
  call('ZREM', ox, lane) -- check: ack-place
  call('HDEL', ogu, lane)
  return { 'DONE', letters, 0, 0 }
end
local after = ARGV[13]
if after == 'delay' or after == 'flood' then
  local attempt = tonumber(ARGV[15])
  if attempt > 0 then
    local list = next_list()
    mark(list, string.sub(call('LINDEX', list, 0), 1, 1), false, attempt)
  end
  call('ZREM', ox, lane) -- check: ack-delay-place
  call('HDEL', ogu, lane)
  call('ZADD', odl, stamp(tonumber(ARGV[14])), lane) -- check: ack-delay
  if after == 'flood' then call('HSET', oflood, lane, ARGV[14]) end -- check: ack-flood
  return { 'DONE', letters, 0, 0 }
end
call('HDEL', ogu, lane)
if call('ZSCORE', opark, bot) then after = 'release' end -- check: ack-park
if after == 'keep' and heard(ARGV[18]) then
  local most = tonumber(ARGV[17])
  local first = call('LRANGE', qurgent, 0, most - 1)
  local rest = #first < most and call('LRANGE', qout, 0, most - #first - 1) or {}
  if #first > 0 then call('HSET', ogu, lane, #first) end
  return { 'DONE', letters, 0, lease(ox, lane, tonumber(ARGV[16])), first, rest }
end
call('ZREM', ox, lane) -- check: ack-release-place
queue_out(lane, bot) -- check: ack-ready
return { 'DONE', letters, 1, 0 }
