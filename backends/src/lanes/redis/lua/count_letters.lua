-- How many of the next letters of a stream are meant. ARGV: bot, the id to begin with, most to look at, chat and reason
-- ('' for any, else '=' and which). Answers them, how many it looked at, and the id of the last of these.
local entries = call('XRANGE', dlq, ARGV[3], '+', 'COUNT', ARGV[4])
local meant = 0
for _, entry in ipairs(entries) do
  local values = {}
  for i = 1, #entry[2], 2 do values[entry[2][i]] = entry[2][i + 1] end
  if (ARGV[5] == '' or ARGV[5] == '=' .. values.c) and (ARGV[6] == '' or ARGV[6] == '=' .. values.r) then
    meant = meant + 1
  end
end
return { meant, #entries, #entries > 0 and entries[#entries][1] or '' }
