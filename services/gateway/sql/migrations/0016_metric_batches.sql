-- Metric points by the month, a row per batch of one metric: a point by itself costs 60 bytes of row
-- and index, a point of an array 28. Rows of a run come in the order of its steps.
ALTER TABLE job_metrics RENAME TO job_metric_points;
ALTER TABLE job_metric_points RENAME CONSTRAINT job_metrics_pkey TO job_metric_points_pkey;

CREATE TABLE job_metrics (
    tenant_id text NOT NULL,
    job_id uuid NOT NULL,
    attempt integer NOT NULL,
    name text NOT NULL,
    first_step integer NOT NULL,
    last_step integer NOT NULL,
    recorded_at timestamptz NOT NULL, -- of the first point; says in which partition the row is
    steps integer[] NOT NULL, -- ascending
    amounts float8[] NOT NULL, -- as long as `steps`, like the next two
    epochs float8[] NOT NULL, -- with nulls
    moments timestamptz[] NOT NULL,
    CHECK (cardinality(steps) > 0 AND cardinality(amounts) = cardinality(steps)),
    -- A batch that comes again, in another message too, is the same row.
    PRIMARY KEY (job_id, attempt, name, first_step, recorded_at, tenant_id)
) PARTITION BY RANGE (recorded_at);

-- What no month's partition takes: from before this file, or of a clock that is wrong.
CREATE TABLE job_metrics_other PARTITION OF job_metrics DEFAULT;

-- Partitions of this month and the next two. As their owner, since services own no table; whoever
-- calls it can make nothing else.
CREATE FUNCTION make_metric_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    month timestamptz;
    part text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('job_metrics partitions'));
    FOR month IN
        SELECT generate_series(date_trunc('month', now(), 'UTC'),
                               date_trunc('month', now(), 'UTC') + interval '2 months',
                               interval '1 month')
    LOOP
        part := 'job_metrics_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        BEGIN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF job_metrics FOR VALUES FROM (%L) TO (%L)',
                part, month, month + interval '1 month');
            made := made + 1;
        EXCEPTION WHEN check_violation THEN
            -- Rows of that month came before their partition; they stay where they are.
            NULL;
        END;
    END LOOP;
    RETURN made;
END $$;

-- Drops the partitions of months that ended so many days ago.
CREATE FUNCTION drop_metric_partitions(keep_days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    part text;
    dropped integer := 0;
BEGIN
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'job_metrics'::regclass AND c.relname ~ '^job_metrics_\d{4}_\d\d$'
          AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month'
              < now() - make_interval(days => keep_days)
    LOOP
        EXECUTE format('DROP TABLE %I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

SELECT make_metric_partitions();

INSERT INTO job_metrics (tenant_id, job_id, attempt, name, first_step, last_step, recorded_at, steps,
                         amounts, epochs, moments)
SELECT tenant_id, job_id, attempt, name, min(step), max(step), min(recorded_at),
       array_agg(step ORDER BY step), array_agg(value ORDER BY step),
       array_agg(epoch ORDER BY step), array_agg(recorded_at ORDER BY step)
FROM job_metric_points
GROUP BY tenant_id, job_id, attempt, name, step / 500;

DROP TABLE job_metric_points;
