-- Forgets a lane: its lists, document and places. ARGV: lane.
local lane = ARGV[2]
call('DEL', qin, qout, qurgent, state)
for _, set in ipairs({ rz, lx, dl, oz, ox, odl, opz }) do call('ZREM', set, lane) end
for _, hash in ipairs({ att, odoubt, ogu, oflood }) do call('HDEL', hash, lane) end
return 1
