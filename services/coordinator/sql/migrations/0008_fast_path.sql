-- The fast path: corrections that are learnt at once, beside the windows.
ALTER TABLE feedback_stats
    -- Wrong answers that the fast path has not looked at; an upper bound, so that a look costs
    -- nothing while there are none.
    ADD COLUMN corrections integer NOT NULL DEFAULT 0 CHECK (corrections >= 0),
    ADD COLUMN updates integer NOT NULL DEFAULT 0, -- claimed so far; the next one's sequence is one more
    ADD COLUMN refused_updates integer NOT NULL DEFAULT 0, -- in a row; each doubles the backoff
    ADD COLUMN last_refused_update_at timestamptz;

-- Feedback that an update has. Its row in `feedback` stays as it is: it is new data of the next
-- window too. A table of its own, because a further column and its index would cost the intake of
-- every event, and few events are corrections.
CREATE TABLE fast_items (
    tenant_id text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    update_id uuid NOT NULL, -- as a window's id: what one job learns
    rater text COLLATE "C" NOT NULL, -- a unit, or the API key where none is named
    claimed_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, tenant_id)
);
CREATE INDEX fast_items_update ON fast_items (update_id);
CREATE INDEX fast_items_claimed ON fast_items (tenant_id, agent_id, claimed_at);
