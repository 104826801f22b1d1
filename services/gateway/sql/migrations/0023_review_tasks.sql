-- What people are to look at: pairs of answers, answers by a rubric, and labels.
CREATE TABLE review_tasks (
    task_id uuid NOT NULL,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    place bigint GENERATED ALWAYS AS IDENTITY, -- the order in which they are handed out
    kind text NOT NULL CHECK (kind IN ('pairwise', 'rubric', 'label')),
    item jsonb NOT NULL, -- ReviewItem
    votes integer NOT NULL CHECK (votes > 0), -- reviews by different people that it wants
    answered integer NOT NULL DEFAULT 0,
    leased_to text, -- who looks at it now; null: nobody
    leased_until timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (task_id, tenant_id)
);
CREATE INDEX review_tasks_open ON review_tasks (tenant_id, agent_id, place) WHERE answered < votes;
CREATE INDEX review_tasks_leased ON review_tasks (tenant_id, agent_id, leased_to)
    WHERE leased_to IS NOT NULL;

CREATE TABLE reviews (
    task_id uuid NOT NULL,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    reviewer text NOT NULL,
    choice text, -- null: skipped; the reviewer does not get the task again
    comment text NOT NULL DEFAULT '',
    reviewed_at timestamptz NOT NULL,
    PRIMARY KEY (task_id, tenant_id, reviewer)
);
CREATE INDEX reviews_by_reviewer ON reviews (tenant_id, agent_id, reviewer, reviewed_at DESC);
