-- Against retrains that the system starts for its own sake.

-- Records of the feedback topic that the system caused itself (evaluation, synthesis, benchmarks,
-- shadows, tests). They never become feedback. What they said stands on the topic, at this place.
CREATE TABLE system_traffic (
    tenant_id text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C" NOT NULL, -- may not be configured
    event_id uuid NOT NULL,
    kind text NOT NULL, -- the contract's name
    purpose text NOT NULL, -- Purpose, or 'service': sent by one of our services
    sign text NOT NULL CHECK (sign IN (
        'body', -- its purpose
        'header', -- ce_purpose
        'interaction', -- an id that is reserved
        'source', -- ce_source is a service
        'baggage' -- the purpose came along with the trace
    )),
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, tenant_id)
);
CREATE INDEX system_traffic_received ON system_traffic USING brin (received_at);
