-- Gives lanes back. ARGV: lane and fence of each.
local given = 0
for i = 2, #ARGV, 2 do
  local lane = ARGV[i]
  if held(lx, lane, ARGV[i + 1]) then -- check: release-fence
    call('ZREM', lx, lane) -- check: release-place
    queue(rz, bf, vt, lane, bot_of(lane)) -- check: release-ready
    given = given + 1
  end -- check: release-fence
end
return given
