-- What each agent can do of each skill, by evaluations, and the skills of its own policy.

ALTER TABLE agents ADD COLUMN skills jsonb NOT NULL DEFAULT '[]';  -- SkillDefinition, as planned last

CREATE TABLE skills (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    skill text NOT NULL,
    task_type text NOT NULL,
    correct integer NOT NULL CHECK (correct >= 0),
    items integer NOT NULL CHECK (items > 0),
    previous_rate double precision,  -- in the evaluation before
    best_rate double precision NOT NULL,
    evaluations integer NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, skill)
);
