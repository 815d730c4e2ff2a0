-- Who of many processes may send when: what `Budget` decides for one, told in its words.
--
-- KEYS[1] is the budget, a hash. ARGV: the time, or '' for this server's; the part of a window that
-- is for calls alone; the part that is kept for polls; the requests that are left unused; whether
-- starts are waiting; the seconds for which the API wants quiet; the seconds since this server last
-- answered the one who asks, -1 for never; the asks, a digit each; and five for each report: its
-- kind, the window of its request, and the limit, the rest and the seconds until the reset that a
-- response told.
local CALL, START, POLL, HURRIED = 0, 1, 2, 3
local TOLD, ENDED, UNSENT, UNPOLLED = 0, 1, 2, 3
local UNKNOWN = -1

local budget, before = {}, {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  local value = tonumber(flat[i + 1])
  budget[flat[i]], before[flat[i]] = value, value
end

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
local reserve, share, margin = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local function slot(window) return 'sent' .. window % KEPT end

local function begin(reset_at)
  if now - budget.reset_at > LONGEST then
    for i = 0, KEPT - 1 do budget['sent' .. i] = 0 end
    budget.under_way = 0
  end
  budget.window = budget.window + 1
  local sent = slot(budget.window)
  -- What was sent so many windows ago has no answer any more.
  budget[sent], budget.under_way = 0, budget.under_way - (budget[sent] or 0)
  budget.reset_at, budget.lowest = reset_at, UNKNOWN
  budget.used = budget.under_way
  budget.silent, budget.polls, budget.next_poll, budget.share = 0, 0, 0, 0
  if budget.narrow_until <= now then budget.narrow_until = 0 end
end

if not budget.window then
  -- Windows are numbered from the time, lest those of a server that forgot all be taken for ours.
  budget = { window = math.floor(now), reset_at = now, limit = DEFAULT, paused_until = 0,
             starts_until = 0, narrow_until = 0, born = now, under_way = 0 }
  begin(now + WINDOW)
end
local away = tonumber(ARGV[7])
if away > now - budget.born + ROUGHLY and now < budget.born + WINDOW then
  -- What was sent before, and is sent by those who think that this server is still gone, was
  -- forgotten or never told: until the next window each goes by itself.
  budget.narrow_until = math.max(budget.narrow_until, budget.born + NOTICED)
end

local function observe(limit, remaining, reset_in)
  local reset_at = now + math.min(reset_in, FARTHEST)
  local later = reset_at - budget.reset_at
  budget.limit = limit
  if budget.lowest == UNKNOWN then
    budget.lowest, budget.reset_at = remaining, reset_at
  elseif -SAME < later and later < SAME then
    budget.lowest = math.min(budget.lowest, remaining)
    if later > 0 then
      budget.reset_at = reset_at
    elseif later < -ROUNDING then
      budget.reset_at = reset_at + ROUNDING
    end
  elseif later > 0 then
    begin(reset_at)
    budget.lowest = remaining
  end
end

local function report(kind, window, limit, remaining, reset_in)
  -- What was kept until its window had ended says nothing of this one.
  if kind == TOLD and reset_in > 0 then observe(limit, remaining, reset_in) end
  if window <= budget.window - KEPT or window > budget.window then return end
  local name = slot(window)
  local sent = budget[name] or 0
  if sent < 1 then return end
  budget[name], budget.under_way = sent - 1, budget.under_way - 1
  if kind == ENDED then
    budget.silent = budget.silent + 1
  elseif kind == UNSENT or kind == UNPOLLED then
    budget.used = budget.used - 1
    if kind == UNPOLLED and window == budget.window then
      budget.polls, budget.next_poll = budget.polls - 1, 0
    end
  end
end

local function left(lane)
  local room = budget.limit
  local spare = math.min(margin, math.floor(room / 2))
  local all
  if budget.lowest == UNKNOWN then
    all = room - budget.used - spare
  else
    all = budget.lowest - budget.silent - budget.under_way - spare
  end
  if lane == CALL then return all end
  all = all - math.floor(reserve * room)
  local kept = 0
  if budget.share > 0 and room > 2 then kept = math.max(1, math.floor(budget.share * room)) end
  local polls = kept - budget.polls
  if lane == START then return all - math.max(0, polls) end
  if now < budget.starts_until then return math.min(all, polls) end
  return all
end

-- The seconds after which to ask again, 0 for a request that may be sent.
local function ask(lane)
  local hurried = lane == HURRIED
  if hurried then lane = POLL end
  if now < budget.paused_until then return budget.paused_until - now end
  local rest = left(lane)
  if rest < 1 then
    if lane == START then budget.starts_until = now + HEARD end
    return budget.reset_at - now
  end
  if lane == POLL then
    if now < budget.next_poll and not hurried then return budget.next_poll - now end
    budget.polls = budget.polls + 1
    budget.next_poll = now + (budget.reset_at - now) / rest
  end
  budget.used = budget.used + 1
  local sent = slot(budget.window)
  budget[sent], budget.under_way = (budget[sent] or 0) + 1, budget.under_way + 1
  return 0
end

for i = 9, #ARGV, 5 do
  report(tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]),
         tonumber(ARGV[i + 4]))
end
if now < budget.reset_at - FARTHEST or budget.reset_at <= now then begin(now + WINDOW) end
if ARGV[5] == '1' then budget.starts_until = now + HEARD end
budget.share = math.max(budget.share, share)
local quiet = tonumber(ARGV[6])
if quiet > 0 then budget.paused_until = math.max(budget.paused_until, now + quiet) end

local granted, waits = { 0, 0, 0, 0 }, { 0, 0, 0, 0 }
local narrow = 0
if budget.narrow_until > 0 then
  narrow = math.max(budget.narrow_until, budget.reset_at) - now
else
  for i = 1, #ARGV[8] do
    local lane = tonumber(ARGV[8]:sub(i, i))
    if waits[lane + 1] == 0 then
      waits[lane + 1] = ask(lane)
      if waits[lane + 1] == 0 then granted[lane + 1] = granted[lane + 1] + 1 end
    end
  end
end

local fields = {}
for name, value in pairs(budget) do
  if value ~= before[name] then
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
end
if #fields > 0 then
  redis.call('HSET', KEYS[1], unpack(fields))
  redis.call('PEXPIRE', KEYS[1], REMEMBERED)
end

local answer = { budget.window, math.ceil(narrow * 1000) }
for i = 1, 4 do
  answer[#answer + 1] = granted[i]
  answer[#answer + 1] = math.ceil(waits[i] * 1000)
end
return table.concat(answer, ' ') -- numbers by themselves take a client ten times as long to read
