-- What a batch of the deals processor does by function, because a row count of 0 that only the
-- client reads would not stop a COMMIT that is already queued: these raise.
--   PB001: the partition's token or next_offset is not what the worker claimed: fenced.
--   PB002: a deal or an account has moved since it was read: try again.

CREATE OR REPLACE FUNCTION advance_partition(
    t text, p int, tok bigint, expected bigint, nxt bigint, published bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE partitions
       SET next_offset = nxt, published_to = greatest(published_to, published)
     WHERE topic = t AND partition = p AND token = tok AND next_offset = expected;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'fenced: partition % of %, token %, expected offset %', p, t, tok, expected
            USING ERRCODE = 'PB001';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION move_accounts(
    ids text[], new_versions bigint[], at timestamptz, by_batch bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE moved int;
BEGIN
    UPDATE accounts a
       SET version = u.version, booked_at = at, batch = by_batch
      FROM unnest(ids, new_versions) AS u(account_id, version)
     WHERE a.account_id = u.account_id AND a.version = u.version - 1;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(ids) THEN
        RAISE EXCEPTION 'accounts: % of % at the version read', moved, cardinality(ids)
            USING ERRCODE = 'PB002';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION move_deals(
    ids text[], new_versions bigint[], sources text[], names text[], customers text[],
    statuses text[], amounts numeric[], currencies text[], closed date[], channels text[],
    outcomes text[], named_keys text[], states json[], reference bigint, at timestamptz,
    by_batch bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE moved int;
BEGIN
    INSERT INTO deals AS d (deal_id, version, source, name, customer, status, amount, currency,
                            closed_on, channel, outcome, named, state, search_key,
                            reference_version, received_at, booked_at, batch)
    SELECT u.id, u.version, u.source, u.name, u.customer, u.status, u.amount, u.currency,
           u.closed_on, u.channel, u.outcome, u.named::text[], u.state,
           lower(substr(u.id, strpos(u.id, ':') + 1)), reference, at, at, by_batch
      FROM unnest(ids, new_versions, sources, names, customers, statuses, amounts, currencies,
                  closed, channels, outcomes, named_keys, states)
        AS u(id, version, source, name, customer, status, amount, currency, closed_on, channel,
             outcome, named, state)
     ORDER BY 1
        ON CONFLICT (deal_id) DO UPDATE
       SET version = excluded.version, source = excluded.source, name = excluded.name,
           customer = excluded.customer, status = excluded.status, amount = excluded.amount,
           currency = excluded.currency, closed_on = excluded.closed_on, channel = excluded.channel,
           outcome = excluded.outcome, named = excluded.named, state = excluded.state,
           reference_version = excluded.reference_version, booked_at = excluded.booked_at,
           batch = excluded.batch
     WHERE d.version = excluded.version - 1;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(ids) THEN
        RAISE EXCEPTION 'deals: % of % at the version read', moved, cardinality(ids)
            USING ERRCODE = 'PB002';
    END IF;
END $$;
