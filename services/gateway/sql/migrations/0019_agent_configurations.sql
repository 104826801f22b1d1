-- What each agent runs now, and the comparison that divides its traffic: a copy of the compacted topic.
CREATE TABLE agent_configurations (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    revision integer NOT NULL,
    body jsonb NOT NULL,  -- AgentConfiguration
    PRIMARY KEY (tenant_id, agent_id)
);
