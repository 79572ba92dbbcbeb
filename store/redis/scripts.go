package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// scripts are sent by their digest, and whole when a server does not know
// them. None sees a payload. Each reads all its keys before it writes: an error
// because of a wrong type then leaves nothing half done. Those that write declare
// all their keys: while a slot moves to another node, a server refuses a script
// before it begins if a key is not there, and a command within one afterwards.
// None comes back to a key that it may have emptied.
type scripts struct {
	acquire, renew, release                             *goredis.Script
	claim, disclaim                                     *goredis.Script
	putFlow, takeFlow                                   *goredis.Script
	putDelivery, updateDelivery, settle, removeDelivery *goredis.Script
	putJob, updateJob                                   *goredis.Script
	tell, raiseFloor                                    *goredis.Script
	eraseKey                                            *goredis.Script
	connections                                         *goredis.Script
}

func newScripts() *scripts {
	return &scripts{
		// KEYS lease, registry of fences, registry of connections; ARGV owner,
		// milliseconds, name, connection or "". Returns the fence and the time
		// in milliseconds, or 0 if it is held, or -1 if there is no such
		// connection here.
		acquire: goredis.NewScript(`
local held = redis.call('GET', KEYS[1])
local last = tonumber(redis.call('HGET', KEYS[2], ARGV[3]) or '0')
if ARGV[4] ~= '' and redis.call('HEXISTS', KEYS[3], ARGV[4]) == 0 then return {-1, 0} end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if held then
  local owner, fence = string.match(held, '^(.*):(%d+)$')
  if owner ~= ARGV[1] then return {0, 0} end
  return {tonumber(fence), now}
end
local fence = t[1] * 1000000 + t[2]
if fence <= last then fence = last + 1 end
fence = string.format('%.0f', fence)
redis.call('HSET', KEYS[2], ARGV[3], fence)
if ARGV[4] == '' then redis.call('PEXPIRE', KEYS[2], 2592000000 + ARGV[2]) end
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. fence, 'PX', ARGV[2])
return {tonumber(fence), now}`),
		// KEYS lease; ARGV owner, milliseconds. Returns fence and time, or 0.
		renew: goredis.NewScript(`
local held = redis.call('GET', KEYS[1])
if not held then return {0, 0} end
local owner, fence = string.match(held, '^(.*):(%d+)$')
if owner ~= ARGV[1] then return {0, 0} end
local t = redis.call('TIME')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {tonumber(fence), t[1] * 1000 + math.floor(t[2] / 1000)}`),
		// KEYS lease; ARGV owner.
		release: goredis.NewScript(`
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^(.*):%d+$') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`),
		// KEYS connections, their order, upstream ids, scopes; ARGV id, tag,
		// upstream field or "", claims of the two that are known to be left
		// over. A claim is 16 digits of microseconds, a space, and for what.
		// Returns 'ok' and the claims, or whose claim stands against it, that
		// claim, and its age in milliseconds.
		claim: goredis.NewScript(`
local t = redis.call('TIME')
local micros = t[1] * 1000000 + t[2]
local now = string.format('%.0f ', micros)
local tag = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('ZSCORE', KEYS[2], ARGV[1])
redis.call('ZSCORE', KEYS[4], ARGV[2])
local up = ARGV[3] ~= '' and redis.call('HGET', KEYS[3], ARGV[3])
local function age(claim) return string.format('%.0f', (micros - string.sub(claim, 1, 16)) / 1000) end
local function other(claim, mine, stale) return claim and string.sub(claim, 18) ~= mine and claim ~= stale end
if other(tag, ARGV[2], ARGV[4]) then return {'connection', tag, age(tag)} end
if other(up, ARGV[1], ARGV[5]) then return {'upstream', up, age(up)} end
redis.call('HSET', KEYS[1], ARGV[1], now .. ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('ZADD', KEYS[4], 0, ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[3], ARGV[3], now .. ARGV[1]) end
return {'ok', now .. ARGV[2], now .. ARGV[1]}`),
		// KEYS connections, their order, upstream ids; ARGV id, its claim or "",
		// upstream field or "", its claim. Newer claims stay.
		disclaim: goredis.NewScript(`
local tag = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('ZSCORE', KEYS[2], ARGV[1])
local up = redis.call('HGET', KEYS[3], ARGV[3])
if tag and tag == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
if up and up == ARGV[4] then redis.call('HDEL', KEYS[3], ARGV[3]) end
return 0`),
		// KEYS flow; ARGV value, end in milliseconds, nonce in front of the
		// value. Returns 1, or 0 if the id is taken.
		putFlow: goredis.NewScript(`
local held = redis.call('GET', KEYS[1])
if held then
  if held == ARGV[1] then return 1 end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
return 1`),
		// KEYS flow, what was taken; ARGV token. The one who took it gets it
		// again for a minute, in case that the answer was lost.
		takeFlow: goredis.NewScript(`
local taken = redis.call('HMGET', KEYS[2], 'token', 'flow')
local flow = redis.call('GET', KEYS[1])
if taken[1] == ARGV[1] then return taken[2] end
if not flow then return false end
redis.call('HSET', KEYS[2], 'token', ARGV[1], 'flow', flow)
redis.call('PEXPIRE', KEYS[2], 60000)
redis.call('DEL', KEYS[1])
return flow`),
		// As settle with nothing to remove. Returns 1 if it was put or is the same
		// put, 0 if another is, or was, there.
		putDelivery: goredis.NewScript(deliveryFunctions + `
return put(1)`),
		// ARGV then begin with the id of what is removed, its body's key and how
		// many are put. Returns 0 if it was not there; then none are put. A body that
		// is not needed goes.
		settle: goredis.NewScript(deliveryFunctions + `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  for i = 4, 4 + (ARGV[3] - 1) * 7, 7 do
    if ARGV[i + 5] ~= '' and redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then redis.call('UNLINK', ARGV[i + 5]) end
  end
  return 0
end
for i = 4, 4 + (ARGV[3] - 1) * 7, 7 do
  if not redis.call('HGET', KEYS[1], ARGV[i]) and gone(ARGV[i + 5]) then return bodygone end
end
for i = 4, 4 + (ARGV[3] - 1) * 7, 7 do put(i) end
redis.call('ZADD', KEYS[4], now, ARGV[1])
remove(ARGV[1], ARGV[2])
return 1`),
		// ARGV id, key of the body. What is removed is not remembered.
		removeDelivery: goredis.NewScript(deliveryFunctions + `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
remove(ARGV[1], ARGV[2])
return 1`),
		// ARGV id, state, status. Returns 0 if there is none.
		updateDelivery: goredis.NewScript(deliveryFunctions + `
local old = redis.call('HGET', KEYS[3], ARGV[1])
if not old then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
if old ~= ARGV[3] then
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
  redis.call('ZREM', KEYS[5] .. ':' .. old, ARGV[1])
  redis.call('ZADD', KEYS[5] .. ':' .. ARGV[3], redis.call('ZSCORE', KEYS[5], ARGV[1]), ARGV[1])
end
return 1`),
		// KEYS fixed parts, states, order; ARGV id, fixed part, state, next try.
		putJob: goredis.NewScript(`
redis.call('HLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
return 1`),
		// As putJob, without the fixed part.
		updateJob: goredis.NewScript(`
redis.call('HLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
return 1`),
		// KEYS counter, order of scopes; ARGV tag.
		tell: goredis.NewScript(`
redis.call('ZCARD', KEYS[2])
return redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[1]), ARGV[1])`),
		// KEYS meta, prints of erased users; ARGV field, key. Sets the key of the
		// prints, or returns 0 if there are prints under another one.
		eraseKey: goredis.NewScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return 1 end
if redis.call('SCARD', KEYS[2]) > 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`),
		// KEYS connections; ARGV beginning of the keys of their coverage, which
		// are in the same slot. Returns id, fact, and pairs of stream and windows
		// of each. Only the facts tell the keys.
		connections: goredis.NewScript(`
local facts = redis.call('HGETALL', KEYS[1])
local reply = {}
for i = 1, #facts, 2 do
  reply[#reply + 1] = facts[i]
  reply[#reply + 1] = facts[i + 1]
  reply[#reply + 1] = facts[i + 1] == '' and {} or redis.call('HGETALL', ARGV[1] .. facts[i])
end
return reply`),
		// KEYS floors; ARGV consumer, floor.
		raiseFloor: goredis.NewScript(`
if ARGV[2] - (redis.call('HGET', KEYS[1], ARGV[1]) or -1) > 0 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 0`),
	}
}

// deliveryFunctions begins the scripts about deliveries. KEYS are the fixed
// parts, the states, the statuses, what was settled, the order of arrival, the
// orders by status, whose names begin with that one's, and bodies, which ARGV name
// again. What is put
// is seven ARGV: id, fixed part, state, status, arrival, key of the body, and the
// delivery's own key or "". A fixed part is not the same twice, so that a
// repeated put is told from another.
const deliveryFunctions = `
redis.call('HLEN', KEYS[1])
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
redis.call('ZCARD', KEYS[4])
redis.call('ZCARD', KEYS[5])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local bodygone = redis.error_reply('BODYGONE the body expired')
local function gone(body) return body ~= '' and redis.call('EXISTS', body) == 0 end
local function put(i)
  local id, fixed, state, status, received, body, key = ARGV[i], ARGV[i+1], ARGV[i+2], ARGV[i+3], ARGV[i+4], ARGV[i+5], ARGV[i+6]
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. (now - 604800000))
  local there = redis.call('HGET', KEYS[1], id)
  if there == fixed then return 1 end
  if there or redis.call('ZSCORE', KEYS[4], id) or key ~= '' and redis.call('ZSCORE', KEYS[4], key) then
    if body ~= '' then redis.call('UNLINK', body) end
    return 0
  end
  if gone(body) then return bodygone end
  if body ~= '' then redis.call('PERSIST', body) end
  if key ~= '' then redis.call('ZADD', KEYS[4], now, key) end
  redis.call('HSET', KEYS[1], id, fixed)
  redis.call('HSET', KEYS[2], id, state)
  redis.call('HSET', KEYS[3], id, status)
  redis.call('ZADD', KEYS[5], received, id)
  redis.call('ZADD', KEYS[5] .. ':' .. status, received, id)
  return 1
end
local function remove(id, body)
  local status = redis.call('HGET', KEYS[3], id)
  redis.call('HDEL', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
  redis.call('HDEL', KEYS[3], id)
  redis.call('ZREM', KEYS[5], id)
  redis.call('ZREM', KEYS[5] .. ':' .. status, id)
  if body ~= '' then redis.call('UNLINK', body) end
end`

// runCopied runs a script that writes to the index, and waits until as many
// replicas have what it wrote as the index needs.
func (s *Store) runCopied(ctx context.Context, script *goredis.Script, keys []string, args ...any) (any, error) {
	if s.copies == 0 {
		return s.run(ctx, script, keys, args...)
	}
	var reply any
	err := s.on(ctx, keys[0], func(c *goredis.Client) error {
		var answer, copied *goredis.Cmd
		if err := queue(ctx, c.Pipeline(), func(p goredis.Pipeliner) {
			answer = script.Eval(ctx, p, keys, args...)
			copied = p.Do(ctx, "wait", s.copies, copyTime.Milliseconds())
		}); err != nil {
			return err
		}
		if n, err := copied.Int(); err != nil || n < s.copies {
			return &nameless{ErrUnavailable, "NOREPLICAS"}
		}
		reply = answer.Val()
		return nil
	})
	return reply, err
}

// copyTime is how long replicas have to say that they have something.
const copyTime = time.Second

// run runs a script on the server that has its first key. It returns nil if the
// script returned nothing.
func (s *Store) run(ctx context.Context, script *goredis.Script, keys []string, args ...any) (any, error) {
	var reply any
	err := s.on(ctx, keys[0], func(c *goredis.Client) error {
		var err error
		if reply, err = script.Run(ctx, c, keys, args...).Result(); isNil(err) {
			return nil
		}
		return err
	})
	return reply, err
}
