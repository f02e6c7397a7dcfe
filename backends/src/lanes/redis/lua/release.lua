-- Gives lanes back. ARGV: lane and fence of each.
local given = 0
for i = 2, #ARGV, 2 do
  local lane = ARGV[i]
  if held(lx, lane, ARGV[i + 1]) then -- fence: a lost lease is somebody else's
    call('ZREM', lx, lane) -- check: release-place
    queue(rz, bf, vt, lane, bot_of(lane)) -- check: release-ready
    given = given + 1
  end
end
return given
