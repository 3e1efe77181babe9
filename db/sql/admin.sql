-- What the roles may have done by the owner's rights, and nothing more.
-- Applied at every migration, as the owner; the search path is fixed so that no caller's is used.

-- Ends sessions of the product's roles in this database whose transaction is older than that; how
-- many. The owner is a member of those roles, so it sees and may end their sessions and no others.
-- STUCK_SECONDS_MIN, 10 s: a transaction younger than that is at work, not stuck, whoever asks. It
-- lies below limits.TRANSACTION_MAX_SECONDS, by which the product itself asks (db/retries.py).
CREATE OR REPLACE FUNCTION end_stuck_sessions(max_seconds integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stuck_seconds_min CONSTANT integer := 10;  -- STUCK_SECONDS_MIN
    ended integer;
BEGIN
    IF max_seconds IS NULL OR max_seconds < stuck_seconds_min THEN
        RAISE EXCEPTION 'max_seconds is %, it must be % or more', max_seconds, stuck_seconds_min;
    END IF;
    SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid)) INTO ended
    FROM pg_stat_activity a
    WHERE a.datname = current_database()
      AND a.usename IN ('paceboard_worker', 'paceboard_api', 'paceboard_reader')
      AND a.pid <> pg_backend_pid()
      AND a.xact_start < clock_timestamp() - make_interval(secs => max_seconds);
    IF ended > 0 THEN
        RAISE LOG 'paceboard: ended % sessions stuck for over % s', ended, max_seconds;
    END IF;
    RETURN ended;
END
$$;
REVOKE ALL ON FUNCTION end_stuck_sessions(integer) FROM PUBLIC, paceboard_reader;
GRANT EXECUTE ON FUNCTION end_stuck_sessions(integer) TO paceboard_worker, paceboard_api;

-- Seals the past: whatever is booked from now on is booked later than the instant returned.
CREATE OR REPLACE FUNCTION seal() RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    sealed timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(8097862892385563246);  -- the turnstile (db/turnstile.py)
    UPDATE installation SET sealed_to = greatest(clock_timestamp(), sealed_to, reference_known_at)
    RETURNING sealed_to INTO STRICT sealed;
    RETURN sealed;
END
$$;
REVOKE ALL ON FUNCTION seal() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seal() TO paceboard_worker;

-- Retention of the two histories that are not money. Of a hypertable whole chunks go, so a little
-- more than asked for stays.
CREATE OR REPLACE FUNCTION drop_old_chunks(history text, older_than timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF history IS NULL OR history NOT IN ('progress_history', 'alert_events') THEN
        RAISE EXCEPTION 'table % is kept for ever', history;
    END IF;
    IF older_than IS NULL THEN
        RAISE EXCEPTION 'older_than is null';
    END IF;
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        EXECUTE 'SELECT drop_chunks($1::regclass, older_than => $2)' USING history, older_than;
    ELSE
        EXECUTE format('DELETE FROM %I WHERE booked_at < $1', history) USING older_than;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION drop_old_chunks(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_old_chunks(text, timestamptz) TO paceboard_worker;
