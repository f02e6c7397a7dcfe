-- Gives a lane that has work and no place its place back. ARGV: lane. Answers how many places it gave.
local lane, given = ARGV[2], 0
local function nowhere(sets)
  for _, set in ipairs(sets) do
    if call('ZSCORE', set, lane) then return false end -- check: repair-once
  end
  return true
end
if call('LLEN', qin) > 0 and nowhere({ rz, lx, dl }) then
  queue(rz, bf, vt, lane, bot_of(lane))
  given = given + 1
end
if call('LLEN', qurgent) + call('LLEN', qout) > 0 and nowhere({ oz, ox, odl, opz }) then
  queue_out(lane, bot_of(lane))
  given = given + 1
end
return given
