-- Retracted items. A dataset that is being prepared when one is retracted must not bring it back.
CREATE TABLE erased_feedback (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    item_id text NOT NULL,         -- of its line in a feedback window
    PRIMARY KEY (tenant_id, agent_id, item_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, agent_id)
);
