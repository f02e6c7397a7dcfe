-- What all scripts share. Keys are locals with the names of the data model (docs/STORAGE.md); the header that declares
-- them is made by scripts.rs. Lines that end in "check: <name>" are one guard of an invariant: the tests take each away
-- in turn and must notice.
-- ARGV[1]: the moment in ms that a test gives, or '' for the server's clock.
redis.replicate_commands()
local call = redis.call
local now
-- Expiry by Redis must not outrun a test's clock: what counts then is the moment stored in the value.
local grace = 0
if ARGV[1] == '' then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
else
  now = tonumber(ARGV[1])
  grace = 86400000
end

-- Whether a caller still waits: `latest` is the last moment at which it hears the answer. What nobody hears of must not be
-- leased.
local function heard(latest) return now <= tonumber(latest) end

local function int(number) return string.format('%.0f', number) end

-- A moment that is unique in its shard: ms * 4096 plus a counter. Exact in a double until the year 2039.
local function stamp(ms) return ms * 4096 + call('INCR', seq) % 4096 end

local function passed(set) return call('ZRANGEBYSCORE', set, '-inf', '(' .. int((now + 1) * 4096), 'LIMIT', 0, 64) end

local function first_moment(set)
  local first = call('ZRANGE', set, 0, 0, 'WITHSCORES')
  return first[2] and math.floor(tonumber(first[2]) / 4096)
end

-- A name without a colon is no lane; it must not end a script over other lanes.
local function bot_of(lane) return string.sub(lane, 1, (string.find(lane, ':', 1, true) or #lane + 1) - 1) end

-- Start-time fair queueing between bots: a lane gets the tag max(virtual time, finish tag of its bot); the fraction
-- keeps equal tags in the order they came.
local function queue(ready, finish, virtual, lane, bot)
  local tag = math.max(tonumber(call('GET', virtual) or 0), tonumber(call('HGET', finish, bot) or 0))
  call('HSET', finish, bot, int(tag + 1))
  call('ZADD', ready, tag + (call('INCR', seq) % 1048576) / 1048576, lane)
end

-- Turns taken without waiting count only while others wait.
local function charge(bot, turns)
  if turns > 0 and call('ZCARD', rz) > 0 then
    local finish = math.max(tonumber(call('GET', vt) or 0), tonumber(call('HGET', bf, bot) or 0))
    call('HSET', bf, bot, int(finish + turns))
  end
end

-- The token is the lease: its score says who holds the lane and until when. `away`, if given, holds the leases that were
-- taken from who had them: `<lane> <counter>`, by the score under which they would have ended.
local function lease(set, lane, ms, away)
  local before = tonumber(call('ZSCORE', set, lane) or -1)
  local token = stamp(now + ms)
  -- The lease that follows another at once must not look like its renewal.
  if token % 4096 == before % 4096 then token = stamp(now + ms) end -- check: next-lease-differs
  -- Nor like that of a lease that was taken away, as long as that one would have lasted.
  while away and call('ZSCORE', away, lane .. ' ' .. int(token % 4096)) do token = stamp(now + ms) end -- check: forget-remembers
  call('ZADD', set, token, lane)
  return token
end

-- Whether a lease is that of a fence, `<token>:<the token's moment a lease's life later>`. A renewal keeps the counter in
-- the token, so that a holder who never heard of it still holds. Renewed while it lasted, a lease ends before that later
-- moment; given anew after it ran out, not before.
local function held(set, lane, fence)
  local score = tonumber(call('ZSCORE', set, lane) or -1)
  local given, past = string.match(fence, '^(%d+):(%d+)$')
  given, past = tonumber(given), tonumber(past)
  if score == given then return true end
  if score >= past then return false end -- check: renewed-in-time
  return score > given and score % 4096 == given % 4096
end

local function prolong(set, lane, fence, ms)
  local token = (now + ms) * 4096 + tonumber(string.match(fence, '^%d+')) % 4096
  call('ZADD', set, token, lane)
  return token
end

local function count(hash, bot, change)
  if change ~= 0 and call('HINCRBY', hash, bot, change) <= 0 then call('HDEL', hash, bot) end
end

-- An outbox that could be sent from: ready, unless its bot is parked.
local function queue_out(lane, bot)
  if call('ZSCORE', opark, bot) then -- check: queue-park
    call('ZADD', opz, 0, lane) -- check: queue-park
  else -- check: queue-park
    queue(oz, obf, ovt, lane, bot)
  end -- check: queue-park
end

local function unpark(bot)
  call('ZREM', opark, bot)
  -- ';' is the character after ':'.
  for _, lane in ipairs(call('ZRANGEBYLEX', opz, '[' .. bot .. ':', '(' .. bot .. ';')) do
    call('ZREM', opz, lane)
    queue(oz, obf, ovt, lane, bot)
  end
end

-- Messages start with: b(egun) or -, m(aybe sent) or -, r(esend) or s(kip), six digits of attempts. One that cannot be read
-- has none.
local function tries_of(message) return tonumber(string.sub(message, 4, 9)) or 0 end

local function mark(list, begun, maybe, attempts)
  local message = call('LINDEX', list, 0)
  if not message then return end
  local tries = math.min(999999, tries_of(message) + attempts)
  call('LSET', list, 0, begun .. (maybe and 'm' or string.sub(message, 2, 2)) .. string.sub(message, 3, 3) ..
    string.format('%06d', tries) .. string.sub(message, 10))
end

-- A sender's lease ended without an answer: its first message, if it was begun or is of the kind that is begun without a
-- note, may have been sent.
local function settle_doubt(lane)
  local doubt = call('HGET', odoubt, lane)
  if not doubt then return end
  local list = doubt == 'u' and qurgent or qout
  local first = call('LINDEX', list, 0)
  if first and (string.sub(first, 1, 1) == 'b' or string.sub(first, 3, 3) == 'r') then mark(list, '-', true, 0) end
  call('HDEL', odoubt, lane)
end

-- The number of shards that the shard knows the bot to be spread over, '0' while it is being moved, if it is not what
-- the caller believes: the caller is at the wrong shard, or misses some.
local function elsewhere(bot, believed)
  local layout = call('HGET', spread, bot) or '1'
  return layout ~= believed and { 'LAYOUT', layout }
end

local function bury(letters, cap, at, chat, reason, detail, attempts, body)
  local id = call('XADD', letters, 'MAXLEN', '=', cap, '*', 't', at, 'c', chat, 'r', reason, 'd', detail, 'n', attempts,
    'b', body)
  -- Ids start with the server's time, also where a test drives the clock.
  call('XTRIM', letters, 'MINID', '=', int(tonumber(string.match(id, '^%d+')) - 14 * 86400000)) -- check: letters-age
  call('PEXPIRE', letters, 14 * 86400000)
  return id
end
