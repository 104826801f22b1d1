-- Against retrains that the system starts for its own sake.

-- Records of the feedback topic that the system caused itself (evaluation, synthesis, benchmarks,
-- shadows, tests). They never become feedback. What they said stands on the topic, at this place.
CREATE TABLE internal_traffic (
    tenant_id text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C" NOT NULL, -- may not be configured
    event_id uuid NOT NULL,
    kind text NOT NULL, -- the contract's name
    traffic_class text NOT NULL, -- TrafficClass, or 'service': sent by one of our services
    signal text NOT NULL CHECK (signal IN (
        'body', -- its traffic_class
        'header', -- ce_trafficclass
        'interaction', -- an id that is reserved
        'source', -- ce_source is a service
        'baggage' -- the traffic_class came along with the trace
    )),
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, tenant_id)
);
CREATE INDEX internal_traffic_received ON internal_traffic USING brin (received_at);
