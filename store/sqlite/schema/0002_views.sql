-- Views for people and SQL tools. They use no function that is newer than
-- SQLite 3.38. Columns named day are "YYYY-MM-DD". Times are ISO 8601: with the
-- offset that was observed, with Z where only the instant is known, and without
-- either where only the wall clock was told.

CREATE VIEW v_connections AS
SELECT id AS connection, user, provider, upstream, state, reason, zone, scopes, predecessor,
	strftime('%Y-%m-%dT%H:%M:%SZ', created / 1000.0, 'unixepoch') AS created
FROM connection;

-- All records, tombstones included. vals is a JSON object of the scalar values.
CREATE VIEW v_records AS
SELECT p.name AS user, l.name AS connection, c.provider AS provider, s.kind AS kind, s.name AS stream,
	s.name || '/' || r.rid AS key,
	date(r.day * 86400, 'unixepoch') AS day,
	CASE (r.bits >> 10) & 3
		WHEN 1 THEN strftime('%Y-%m-%dT%H:%M:%SZ', r.start / 1000.0, 'unixepoch')
		WHEN 2 THEN strftime('%Y-%m-%dT%H:%M:%S', r.start / 1000.0 + r.offset, 'unixepoch')
			|| printf('%s%02d:%02d', CASE WHEN r.offset < 0 THEN '-' ELSE '+' END, abs(r.offset) / 3600, abs(r.offset) / 60 % 60)
		WHEN 3 THEN strftime('%Y-%m-%dT%H:%M:%S', r.start / 1000.0, 'unixepoch')
	END AS start,
	CASE WHEN r.length IS NOT NULL THEN CASE (r.bits >> 10) & 3
		WHEN 1 THEN strftime('%Y-%m-%dT%H:%M:%SZ', (r.start + r.length) / 1000.0, 'unixepoch')
		WHEN 2 THEN strftime('%Y-%m-%dT%H:%M:%S', (r.start + r.length) / 1000.0 + r.offset, 'unixepoch')
			|| printf('%s%02d:%02d', CASE WHEN r.offset < 0 THEN '-' ELSE '+' END, abs(r.offset) / 3600, abs(r.offset) / 60 % 60)
		WHEN 3 THEN strftime('%Y-%m-%dT%H:%M:%S', (r.start + r.length) / 1000.0, 'unixepoch')
	END END AS "end",
	r.length / 1000.0 AS seconds,
	CASE WHEN r.bits & 1 THEN 'deleted' ELSE 'live' END AS state,
	CASE (r.bits >> 5) & 7 WHEN 1 THEN 'sensed' WHEN 2 THEN 'self_reported' WHEN 3 THEN 'ambiguous' WHEN 4 THEN 'derived'
		ELSE 'unknown' END AS method,
	CASE (r.bits >> 8) & 3 WHEN 1 THEN 'floating' WHEN 2 THEN 'profile' WHEN 3 THEN 'record' ELSE 'unknown' END AS zone,
	strftime('%Y-%m-%dT%H:%M:%SZ', r.ord / 1000.0, 'unixepoch') AS modified,
	(r.bits >> 16) & 65535 AS mapping,
	CASE r.shape WHEN 0 THEN r.vals ELSE (
		SELECT json_group_object(n.value, json_extract(r.vals, '$[' || n.key || ']'))
		FROM shape AS h, json_each(h.names) AS n WHERE h.id = r.shape
	) END AS vals,
	r.ord AS ord, r.id AS id
FROM record AS r
JOIN stream AS s ON s.id = r.stream AND (r.stream = s.id AND r.young = 0 OR r.stream = s.id AND r.young = 1)
JOIN link AS l ON l.id = s.link
JOIN person AS p ON p.id = l.person
LEFT JOIN connection AS c ON c.id = l.name;

-- One row per scalar value of a live record. A member of vals is named
-- metric[.stat][@part].
CREATE VIEW v_values AS
SELECT user, connection, provider, kind, stream, key, day, start, "end",
	CASE WHEN instr(name, '.') THEN substr(name, 1, instr(name, '.') - 1) ELSE name END AS metric,
	CASE WHEN instr(name, '.') THEN substr(name, instr(name, '.') + 1) ELSE 'value' END AS stat,
	part, value, ord
FROM (
	SELECT r.user, r.connection, r.provider, r.kind, r.stream, r.key, r.day, r.start, r."end", r.ord,
		CASE WHEN instr(j.key, '@') THEN substr(j.key, 1, instr(j.key, '@') - 1) ELSE j.key END AS name,
		CASE WHEN instr(j.key, '@') THEN substr(j.key, instr(j.key, '@') + 1) ELSE '' END AS part,
		j.value AS value
	FROM v_records AS r, json_each(r.vals) AS j
	WHERE r.state = 'live'
);

-- One row per user, day, metric, statistic and part of the daily records. Of
-- several records that tell it, that of the newest version counts; records
-- says how many there are.
CREATE VIEW v_daily_values AS
SELECT user, day, metric, stat, part, value, connection, provider, key, count(*) AS records, max(ord) AS ord
FROM v_values
WHERE kind = 'daily' AND day IS NOT NULL
GROUP BY user, day, metric, stat, part;

-- One row per user and day: the usual columns of the daily records, the last
-- weight of the day, and the sleep that is filed under it: all that one
-- connection tells, of several connections that which tells most. Distances are
-- in metres, durations in seconds, energy in kilocalories, weight in kilograms.
CREATE VIEW v_daily AS
SELECT user, day,
	max(CASE metric WHEN 'steps' THEN value END) AS steps,
	max(CASE metric WHEN 'distance' THEN value END) AS distance_m,
	max(CASE metric WHEN 'floors_climbed' THEN value END) AS floors_climbed,
	max(CASE metric WHEN 'elevation_gain' THEN value END) AS elevation_gain_m,
	max(CASE metric WHEN 'energy_total' THEN value END) AS energy_total_kcal,
	max(CASE metric WHEN 'energy_active' THEN value END) AS energy_active_kcal,
	max(CASE metric WHEN 'active_duration' THEN value END) AS active_s,
	max(CASE metric WHEN 'sedentary_duration' THEN value END) AS sedentary_s,
	max(CASE metric WHEN 'heart_rate_resting' THEN value END) AS heart_rate_resting,
	max(CASE metric WHEN 'heart_rate.mean' THEN value END) AS heart_rate_mean,
	max(CASE metric WHEN 'heart_rate.min' THEN value END) AS heart_rate_min,
	max(CASE metric WHEN 'heart_rate.max' THEN value END) AS heart_rate_max,
	max(CASE metric WHEN 'hrv_rmssd' THEN value END) AS hrv_rmssd_ms,
	max(CASE metric WHEN 'spo2' THEN value END) AS spo2,
	max(CASE metric WHEN 'respiratory_rate' THEN value END) AS respiratory_rate,
	max(CASE metric WHEN 'body_weight' THEN value END) AS weight_kg,
	max(CASE metric WHEN 'sleep' THEN value END) AS sleep_s
FROM (
	SELECT user, day, CASE stat WHEN 'value' THEN metric ELSE metric || '.' || stat END AS metric, value
	FROM v_daily_values WHERE part = ''
	UNION ALL
	SELECT user, day, 'sleep', sum(asleep_s) FROM v_sleep
	WHERE day IS NOT NULL AND asleep_s IS NOT NULL GROUP BY user, day, connection
	UNION ALL
	SELECT user, day, 'body_weight', weight_kg FROM (
		SELECT user, coalesce(day, substr(start, 1, 10)) AS day, weight_kg, max(julianday(start)) FROM v_body
		WHERE weight_kg IS NOT NULL GROUP BY 1, 2) WHERE day IS NOT NULL
)
GROUP BY user, day;

-- One row per record of sleep: a night, a nap, or only the stages of a day where
-- the service tells them apart from the night. Those have no asleep_s.
CREATE VIEW v_sleep AS
SELECT r.user, r.connection, r.provider, r.key, r.day, r.start, r."end", r.seconds,
	coalesce(max(CASE j.key WHEN 'sleep_duration' THEN j.value END), max(CASE j.key WHEN 'sleep_asleep' THEN j.value END)) AS asleep_s,
	max(CASE j.key WHEN 'sleep_in_bed' THEN j.value END) AS in_bed_s,
	max(CASE j.key WHEN 'sleep_light' THEN j.value END) AS light_s,
	max(CASE j.key WHEN 'sleep_deep' THEN j.value END) AS deep_s,
	max(CASE j.key WHEN 'sleep_rem' THEN j.value END) AS rem_s,
	max(CASE j.key WHEN 'sleep_awake' THEN j.value END) AS awake_s,
	max(CASE j.key WHEN 'sleep_latency' THEN j.value END) AS latency_s,
	max(CASE j.key WHEN 'sleep_efficiency' THEN j.value END) AS efficiency,
	max(CASE j.key WHEN 'sleep_awakenings' THEN j.value END) AS awakenings,
	max(CASE j.key WHEN 'sleep_score' THEN j.value END) AS score,
	max(CASE j.key WHEN 'heart_rate.mean' THEN j.value END) AS heart_rate_mean,
	max(CASE j.key WHEN 'heart_rate.min' THEN j.value END) AS heart_rate_min,
	max(CASE j.key WHEN 'heart_rate.max' THEN j.value END) AS heart_rate_max,
	coalesce(max(CASE j.key WHEN 'respiratory_rate.mean' THEN j.value END), max(CASE j.key WHEN 'respiratory_rate' THEN j.value END)) AS respiratory_rate,
	coalesce(max(CASE j.key WHEN 'hrv_rmssd.mean' THEN j.value END), max(CASE j.key WHEN 'hrv_rmssd' THEN j.value END)) AS hrv_rmssd_ms
FROM v_records AS r LEFT JOIN json_each(r.vals) AS j ON true
WHERE r.kind = 'sleep' AND r.state = 'live'
GROUP BY r.id;

-- One row per workout.
CREATE VIEW v_activity AS
SELECT r.user, r.connection, r.provider, r.key, r.day, r.start, r."end", r.seconds,
	max(CASE j.key WHEN 'distance' THEN j.value END) AS distance_m,
	max(CASE j.key WHEN 'steps' THEN j.value END) AS steps,
	coalesce(max(CASE j.key WHEN 'energy_active' THEN j.value END), max(CASE j.key WHEN 'exercise_energy' THEN j.value END), max(CASE j.key WHEN 'energy_total' THEN j.value END)) AS energy_kcal,
	max(CASE j.key WHEN 'elevation_gain' THEN j.value END) AS elevation_gain_m,
	coalesce(max(CASE j.key WHEN 'exercise_duration' THEN j.value END), max(CASE j.key WHEN 'active_duration' THEN j.value END)) AS exercise_s,
	max(CASE j.key WHEN 'pause_duration' THEN j.value END) AS pause_s,
	max(CASE j.key WHEN 'heart_rate.mean' THEN j.value END) AS heart_rate_mean,
	max(CASE j.key WHEN 'heart_rate.min' THEN j.value END) AS heart_rate_min,
	max(CASE j.key WHEN 'heart_rate.max' THEN j.value END) AS heart_rate_max,
	coalesce(max(CASE j.key WHEN 'speed.mean' THEN j.value END), max(CASE j.key WHEN 'speed' THEN j.value END)) AS speed_mean_mps,
	coalesce(max(CASE j.key WHEN 'power.mean' THEN j.value END), max(CASE j.key WHEN 'power' THEN j.value END)) AS power_mean_w
FROM v_records AS r LEFT JOIN json_each(r.vals) AS j ON true
WHERE r.kind = 'activity' AND r.state = 'live'
GROUP BY r.id;

-- One row per body measurement.
CREATE VIEW v_body AS
SELECT r.user, r.connection, r.provider, r.key, r.day, r.start, r.method,
	max(CASE j.key WHEN 'body_weight' THEN j.value END) AS weight_kg,
	max(CASE j.key WHEN 'body_height' THEN j.value END) AS height_m,
	max(CASE j.key WHEN 'body_fat_percentage' THEN j.value END) AS fat_percent,
	max(CASE j.key WHEN 'fat_mass' THEN j.value END) AS fat_kg,
	max(CASE j.key WHEN 'fat_free_mass' THEN j.value END) AS fat_free_kg,
	max(CASE j.key WHEN 'muscle_mass' THEN j.value END) AS muscle_kg,
	max(CASE j.key WHEN 'bone_mass' THEN j.value END) AS bone_kg,
	max(CASE j.key WHEN 'body_water_mass' THEN j.value END) AS water_kg,
	max(CASE j.key WHEN 'blood_pressure_systolic' THEN j.value END) AS systolic_mmhg,
	max(CASE j.key WHEN 'blood_pressure_diastolic' THEN j.value END) AS diastolic_mmhg,
	max(CASE j.key WHEN 'heart_rate' THEN j.value END) AS heart_rate,
	max(CASE j.key WHEN 'spo2' THEN j.value END) AS spo2,
	max(CASE j.key WHEN 'body_temperature' THEN j.value END) AS temperature_c,
	max(CASE j.key WHEN 'blood_glucose' THEN j.value END) AS blood_glucose
FROM v_records AS r LEFT JOIN json_each(r.vals) AS j ON true
WHERE r.kind = 'body' AND r.state = 'live'
GROUP BY r.id;

-- The change feed, in order. Record is the id of v_records, which has no row for
-- what the feed tells of a connection (cause relinked), and of records that went
-- with theirs. The signs keep SQLite from going through all changes for each
-- record when only some are asked for.
CREATE VIEW v_changes AS
SELECT c.seq AS seq, +r.user AS user, +r.connection AS connection, +r.kind AS kind, r.key AS key, r.day AS day,
	+c.cause AS cause, CASE c.state WHEN 1 THEN 'deleted' ELSE 'live' END AS state,
	strftime('%Y-%m-%dT%H:%M:%fZ', c.at / 1000.0, 'unixepoch') AS at, r.id AS record
FROM change AS c JOIN v_records AS r ON r.id BETWEEN c.first AND c.last
UNION ALL
SELECT c.seq, +p.name, +g.link, +g.kind, +g.key, date(g.day * 86400, 'unixepoch'),
	+c.cause, CASE c.state WHEN 1 THEN 'deleted' ELSE 'live' END,
	strftime('%Y-%m-%dT%H:%M:%fZ', c.at / 1000.0, 'unixepoch'), g.record
FROM change AS c JOIN ghost AS g ON g.record BETWEEN c.first AND c.last JOIN person AS p ON p.id = c.person
ORDER BY seq, record;
