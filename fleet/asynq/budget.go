package asynq

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// Budget is a [healthsync.Budget] that all processes share that have the same
// Redis and prefix.
//
// Backfills leave a fifth of each limit to other work. Of limits whose period is
// at most a minute they leave nothing while nobody else has asked for a period:
// other work then waits no longer than that.
//
// Of each limit there is a sorted set PREFIXbudget:{PROVIDER}:... of the tokens that
// are not in its bucket, by when they are again, and a key that is there while other
// work than backfills asks. Of each provider and each connection there is a sorted
// set of the bookings under way, and for as long as it holds what was told to
// [Budget.Learn].
type Budget struct {
	redis  goredis.UniversalClient
	prefix string
	// name and count make the names of bookings.
	name  string
	count atomic.Uint64

	take, done, block, learn *goredis.Script
}

var _ healthsync.BudgetLearner = (*Budget)(nil)

const (
	// reserveForLive is the share of each limit that backfills leave: one part
	// in reserveForLive.
	reserveForLive = 5
	// lentUpTo is the longest period of a limit whose reserve is lent.
	lentUpTo = time.Minute
	// longestFlight is how long a booking whose request is not heard of again
	// is taken to be under way; of shorter periods it is one period.
	longestFlight = 30 * time.Second
	// doneWithin bounds the call that ends a booking.
	doneWithin = 5 * time.Second
	// sameRenewal is how far apart two answers may put the same renewal of a
	// limit: services tell it in seconds from then on, and answers take their
	// time.
	sameRenewal = 10 * time.Second
)

// NewBudget returns the Budget under the prefix, which may be empty:
// "vitalmux:". It does not close the client.
func NewBudget(client goredis.UniversalClient, prefix string) (*Budget, error) {
	if client == nil {
		return nil, errors.New("asynq: no Redis for the budget")
	}
	if strings.ContainsAny(prefix, "{}") {
		return nil, errors.New("asynq: the prefix holds a brace")
	}
	if prefix == "" {
		prefix = "vitalmux:"
	}
	var name [8]byte
	_, _ = rand.Read(name[:])
	return &Budget{
		redis: client, prefix: prefix, name: hex.EncodeToString(name[:]),
		take: goredis.NewScript(takeScript), done: goredis.NewScript(doneScript), block: goredis.NewScript(blockScript),
		learn: goredis.NewScript(learnScript),
	}, nil
}

// nowScript begins a script: the time of the server in milliseconds.
const nowScript = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
`

// takeScript books calls, or returns for how many milliseconds to wait. KEYS are
// of the provider, and of the connection, the block, what is left and the
// bookings under way; then of each limit its bookings and its sign of other work.
// ARGV are the name of the booking, 1 for a backfill, and of each limit the
// calls, the requests allowed, the reserve, the period and the longest flight;
// then the longest period that is lent, the calls, the longest flight, and what
// of that which is left the lane leaves to others, at the provider and for the
// connection.
const takeScript = nowScript + `
local wait = math.max(0, redis.call('PTTL', KEYS[1]), redis.call('PTTL', KEYS[4]))
local limits = (#KEYS - 6) / 2
local z = 5*limits + 3
local left = {redis.call('GET', KEYS[2]), redis.call('GET', KEYS[5])}
for i = 1, 2 do
	if left[i] and tonumber(left[i]) < ARGV[z+1] + ARGV[z+2+i] then
		wait = math.max(wait, math.max(1, redis.call('PTTL', KEYS[3*i-1])))
	end
end
for i = 1, limits do
	local booked, other, a = KEYS[2*i+5], KEYS[2*i+6], 5*i - 2
	local calls, usable, reserve, per = tonumber(ARGV[a]), tonumber(ARGV[a+1]), tonumber(ARGV[a+2]), tonumber(ARGV[a+3])
	if ARGV[2] ~= '1' then
		redis.call('SET', other, '1', 'PX', per)
	elseif per > tonumber(ARGV[z]) or redis.call('EXISTS', other) == 1 then
		usable = usable - reserve
	end
	redis.call('ZREMRANGEBYSCORE', booked, '-inf', now)
	local over = redis.call('ZCARD', booked) + math.min(calls, usable) - usable
	if over > 0 then
		local at = redis.call('ZRANGE', booked, over - 1, over - 1, 'WITHSCORES')
		wait = math.max(wait, math.max(1, math.min(at[2] - now, per)))
	end
end
if wait > 0 then
	return wait
end
for i = 1, limits do
	local a = 5*i - 2
	local lasts = ARGV[a+3] + ARGV[a+4]
	for c = 1, math.min(tonumber(ARGV[a]), tonumber(ARGV[a+1])) do
		redis.call('ZADD', KEYS[2*i+5], now + lasts, ARGV[1] .. '.' .. c)
	end
	redis.call('PEXPIRE', KEYS[2*i+5], lasts + 1000)
end
for i = 1, 2 do
	if left[i] then
		redis.call('DECRBY', KEYS[3*i-1], ARGV[z+1])
	end
	redis.call('ZREMRANGEBYSCORE', KEYS[3*i], '-inf', now)
	redis.call('ZADD', KEYS[3*i], now + ARGV[z+2], ARGV[1] .. '.' .. ARGV[z+1])
	redis.call('PEXPIRE', KEYS[3*i], ARGV[z+2])
end
return 0
`

// doneScript has the calls of a booking count from now on, also if it has ended,
// and takes back those that were not made. KEYS are of the provider, and of the
// connection, what is left and the bookings under way; then the bookings of the
// limits. ARGV are the name of the booking, how many calls were made, how many
// were booked, and of each limit the calls booked and the period. The millisecond more is because the
// time was cut. A booking that was no longer taken to be under way gives nothing
// back to what is left: that may have been told without it.
const doneScript = nowScript + `
for i = 1, 2 do
	if redis.call('ZREM', KEYS[2*i], ARGV[1] .. '.' .. ARGV[3]) == 1 and redis.call('EXISTS', KEYS[2*i-1]) == 1 then
		redis.call('INCRBY', KEYS[2*i-1], math.max(0, ARGV[3] - ARGV[2]))
	end
end
for i = 5, #KEYS do
	local a = 2*i - 6
	for c = 1, tonumber(ARGV[a]) do
		if c <= tonumber(ARGV[2]) then
			redis.call('ZADD', KEYS[i], now + 1 + ARGV[a+1], ARGV[1] .. '.' .. c)
			if redis.call('PTTL', KEYS[i]) < ARGV[a+1] + 1000 then
				redis.call('PEXPIRE', KEYS[i], ARGV[a+1] + 1000)
			end
		else
			redis.call('ZREM', KEYS[i], ARGV[1] .. '.' .. c)
		end
	end
end
`

// learnScript takes in how much is left. KEYS are what is left and the bookings
// under way, which the answer may have counted, or not. ARGV are the requests,
// the milliseconds until the limit is renewed, and sameRenewal.
const learnScript = nowScript + `
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local left, lasts, old = tonumber(ARGV[1]), tonumber(ARGV[2]), redis.call('PTTL', KEYS[1])
for _, booking in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
	left = left - string.match(booking, '%d+$')
end
if old > lasts + ARGV[3] then
	return -- it was about the renewal before
end
if old > 0 and lasts <= old + ARGV[3] then
	left = math.min(left, tonumber(redis.call('GET', KEYS[1])))
end
redis.call('SET', KEYS[1], left, 'PX', math.max(lasts, old))
`

// blockScript makes a block that lasts at least so many milliseconds.
const blockScript = `
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
	redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
end
`

// key returns a key of the provider: all of them are in one slot of a Cluster.
func (b *Budget) key(provider string, parts ...string) string {
	return b.prefix + "budget:{" + provider + "}:" + strings.Join(parts, ":")
}

// limitKey names a limit by what it is, so that one that was changed does not
// count what another one allowed.
func (b *Budget) limitKey(c healthsync.Calls, l providers.RateLimit) string {
	who := "app"
	if l.Scope == providers.LimitPerUser {
		who = c.Connection
	}
	return b.key(c.Provider, who, strconv.Itoa(l.Requests)+"/"+l.Per.String())
}

// Take implements [healthsync.Budget].
func (b *Budget) Take(ctx context.Context, c healthsync.Calls) (done func(made int), wait time.Duration, err error) {
	name := b.name + strconv.FormatUint(b.count.Add(1), 36)
	backfill := 0
	if c.Lane == store.LaneBackfill {
		backfill = 1
	}
	count := max(1, c.Count)
	keys := []string{
		b.key(c.Provider, "block"), b.key(c.Provider, "left"), b.key(c.Provider, "begun"),
		b.key(c.Provider, "block", c.Connection), b.key(c.Provider, "left", c.Connection), b.key(c.Provider, "begun", c.Connection),
	}
	args := []any{name, backfill}
	booked := []string{keys[1], keys[2], keys[4], keys[5]}
	ending := []any{name, 0, count}
	reserve := map[providers.LimitScope]int{}
	for _, l := range c.Limits {
		if l.Requests <= 0 || l.Per <= 0 {
			continue
		}
		key, per := b.limitKey(c, l), max(1, l.Per.Milliseconds())
		calls := min(count, l.Requests)
		if l.Per > lentUpTo {
			reserve[l.Scope] = max(reserve[l.Scope], backfill*l.Requests/reserveForLive)
		}
		keys = append(keys, key, key+":other")
		args = append(args, calls, l.Requests, l.Requests/reserveForLive, per, min(per, longestFlight.Milliseconds()))
		booked = append(booked, key)
		ending = append(ending, calls, per)
	}
	args = append(args, lentUpTo.Milliseconds(), count, longestFlight.Milliseconds(),
		reserve[providers.LimitPerApp], reserve[providers.LimitPerUser])
	ms, err := b.take.Run(ctx, b.redis, keys, args...).Int64()
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("asynq: budget of %s: %w", c.Provider, err)
	case ms > 0:
		return nil, time.Duration(ms) * time.Millisecond, nil
	}
	return func(made int) {
		ending[1] = made
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), doneWithin)
		defer cancel()
		// A booking that is not ended counts for longer than it need.
		_ = b.done.Run(ctx, b.redis, booked, ending...).Err()
	}, 0, nil
}

// Block implements [healthsync.Budget].
func (b *Budget) Block(ctx context.Context, provider, connection string, until time.Time) error {
	// Not the time is shared but the pause: it does not matter what time this
	// process believes it is.
	pause := time.Until(until).Milliseconds()
	if pause <= 0 {
		return nil
	}
	key := b.key(provider, "block")
	if connection != "" {
		key = b.key(provider, "block", connection)
	}
	if err := b.block.Run(ctx, b.redis, []string{key}, pause).Err(); err != nil && !errors.Is(err, goredis.Nil) {
		return fmt.Errorf("asynq: budget of %s: %w", provider, err)
	}
	return nil
}

// Learn implements [healthsync.BudgetLearner]. A booking that has not ended after
// half a minute is no longer taken to be under way.
func (b *Budget) Learn(ctx context.Context, provider, connection string, left providers.RateLeft) error {
	// As with a pause, it is not the time that is shared.
	lasts := time.Until(left.ResetAt).Milliseconds()
	if lasts <= 0 {
		return nil
	}
	keys := []string{b.key(provider, "left"), b.key(provider, "begun")}
	if left.Scope == providers.LimitPerUser {
		keys = []string{b.key(provider, "left", connection), b.key(provider, "begun", connection)}
	}
	err := b.learn.Run(ctx, b.redis, keys, left.Requests, lasts, sameRenewal.Milliseconds()).Err()
	if err != nil && !errors.Is(err, goredis.Nil) {
		return fmt.Errorf("asynq: budget of %s: %w", provider, err)
	}
	return nil
}
