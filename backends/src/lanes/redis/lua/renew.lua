-- Prolongs leases. ARGV: lease ms, then lane and fence of each.
local tokens = {}
for i = 3, #ARGV, 2 do
  local token = 0
  if held(leases, ARGV[i], ARGV[i + 1]) then token = prolong(leases, ARGV[i], ARGV[i + 1], tonumber(ARGV[2])) end -- check: renew-fence
  tokens[#tokens + 1] = token
end
return tokens
