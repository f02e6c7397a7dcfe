-- A lane as it stands. ARGV: lane, bot, shards that the caller takes the bot to be spread over.
local lane, bot = ARGV[2], ARGV[3]
local moved = elsewhere(bot, ARGV[4])
if moved then return moved end -- check: look-layout
-- A name of the place and the score in it.
local function place_in(sets)
  for name, set in pairs(sets) do
    local score = call('ZSCORE', set, lane)
    if score then return name, score end
  end
  return '', '0'
end
local function head_of(entry) return entry and string.sub(entry, 1, string.find(entry, '\n', 1, true) or -1) or '' end
local inbound, in_score = place_in({ r = rz, l = lx, d = dl })
local outbound, out_score = place_in({ r = oz, l = ox, d = odl, p = opz })
-- The sender was given these first; without a lease urgent ones go first.
local given_others = outbound == 'l' and not call('HGET', ogu, lane) and call('LLEN', qout) > 0
local first = not given_others and call('LINDEX', qurgent, 0) or call('LINDEX', qout, 0)
return { 'HERE', inbound, in_score, call('LLEN', qin), head_of(call('LINDEX', qin, 0)), call('HGET', att, lane) or '0',
  outbound, out_score, call('LLEN', qurgent) + call('LLEN', qout), head_of(first), call('ZSCORE', opark, bot) or '0' }
