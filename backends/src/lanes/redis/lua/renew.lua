-- Prolongs leases. ARGV: lease ms, then lane and token of each.
local tokens = {}
for i = 3, #ARGV, 2 do
  local token = 0
  if held(leases, ARGV[i], ARGV[i + 1]) then token = lease(leases, ARGV[i], tonumber(ARGV[2])) end -- check: renew-fence
  tokens[#tokens + 1] = token
end
return tokens
