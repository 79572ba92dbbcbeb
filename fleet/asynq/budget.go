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
// Backfills leave a fifth of each limit to other work, and other work leaves as
// much to backfills that wait. Of limits whose period is at most a minute backfills
// leave nothing while nobody else has asked for a period: other work then waits no
// longer than that.
//
// Of each limit there is a sorted set PREFIXbudget:{PROVIDER}:... of the tokens that
// are not in its bucket, by when they are again, one of those among them that
// backfills took, a key that is there while other work than backfills asks, and one
// while a backfill waits. Of each provider and each connection there is a sorted
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
	// shares is in how many parts a limit is: backfills and other work leave each
	// other one.
	shares = 5
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
// bookings under way; then of each limit its bookings, its sign of other work, the
// bookings of backfills, and the sign that one waits, which is for how many calls.
// ARGV are the name of the booking, 1 for a backfill, and of each limit the
// calls, the requests allowed, the share, the period and the longest flight;
// then the longest period that is lent, the calls, the longest flight, and what
// of that which is left the lane leaves to others, at the provider and for the
// connection. A backfill waits until its calls fit beside the share of the others,
// or into its own. One that waits is told to wait for a period at most, and has
// then still to come to its turn.
const takeScript = nowScript + `
local backfill = ARGV[2] == '1'
local wait = math.max(0, redis.call('PTTL', KEYS[1]), redis.call('PTTL', KEYS[4]))
local limits = (#KEYS - 6) / 4
local z = 5*limits + 3
local left = {redis.call('GET', KEYS[2]), redis.call('GET', KEYS[5])}
for i = 1, 2 do
	if left[i] and tonumber(left[i]) < ARGV[z+1] + ARGV[z+2+i] then
		wait = math.max(wait, math.max(1, redis.call('PTTL', KEYS[3*i-1])))
	end
end
local within = wait -- for a backfill within its own share
local function until_fits(booked, n, calls, usable, per)
	local over = n + math.min(calls, usable) - usable
	if over <= 0 then
		return 0
	end
	local at = booked(over)
	return math.max(1, math.min(at - now, per))
end
for i = 1, limits do
	local all, other, own, waits, a = KEYS[4*i+3], KEYS[4*i+4], KEYS[4*i+5], KEYS[4*i+6], 5*i - 2
	local calls, usable, share, per = tonumber(ARGV[a]), tonumber(ARGV[a+1]), tonumber(ARGV[a+2]), tonumber(ARGV[a+3])
	redis.call('ZREMRANGEBYSCORE', all, '-inf', now)
	redis.call('ZREMRANGEBYSCORE', own, '-inf', now)
	local function of(set)
		return function(n) return redis.call('ZRANGE', set, n - 1, n - 1, 'WITHSCORES')[2] end
	end
	local n, backfills = redis.call('ZCARD', all), redis.call('ZCARD', own)
	local fits = until_fits(of(all), n, calls, usable, per)
	within = math.max(within, fits)
	if not backfill then
		redis.call('SET', other, '1', 'PX', per)
		local asked = redis.call('GET', waits)
		if asked then
			-- One page of it may need more than the share.
			usable = usable - math.max(share, math.min(tonumber(asked), math.floor(usable / 2)))
			fits = math.max(fits, until_fits(function(n)
				local last
				local set = redis.call('ZRANGE', all, 0, -1, 'WITHSCORES')
				for j = 1, #set, 2 do
					if n > 0 and not redis.call('ZSCORE', own, set[j]) then
						n, last = n - 1, set[j+1]
					end
				end
				return last
			end, n - backfills, calls, usable, per))
		end
	elseif per > tonumber(ARGV[z]) or redis.call('EXISTS', other) == 1 then
		fits = until_fits(of(all), n, calls, usable - share, per)
		if share > 0 then
			within = math.max(within, until_fits(of(own), backfills, calls, share, per))
		else
			within = math.max(within, fits)
		end
	end
	wait = math.max(wait, fits)
end
if backfill then
	wait = math.min(wait, within)
end
if wait > 0 then
	for i = 1, backfill and limits or 0 do
		redis.call('SET', KEYS[4*i+6], ARGV[z+1], 'PX', 2 * ARGV[5*i+1])
	end
	return wait
end
for i = 1, limits do
	local a = 5*i - 2
	local lasts = ARGV[a+3] + ARGV[a+4]
	local sets = {KEYS[4*i+3], backfill and KEYS[4*i+5] or nil}
	for _, set in ipairs(sets) do
		for c = 1, math.min(tonumber(ARGV[a]), tonumber(ARGV[a+1])) do
			redis.call('ZADD', set, now + lasts, ARGV[1] .. '.' .. c)
		end
		redis.call('PEXPIRE', set, lasts + 1000)
	end
	if backfill then
		redis.call('DEL', KEYS[4*i+6])
	end
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
			reserve[l.Scope] = max(reserve[l.Scope], backfill*l.Requests/shares)
		}
		keys = append(keys, key, key+":other", key+":backfill", key+":waits")
		args = append(args, calls, l.Requests, l.Requests/shares, per, min(per, longestFlight.Milliseconds()))
		booked = append(booked, key)
		ending = append(ending, calls, per)
		if backfill == 1 {
			booked = append(booked, key+":backfill")
			ending = append(ending, calls, per)
		}
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
